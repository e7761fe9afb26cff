package token

import (
	"context"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MaxBytes is the maximum length of a token. Stepkey's own are below 3 KiB,
// and below 1 KiB without groups and own claims; the bound is checked before anything is decoded (CVE-2025-30204).
const MaxBytes = 4096

// Leeway is how far the clocks of issuer and verifier may differ.
const Leeway = 30 * time.Second

const maxKeyID = 64

// Expect configures which tokens a [Verifier] accepts.
type Expect struct {
	Issuer   string
	Audience string
	Clock    func() time.Time // nil means time.Now

	// CacheSize is how many verified access tokens are cached, for at most
	// [CacheTime] each. Zero means [DefaultCacheSize]; a negative value means
	// none.
	CacheSize int
}

// Verifier checks tokens. It is safe for concurrent use.
type Verifier struct {
	keys  KeySource
	clock func() time.Time
	cache *cache

	// registered checks iss, aud, exp and iat; unaddressed checks the same except
	// aud, for tokens without an audience.
	registered  *jwt.Validator
	unaddressed *jwt.Validator
}

// NewVerifier returns a Verifier that gets its keys from keys. Issuer and
// audience are required: a verifier that does not check them accepts tokens
// made for other services.
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

// Verify returns the claims of an access token if every check passes, and an
// [*Error] otherwise. If the key source fails, the reason is [ReasonUnknownKey]
// and the source's error is wrapped.
//
// A token that was verified before may be answered from the cache, until it
// expires. Its key is then looked up again, but the signature is not verified.
// No two calls return Claims that share a slice.
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

// signedBy is the key that made a signature, and the kid that named it in the
// token.
type signedBy struct {
	keyID string
	key   VerificationKey
}

// open verifies the signature of a token of type typ and returns its payload.
// Before that, only the header is read.
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

// check lets golang-jwt check the registered claims. incomplete says what else
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
