package token

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MaxBytes bounds a token. Stepkey's own are below 1 KiB; the bound is checked
// before anything is decoded (CVE-2025-30204).
const MaxBytes = 4096

// Leeway is how far the clocks of issuer and verifier may lie apart.
const Leeway = 30 * time.Second

const maxKeyID = 64

// Reason says why a token was refused. It is for logs and tests.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	ReasonSize        Reason = "size"          // longer than MaxBytes
	ReasonMalformed   Reason = "malformed"     // not three canonical parts of strict JSON
	ReasonHeader      Reason = "header"        // a header member that is not alg, kid or typ
	ReasonType        Reason = "type"          // not at+jwt
	ReasonUnknownKey  Reason = "unknown_key"   // no such kid
	ReasonAlgorithm   Reason = "algorithm"     // not the key's algorithm
	ReasonSignature   Reason = "signature"     // not signed by the key
	ReasonExpired     Reason = "expired"       // exp has passed
	ReasonNotYetValid Reason = "not_yet_valid" // iat lies ahead
	ReasonIssuer      Reason = "issuer"        // another iss
	ReasonAudience    Reason = "audience"      // another aud
	ReasonClaims      Reason = "claims"        // a claim is missing or contradicts another
)

// Error is the refusal of a token.
type Error struct {
	Reason Reason
	cause  error
}

// Error implements error. The text holds nothing of the token.
func (e *Error) Error() string { return "token: refused: " + string(e.Reason) }

// Unwrap returns what lies behind the refusal, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Expect is what a token has to say of where it comes from.
type Expect struct {
	Issuer   string
	Audience string
	Clock    func() time.Time // nil means time.Now
}

// Verifier checks access tokens. It is safe for concurrent use.
type Verifier struct {
	keys     KeySource
	clock    func() time.Time
	issuer   string
	audience string
}

// NewVerifier returns a Verifier that takes keys from keys. Issuer and audience
// have to be given: a verifier that asks for neither accepts tokens made for
// somebody else.
func NewVerifier(keys KeySource, expect Expect) (*Verifier, error) {
	if expect.Issuer == "" || expect.Audience == "" {
		return nil, errors.New("token: a verifier needs an issuer and an audience")
	}
	if expect.Clock == nil {
		expect.Clock = time.Now
	}
	return &Verifier{keys: keys, clock: expect.Clock, issuer: expect.Issuer, audience: expect.Audience}, nil
}

// Verify returns what the token says if every check holds, and an [*Error]
// otherwise. Where the key source could not be asked, the reason is
// [ReasonUnknownKey] and the source's error is wrapped.
func (v *Verifier) Verify(ctx context.Context, raw string) (Claims, error) {
	parts, err := split(raw)
	if err != nil {
		return Claims{}, err
	}
	header, err := parseHeader(parts.header)
	if err != nil {
		return Claims{}, err
	}
	key, err := v.keys.VerificationKey(ctx, header.KeyID)
	if err != nil {
		return Claims{}, &Error{ReasonUnknownKey, err}
	}
	if header.Algorithm != key.algorithm {
		return Claims{}, &Error{Reason: ReasonAlgorithm}
	}
	if err := checkObject(parts.payload); err != nil {
		return Claims{}, err
	}
	return v.verifySigned(raw, key)
}

// verifySigned leaves signature and registered claims to golang-jwt, told the
// one method that this key is for.
func (v *Verifier) verifySigned(raw string, key VerificationKey) (Claims, error) {
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{string(key.algorithm)}),
		jwt.WithIssuer(v.issuer), jwt.WithAudience(v.audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(Leeway), jwt.WithTimeFunc(v.clock), jwt.WithStrictDecoding(),
	)
	var claims Claims
	_, err := parser.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return key.material, nil })
	if err != nil {
		return Claims{}, &Error{reasonOf(err), err}
	}
	if why := claims.incomplete(); why != "" {
		return Claims{}, &Error{ReasonClaims, errors.New(why)}
	}
	return claims, nil
}

func reasonOf(err error) Reason {
	for _, known := range []struct {
		err    error
		reason Reason
	}{
		{jwt.ErrTokenSignatureInvalid, ReasonSignature},
		{jwt.ErrTokenMalformed, ReasonMalformed},
		{jwt.ErrTokenExpired, ReasonExpired},
		{jwt.ErrTokenUsedBeforeIssued, ReasonNotYetValid},
		{jwt.ErrTokenInvalidIssuer, ReasonIssuer},
		{jwt.ErrTokenInvalidAudience, ReasonAudience},
	} {
		if errors.Is(err, known.err) {
			return known.reason
		}
	}
	return ReasonClaims
}

type tokenParts struct{ header, payload []byte }

// split checks the outer form: bounded, three parts, canonical base64url. The
// dots are counted before anything is cut, so that a million of them cost one
// pass.
func split(raw string) (tokenParts, error) {
	if len(raw) > MaxBytes {
		return tokenParts{}, &Error{Reason: ReasonSize}
	}
	if strings.Count(raw, ".") != 2 {
		return tokenParts{}, &Error{Reason: ReasonMalformed}
	}
	head, rest, _ := strings.Cut(raw, ".")
	body, signature, _ := strings.Cut(rest, ".")
	header, err1 := decode(head)
	payload, err2 := decode(body)
	_, err3 := decode(signature)
	if err := errors.Join(err1, err2, err3); err != nil {
		return tokenParts{}, &Error{ReasonMalformed, err}
	}
	return tokenParts{header, payload}, nil
}

// decode refuses padding, line breaks and trailing bits: one byte string has
// one spelling.
func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break in base64url")
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}

type tokenHeader struct {
	Algorithm Algorithm
	KeyID     string
}

func parseHeader(raw []byte) (tokenHeader, error) {
	if err := checkObject(raw); err != nil {
		return tokenHeader{}, err
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		return tokenHeader{}, &Error{ReasonMalformed, err}
	}
	values := map[string]string{}
	for name, value := range members {
		text, isText := value.(string)
		if !isText || (name != "alg" && name != "kid" && name != "typ") {
			return tokenHeader{}, &Error{Reason: ReasonHeader}
		}
		values[name] = text
	}
	if values["typ"] != Type {
		return tokenHeader{}, &Error{Reason: ReasonType}
	}
	if len(values["kid"]) > maxKeyID {
		return tokenHeader{}, &Error{Reason: ReasonUnknownKey}
	}
	return tokenHeader{Algorithm(values["alg"]), values["kid"]}, nil
}

// checkObject refuses what encoding/json would quietly settle: a member named
// twice, in any case, and anything after the object. Claims are flat but for
// arrays of texts, so nothing deeper is accepted.
func checkObject(raw []byte) error {
	malformed := func(why string) error { return &Error{ReasonMalformed, errors.New(why)} }
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return malformed("not an object")
	}
	seen := map[string]bool{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return malformed("not JSON")
		}
		folded := strings.ToLower(fmt.Sprint(name))
		if seen[folded] {
			return malformed("member named twice")
		}
		seen[folded] = true
		if err := skipFlatValue(decoder); err != nil {
			return malformed("not a flat value")
		}
	}
	if _, err := decoder.Token(); err != nil {
		return malformed("not JSON")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return malformed("data after the object")
	}
	return nil
}

func skipFlatValue(decoder *json.Decoder) error {
	value, err := decoder.Token()
	if err != nil {
		return err
	}
	if value == json.Delim('{') {
		return errors.New("nested object")
	}
	if value != json.Delim('[') {
		return nil
	}
	for decoder.More() {
		if element, err := decoder.Token(); err != nil || element == json.Delim('{') || element == json.Delim('[') {
			return errors.New("nested value")
		}
	}
	_, err = decoder.Token()
	return err
}
