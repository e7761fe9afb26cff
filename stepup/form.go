package stepup

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
)

// formLifetime is how long the user may take to verify before a kept form has to be
// filled in again.
const formLifetime = 10 * time.Minute

// maxContentType is the longest content type that is kept, in bytes; those of browsers
// have about 70.
const maxContentType = 256

// maxSealed is the longest that a sealed form can be, in bytes of text. The route that
// takes it back bounds its body accordingly.
const maxSealed = (maxBody + maxReturnPath + maxContentType + 128) * 4 / 3

// Errors of openForm.
var (
	errFormSealed  = errors.New("stepup: the form was not kept by this application for this session")
	errFormExpired = errors.New("stepup: the form was kept for 10 minutes and has expired")
)

// keptForm is a form whose post was refused until the user verifies. The server does not
// keep it: it lies encrypted in the page that answers the post, so that no other session
// or tab can plant one, and the page posts it again through all middleware.
type keptForm struct {
	at          time.Time
	uri         string // path and query as the browser sees them
	contentType string
	body        []byte
}

// formOwner is for whom a form is kept. Another one does not open it.
type formOwner struct {
	realm, user string
	session     []byte // hash of Identity.Session
}

// keepForm reads a post that is being refused. The uri is what the browser posted to: a
// prefix that a proxy strips, and the request's URI. It returns a bodyFault if the post
// cannot be kept; the user then verifies and fills in the form again.
func keepForm(r *http.Request, uri string, origins []string, now time.Time) (keptForm, error) {
	if r.Method != http.MethodPost {
		return keptForm{}, faultMethod
	}
	// The page will send the post as its own. The post of another site must not get
	// past the application's protection against CSRF in that way.
	if !isSameOrigin(r.Header, origins) {
		return keptForm{}, faultCrossSite
	}
	if !isReturnPath(uri) {
		return keptForm{}, faultPath
	}
	contentType := r.Header.Get("Content-Type")
	if len(contentType) > maxContentType {
		return keptForm{}, faultType
	}
	body, err := readBody(r)
	if err != nil {
		return keptForm{}, err
	}
	form := keptForm{at: now, uri: uri, contentType: contentType, body: body}
	return form, form.checkRepeatable()
}

// isSameOrigin reports whether a page of the application sent the request. Origin is
// asked only if there is no Sec-Fetch-Site: under Referrer-Policy no-referrer it is
// "null".
func isSameOrigin(h http.Header, origins []string) bool {
	if site := h.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	return slices.Contains(origins, h.Get("Origin"))
}

// checkRepeatable returns a bodyFault unless a form that a script builds of the fields
// posts the same.
func (f keptForm) checkRepeatable() error {
	fields, err := f.fields()
	if err != nil {
		return err
	}
	for _, field := range fields {
		if field.Name == "" {
			return faultMalformed // an input without a name is not posted
		}
		if field.File && (field.filename != "" || field.Value != "") {
			return faultFiles
		}
	}
	if !f.isMultipart() && formatPairs(fields) != string(f.body) {
		return faultMalformed
	}
	return nil
}

// fields returns the fields of the form in order, for the script that posts it again.
// Names may come more than once and may be any, such as "submit".
func (f keptForm) fields() ([]formField, error) { return parseForm(f.contentType, f.body) }

// isMultipart reports which of the two encodings a form that posts the same must have.
func (f keptForm) isMultipart() bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(f.contentType)), "multipart/")
}

// seal encrypts the form for owner (AES-256-GCM) into URL-safe base64. The nonce is
// drawn from random: 96 bits are enough for 2^32 forms under one key (NIST SP 800-38D
// §8.3).
func (f keptForm) seal(key [32]byte, owner formOwner, random io.Reader) (string, error) {
	aead, err := formCipher(key)
	if err != nil {
		return "", err
	}
	sealed := make([]byte, aead.NonceSize(), aead.NonceSize()+len(f.body)+maxReturnPath)
	if _, err := io.ReadFull(random, sealed); err != nil {
		return "", fmt.Errorf("stepup: draw a nonce: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(sealed, sealed, f.marshal(), owner.label())), nil
}

// openForm decrypts what seal made with the same key for the same owner, at most 10
// minutes before now. It returns errFormSealed or errFormExpired otherwise.
func openForm(key [32]byte, owner formOwner, text string, now time.Time) (keptForm, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return keptForm{}, errFormSealed
	}
	aead, err := formCipher(key)
	if err != nil {
		return keptForm{}, err
	}
	if len(sealed) < aead.NonceSize() {
		return keptForm{}, errFormSealed
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], owner.label())
	if err != nil {
		return keptForm{}, errFormSealed
	}
	form, err := unmarshalForm(plain)
	if err != nil {
		return keptForm{}, err
	}
	if !countsAt(form.at, now) || now.Sub(form.at) > formLifetime {
		return keptForm{}, errFormExpired
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
func (o formOwner) label() []byte {
	label := appendText(nil, "stepup form 1")
	label = appendText(label, o.realm)
	label = appendText(label, o.user)
	return appendText(label, string(o.session))
}

func (f keptForm) marshal() []byte {
	plain := binary.BigEndian.AppendUint64(nil, uint64(f.at.UnixMilli()))
	plain = appendText(plain, f.uri)
	plain = appendText(plain, f.contentType)
	return append(plain, f.body...)
}

// unmarshalForm reads what marshal wrote. Only data sealed with our key gets here, so an
// error means that another version wrote it.
func unmarshalForm(plain []byte) (form keptForm, err error) {
	if len(plain) < 8 {
		return keptForm{}, errFormSealed
	}
	form.at = time.UnixMilli(int64(binary.BigEndian.Uint64(plain))).UTC()
	var ok1, ok2 bool
	form.uri, plain, ok1 = cutText(plain[8:])
	form.contentType, form.body, ok2 = cutText(plain)
	if !ok1 || !ok2 {
		return keptForm{}, errFormSealed
	}
	return form, nil
}

// appendText appends a text and, before it, its length, so that no two lists of texts
// have the same bytes.
func appendText(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}

// cutText takes a text that appendText wrote off the front of b.
func cutText(b []byte) (text string, rest []byte, ok bool) {
	if len(b) < 4 {
		return "", nil, false
	}
	length := uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; length > uint64(len(b)) {
		return "", nil, false
	}
	return string(b[:length]), b[length:], true
}
