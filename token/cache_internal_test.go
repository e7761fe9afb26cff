package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// counting is a signing method that counts how often a signature is checked.
type counting struct {
	jwt.SigningMethod
	checks *atomic.Int32
}

func (c counting) Verify(signed string, signature []byte, key any) error {
	c.checks.Add(1)
	return c.SigningMethod.Verify(signed, signature, key)
}

// source is a key source whose answer can be changed.
type source struct{ answer atomic.Pointer[sourceAnswer] }

type sourceAnswer struct {
	key VerificationKey
	err error
}

func (s *source) VerificationKey(context.Context, string) (VerificationKey, error) {
	a := s.answer.Load()
	return a.key, a.err
}

type cacheFixture struct {
	verifier *Verifier
	signer   *Signer
	key      VerificationKey
	source   *source
	checks   *atomic.Int32
	now      time.Time
}

func newCacheFixture(t *testing.T, size int) *cacheFixture {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewECDSAKey(private)
	if err != nil {
		t.Fatal(err)
	}
	f := &cacheFixture{signer: NewSigner(NewKeyring(key)), source: &source{}, checks: &atomic.Int32{}, now: time.Unix(1900000000, 0)}
	f.key = key.verification
	f.key.method = counting{f.key.method, f.checks}
	f.source.answer.Store(&sourceAnswer{key: f.key})
	expect := Expect{Issuer: "me", Audience: "you", Clock: func() time.Time { return f.now }, CacheSize: size}
	if f.verifier, err = NewVerifier(f.source, expect); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *cacheFixture) token(t *testing.T, id string, life time.Duration) string {
	t.Helper()
	raw, err := f.signer.Sign(Claims{
		Issuer: "me", Audience: []string{"you", "others"}, Subject: "user", ID: id, SessionID: "session",
		IssuedAt: f.now.Unix(), ExpiresAt: f.now.Add(life).Unix(),
		Level: LevelPassword, ACR: LevelPassword, Methods: []string{"pwd", "mfa"}, AuthTime: f.now.Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// verify fails unless raw is refused for want (empty for accepted) after so many
// more checks of a signature.
func (f *cacheFixture) verify(t *testing.T, what, raw string, want Reason, checks int32) Claims {
	t.Helper()
	before := f.checks.Load()
	claims, err := f.verifier.Verify(t.Context(), raw)
	var refusal *Error
	if errors.As(err, &refusal); (want == "") != (err == nil) || (err != nil && refusal.Reason != want) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
	if got := f.checks.Load() - before; got != checks {
		t.Errorf("%s: %d signatures checked, want %d", what, got, checks)
	}
	return claims
}

func TestCacheTime(t *testing.T) {
	f := newCacheFixture(t, 0)
	raw, start := f.token(t, "id", Lifetime), f.now
	f.verify(t, "first", raw, "", 1)
	f.now = start.Add(CacheTime - 1)
	f.verify(t, "within 30 s", raw, "", 0)
	f.now = start.Add(CacheTime)
	f.verify(t, "after 30 s", raw, "", 1)
	f.now = start.Add(CacheTime - time.Second)
	f.verify(t, "clock set back", raw, "", 1)
	f.verify(t, "another token of the session", f.token(t, "other", Lifetime), "", 1)

	without := newCacheFixture(t, -1)
	raw = without.token(t, "id", Lifetime)
	without.verify(t, "no cache: first", raw, "", 1)
	without.verify(t, "no cache: second", raw, "", 1)
}

func TestCachedTokenExpires(t *testing.T) {
	f := newCacheFixture(t, 0)
	raw, start := f.token(t, "id", time.Second), f.now
	f.now = start.Add(20 * time.Second)
	f.verify(t, "before", raw, "", 1)
	f.now = start.Add(Leeway + time.Second - 1)
	f.verify(t, "last nanosecond", raw, "", 0)
	f.now = start.Add(Leeway + time.Second)
	f.verify(t, "expired", raw, ReasonExpired, 1)
}

func TestCacheAsksForTheKeyAgain(t *testing.T) {
	f := newCacheFixture(t, 0)
	raw := f.token(t, "id", Lifetime)
	f.verify(t, "first", raw, "", 1)

	f.source.answer.Store(&sourceAnswer{err: ErrUnknownKey})
	f.verify(t, "revoked", raw, ReasonUnknownKey, 0)

	other := newCacheFixture(t, 0).key
	other.method = f.key.method
	f.source.answer.Store(&sourceAnswer{key: other})
	f.verify(t, "another key under its name", raw, ReasonSignature, 1)

	f.source.answer.Store(&sourceAnswer{key: f.key})
	f.verify(t, "back again", raw, "", 0)
}

func TestCacheAndSharedSecrets(t *testing.T) {
	secret := func(letter byte) []byte { return []byte(fmt.Sprintf("%032d", letter)) }
	key := func(newest byte, previous ...[]byte) SigningKey {
		k, err := NewSecretKey(secret(newest), false, previous...)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	f := newCacheFixture(t, 0)
	f.signer = NewSigner(NewKeyring(key(1)))
	accept := func(k SigningKey) { f.source.answer.Store(&sourceAnswer{key: k.verification}) }
	raw := f.token(t, "id", Lifetime)
	accept(key(1))
	f.verify(t, "its secret", raw, "", 0)
	accept(key(2, secret(1)))
	f.verify(t, "its secret is the previous one", raw, "", 0)
	accept(key(2))
	f.verify(t, "its secret was dropped", raw, ReasonSignature, 0)
}

func TestCachedClaimsAreTheCallersOwn(t *testing.T) {
	f := newCacheFixture(t, 0)
	raw := f.token(t, "id", Lifetime)
	first := f.verify(t, "miss", raw, "", 1)
	audience, methods := Audience{"you", "others"}, []string{"pwd", "mfa"}
	for _, what := range []string{"hit after a miss", "hit after a hit"} {
		first.Audience[0], first.Methods[0] = "changed", "changed"
		first = f.verify(t, what, raw, "", 0)
		if !slices.Equal(first.Audience, audience) || !slices.Equal(first.Methods, methods) {
			t.Errorf("%s: %v, %v", what, first.Audience, first.Methods)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	f := newCacheFixture(t, 16)
	for i := range 200 {
		raw := f.token(t, fmt.Sprint(i), Lifetime)
		f.verify(t, "new", raw, "", 1)
		f.verify(t, "newest", raw, "", 0)
		f.now = f.now.Add(time.Millisecond)
	}
	held := 0
	for i := range f.verifier.cache.sets {
		for j := range f.verifier.cache.sets[i] {
			if f.verifier.cache.sets[i][j].Load() != nil {
				held++
			}
		}
	}
	if held != 16 {
		t.Errorf("%d tokens are remembered after 200, want 16", held)
	}
}

// A full set gives up its oldest entry, and a token that is there already keeps
// its place.
func TestCacheReplacesTheOldest(t *testing.T) {
	f := newCacheFixture(t, 8)
	raws := make([]string, 9)
	for i := range raws {
		raws[i] = f.token(t, fmt.Sprint(i), Lifetime)
	}
	for _, raw := range raws[:8] {
		f.verify(t, "filling", raw, "", 1)
		f.now = f.now.Add(time.Second)
	}
	f.verify(t, "ninth", raws[8], "", 1)
	for _, raw := range raws[1:] {
		f.verify(t, "younger", raw, "", 0)
	}
	f.now = f.now.Add(25 * time.Second) // all but the younger ones have timed out
	f.verify(t, "again", raws[8], "", 0)
	f.verify(t, "timed out", raws[2], "", 1)
	f.verify(t, "renewed in its own place", raws[8], "", 0)
	f.verify(t, "oldest", raws[0], "", 1)
}

func TestCacheInParallel(t *testing.T) {
	f := newCacheFixture(t, 8)
	raws := make([]string, 12)
	for i := range raws {
		raws[i] = f.token(t, fmt.Sprint(i), Lifetime)
	}
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 200 {
				n := (worker + i) % len(raws)
				c, err := f.verifier.Verify(t.Context(), raws[n])
				if err != nil || c.ID != fmt.Sprint(n) {
					t.Errorf("token %d: %q, %v", n, c.ID, err)
				}
				c.Methods[0] = "changed"
			}
		})
	}
	group.Wait()
}
