package token

import (
	"context"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MaxBytes bounds a token. Stepkey's own are below 1 KiB; the bound is checked
// before anything is decoded (CVE-2025-30204).
const MaxBytes = 4096

// Leeway is how far the clocks of issuer and verifier may lie apart.
const Leeway = 30 * time.Second

const maxKeyID = 64

// Expect is what a token has to say of where it comes from.
type Expect struct {
	Issuer   string
	Audience string
	Clock    func() time.Time // nil means time.Now

	// CacheSize is how many verified access tokens are remembered, for at most
	// [CacheTime] each. Zero means [DefaultCacheSize], less than zero none.
	CacheSize int
}

// Verifier checks tokens. It is safe for concurrent use.
type Verifier struct {
	keys  KeySource
	clock func() time.Time
	cache *cache

	// registered checks iss, aud, exp and iat; unaddressed the same but aud, for
	// tokens that are for everybody.
	registered  *jwt.Validator
	unaddressed *jwt.Validator
}

// NewVerifier returns a Verifier that takes keys from keys. Issuer and audience
// have to be given: a verifier that asks for neither accepts tokens made for
// somebody else.
func NewVerifier(keys KeySource, expect Expect) (*Verifier, error) {
	if keys == nil {
		return nil, errors.New("token: a verifier needs a source of keys")
	}
	if expect.Issuer == "" || expect.Audience == "" {
		return nil, errors.New("token: a verifier needs an issuer and an audience")
	}
	if expect.Clock == nil {
		expect.Clock = time.Now
	}
	checks := []jwt.ParserOption{
		jwt.WithIssuer(expect.Issuer), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(Leeway), jwt.WithTimeFunc(expect.Clock),
	}
	return &Verifier{
		keys: keys, clock: expect.Clock, cache: newCache(expect.CacheSize),
		unaddressed: jwt.NewValidator(checks...),
		registered:  jwt.NewValidator(append(checks, jwt.WithAudience(expect.Audience))...),
	}, nil
}

// Verify returns what an access token says if every check holds, and an
// [*Error] otherwise. Where the key source could not be asked, the reason is
// [ReasonUnknownKey] and the source's error is wrapped.
//
// A token that was verified before may be answered from memory. Its key is then
// looked up again and its times are checked again; only the signature is not.
// The Claims are the caller's own: no two calls share a slice.
func (v *Verifier) Verify(ctx context.Context, raw string) (Claims, error) {
	if len(raw) > MaxBytes {
		return Claims{}, &Error{Reason: ReasonSize}
	}
	if v.cache == nil {
		claims, _, err := v.verify(ctx, raw)
		return claims, err
	}
	return v.verifyCached(ctx, raw)
}

func (v *Verifier) verify(ctx context.Context, raw string) (Claims, signedBy, error) {
	payload, by, err := v.open(ctx, raw, Type, MaxBytes)
	if err != nil {
		return Claims{}, signedBy{}, err
	}
	var claims Claims
	if err := eachMember(payload, claims.readMember); err != nil {
		return Claims{}, signedBy{}, &Error{ReasonMalformed, err}
	}
	if err := check(v.registered, claims, claims.incomplete()); err != nil {
		return Claims{}, signedBy{}, err
	}
	return claims, by, nil
}

// signedBy is the key that a signature was made with, and the name by which the
// token called it.
type signedBy struct {
	keyID string
	key   VerificationKey
}

// open returns the payload of a token of type typ whose signature holds. Until
// then only the header is read.
func (v *Verifier) open(ctx context.Context, raw, typ string, limit int) ([]byte, signedBy, error) {
	t, err := split(raw, limit)
	if err != nil {
		return nil, signedBy{}, err
	}
	header, err := parseHeader(t.header, typ)
	if err != nil {
		return nil, signedBy{}, err
	}
	key, err := v.keys.VerificationKey(ctx, header.KeyID)
	if err != nil {
		return nil, signedBy{}, &Error{ReasonUnknownKey, err}
	}
	if key.method == nil || header.Algorithm != string(key.algorithm) {
		return nil, signedBy{}, &Error{Reason: ReasonAlgorithm}
	}
	if err := key.verify(t.signed, t.signature); err != nil {
		return nil, signedBy{}, &Error{ReasonSignature, err}
	}
	return t.payload, signedBy{header.KeyID, key}, nil
}

// check leaves the registered claims to golang-jwt. incomplete says what else
// is wrong, if anything.
func check(registered *jwt.Validator, claims jwt.Claims, incomplete string) error {
	if err := registered.Validate(claims); err != nil {
		return &Error{reasonOf(err), err}
	}
	if incomplete != "" {
		return &Error{ReasonClaims, errors.New(incomplete)}
	}
	return nil
}
