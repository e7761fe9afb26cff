// Package keptform keeps the post of a form that was refused until its user has verified a
// factor: sealed, in the page that answers the post, and for nobody else.
package keptform

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stepkey/stepkey/internal/returnpath"
)

// Lifetime is how long the user may take to verify before a kept form has to be
// filled in again.
const Lifetime = 10 * time.Minute

// maxContentType is the longest content type that is kept, in bytes; those of browsers
// have about 70.
const maxContentType = 256

// MaxSealed is the longest that a sealed form can be, in bytes of text. The route that
// takes it back bounds its body accordingly.
const MaxSealed = (MaxBody + returnpath.MaxBytes + maxContentType + 128) * 4 / 3

// maxAhead is how far the clock of another instance may be ahead.
const maxAhead = 5 * time.Second

// Errors of Open.
var (
	ErrSealed  = errors.New("keptform: the form was not kept by this application for this session")
	ErrExpired = errors.New("keptform: the form was kept for 10 minutes and has expired")
)

// Form is a form whose post was refused until the user verifies. The server does not
// keep it: it lies encrypted in the page that answers the post, so that no other session
// or tab can plant one, and the page posts it again through all middleware.
type Form struct {
	At          time.Time
	URI         string // path and query as the browser sees them
	ContentType string
	Body        []byte
}

// Owner is for whom a form is kept. Another one does not open it.
type Owner struct {
	Realm, User string
	Session     []byte // a keyed hash that names the session
}

// Keep reads a post that is being refused. The uri is what the browser posted to: a
// prefix that a proxy strips, and the request's URI. It returns a Fault if the post
// cannot be kept; the user then verifies and fills in the form again.
func Keep(r *http.Request, uri string, origins []string, now time.Time) (Form, error) {
	if r.Method != http.MethodPost {
		return Form{}, FaultMethod
	}
	// The page will send the post as its own. The post of another site must not get
	// past the application's protection against CSRF in that way.
	if !IsSameOrigin(r.Header, origins) {
		return Form{}, FaultCrossSite
	}
	if !returnpath.Allowed(uri) {
		return Form{}, FaultPath
	}
	contentType := r.Header.Get("Content-Type")
	if len(contentType) > maxContentType {
		return Form{}, FaultType
	}
	body, err := ReadBody(r)
	if err != nil {
		return Form{}, err
	}
	form := Form{At: now, URI: uri, ContentType: contentType, Body: body}
	return form, form.checkRepeatable()
}

// IsSameOrigin reports whether a page of the application sent the request. Origin is
// asked only if there is no Sec-Fetch-Site: under Referrer-Policy no-referrer it is
// "null".
func IsSameOrigin(h http.Header, origins []string) bool {
	if site := h.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	return slices.Contains(origins, h.Get("Origin"))
}

// checkRepeatable returns a Fault unless a form that a script builds of the fields
// posts the same.
func (f Form) checkRepeatable() error {
	fields, err := f.Fields()
	if err != nil {
		return err
	}
	for _, field := range fields {
		if field.Name == "" {
			return FaultMalformed // an input without a name is not posted
		}
		if field.File && (field.filename != "" || field.Value != "") {
			return FaultFiles
		}
	}
	if !f.IsMultipart() && formatPairs(fields) != string(f.Body) {
		return FaultMalformed
	}
	return nil
}

// Fields returns the fields of the form in order, for the script that posts it again.
// Names may come more than once and may be any, such as "submit".
func (f Form) Fields() ([]Field, error) { return ParseForm(f.ContentType, f.Body) }

// IsMultipart reports which of the two encodings a form that posts the same must have.
func (f Form) IsMultipart() bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(f.ContentType)), "multipart/")
}

// Seal encrypts the form for owner (AES-256-GCM) into URL-safe base64. The nonce is
// drawn from random: 96 bits are enough for 2^32 forms under one key (NIST SP 800-38D
// §8.3).
func (f Form) Seal(key [32]byte, owner Owner, random io.Reader) (string, error) {
	aead, err := formCipher(key)
	if err != nil {
		return "", err
	}
	sealed := make([]byte, aead.NonceSize(), aead.NonceSize()+len(f.Body)+returnpath.MaxBytes)
	if _, err := io.ReadFull(random, sealed); err != nil {
		return "", fmt.Errorf("keptform: draw a nonce: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(sealed, sealed, f.marshal(), owner.label())), nil
}

// Open decrypts what Seal made with the same key for the same owner, at most 10
// minutes before now. It returns ErrSealed or ErrExpired otherwise.
func Open(key [32]byte, owner Owner, text string, now time.Time) (Form, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return Form{}, ErrSealed
	}
	aead, err := formCipher(key)
	if err != nil {
		return Form{}, err
	}
	if len(sealed) < aead.NonceSize() {
		return Form{}, ErrSealed
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], owner.label())
	if err != nil {
		return Form{}, ErrSealed
	}
	form, err := unmarshalForm(plain)
	if err != nil {
		return Form{}, err
	}
	if form.At.After(now.Add(maxAhead)) || now.Sub(form.At) > Lifetime {
		return Form{}, ErrExpired
	}
	return form, nil
}

func formCipher(key [32]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// label is the associated data of the form: what it is, its version and its owner.
func (o Owner) label() []byte {
	label := AppendText(nil, "stepup form 1")
	label = AppendText(label, o.Realm)
	label = AppendText(label, o.User)
	return AppendText(label, string(o.Session))
}

func (f Form) marshal() []byte {
	plain := binary.BigEndian.AppendUint64(nil, uint64(f.At.UnixMilli()))
	plain = AppendText(plain, f.URI)
	plain = AppendText(plain, f.ContentType)
	return append(plain, f.Body...)
}

// unmarshalForm reads what marshal wrote. Only data sealed with our key gets here, so an
// error means that another version wrote it.
func unmarshalForm(plain []byte) (form Form, err error) {
	if len(plain) < 8 {
		return Form{}, ErrSealed
	}
	form.At = time.UnixMilli(int64(binary.BigEndian.Uint64(plain))).UTC()
	var ok1, ok2 bool
	form.URI, plain, ok1 = CutText(plain[8:])
	form.ContentType, form.Body, ok2 = CutText(plain)
	if !ok1 || !ok2 {
		return Form{}, ErrSealed
	}
	return form, nil
}

// AppendText appends a text and, before it, its length, so that no two lists of texts
// have the same bytes.
func AppendText(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}

// CutText takes a text that AppendText wrote off the front of b.
func CutText(b []byte) (text string, rest []byte, ok bool) {
	if len(b) < 4 {
		return "", nil, false
	}
	length := uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; length > uint64(len(b)) {
		return "", nil, false
	}
	return string(b[:length]), b[length:], true
}
