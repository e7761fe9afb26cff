package stepkey_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// states lists the keys' states, the newest key first.
func (f *fixture) states() string {
	f.Helper()
	keys, err := f.service.Admin().Keys(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	var list []string
	for _, k := range keys {
		list = append(list, string(k.State))
	}
	return strings.Join(list, " ")
}

// restart stands for what Run does: it looks at keys and clock again.
func (f *fixture) restart() { f.service = f.newService(f.config()) }

func (f *fixture) wantStates(when, want string) {
	f.Helper()
	if got := f.states(); got != want {
		f.Errorf("%s: keys are %q, want %q", when, got, want)
	}
}

func (f *fixture) wantVerified(what string, s *stepkey.Service, raw string, want bool) {
	f.Helper()
	if _, err := s.Verifier().Verify(f.Context(), raw); (err == nil) != want {
		f.Errorf("%s: %v, want it accepted: %v", what, err, want)
	}
}

func TestRotation(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		f.wantStates("at first", "current")
		first := f.service.PublicKeys().Keys[0].ID
		wantError(f.TB, "RotateKey", f.service.Admin().RotateKey(f.Context()), nil)
		wantError(f.TB, "RotateKey again", f.service.Admin().RotateKey(f.Context()), nil)
		f.wantStates("after rotating", "next current")
		if keys := f.service.PublicKeys().Keys; len(keys) != 2 || keys[0].ID != first {
			f.Errorf("public keys: %+v, want the current one first and the next one", keys)
		}

		f.clock.Advance(stepkey.KeyLead - time.Second)
		f.restart()
		before := f.logInForRefresh("mira")
		f.clock.Advance(time.Second)
		other := f.newService(f.config())
		f.restart()
		f.wantStates("when the lead is over", "current previous")
		after := f.logInForRefresh("mira")
		f.wantVerified("signed before", other, before.AccessToken, true)
		f.wantVerified("signed after", other, after.AccessToken, true)

		f.clock.Advance(token.Lifetime + 2*token.Leeway)
		f.restart()
		f.wantStates("when the last token is over", "current retired")
		if keys := f.service.PublicKeys().Keys; len(keys) != 1 || keys[0].ID == first {
			f.Errorf("public keys: %+v, want the new one alone", keys)
		}
	})
}

// Nobody has to rotate: a key that has signed long enough gets its successor.
func TestKeysRotateThemselves(t *testing.T) {
	f := newFixture(t)
	f.clock.Advance(stepkey.KeyLifetime - stepkey.KeyLead - time.Second)
	f.restart()
	f.wantStates("before it is time", "current")
	f.clock.Advance(time.Second)
	instances := make([]*stepkey.Service, 4)
	for _, err := range race(len(instances), func(i int) (err error) {
		instances[i], err = stepkey.New(f.Context(), f.config())
		return err
	}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	f.wantStates("when it is time", "next current") // one, although four noticed
	f.clock.Advance(stepkey.KeyLead)
	f.restart()
	f.wantStates("a lead later", "current previous")
}

func TestRevokedKey(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		other := f.newService(f.config())
		g := f.logInForRefresh("mira")
		keys, err := f.service.Admin().Keys(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		f.clock.Advance(time.Second)
		wantError(f.TB, "an unknown key", f.service.Admin().RevokeKey(f.Context(), "unknown"), stepkey.ErrNotFound)
		wantError(f.TB, "RevokeKey", f.service.Admin().RevokeKey(f.Context(), keys[0].ID), nil)
		f.wantStates("after revoking", "current revoked")
		f.wantVerified("signed by the revoked key", f.service, g.AccessToken, false)

		// The session lives: only the token's signature has gone.
		again := f.refresh(g.RefreshToken)
		f.wantVerified("signed by the new key", f.service, again.AccessToken, true)
		f.wantVerified("signed by the new key, at an instance that has not heard of it", other, again.AccessToken, true)
		f.wantVerified("signed by the revoked key, there", other, g.AccessToken, false)
	})
}

func TestEdDSA(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	before := f.logInForRefresh("mira")
	c := f.config()
	c.Algorithm = token.EdDSA
	f.service = f.newService(c)
	f.wantStates("after the setting changed", "next current")
	f.clock.Advance(stepkey.KeyLead)
	f.service = f.newService(c)
	after := f.refresh(before.RefreshToken)
	if !strings.HasPrefix(f.service.PublicKeys().Keys[0].Curve, "Ed25519") {
		t.Errorf("public keys: %+v, want Ed25519 first", f.service.PublicKeys().Keys)
	}
	f.wantVerified("EdDSA", f.service, after.AccessToken, true)
}

func TestChangingTheSharedSecret(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	old := f.config()
	old.SharedSecret = "old " + sharedSecret
	f.service = f.newService(old)
	before := f.logInForRefresh("mira")
	wantError(t, "Keys", second(f.service.Admin().Keys(t.Context())), stepkey.ErrNoKeys)
	wantError(t, "RotateKey", f.service.Admin().RotateKey(t.Context()), stepkey.ErrNoKeys)

	changed := f.config()
	changed.SharedSecret, changed.PreviousSharedSecrets = "new "+sharedSecret, []string{old.SharedSecret}
	f.service = f.newService(changed)
	f.wantVerified("the previous secret's", f.service, before.AccessToken, true)
	after := f.refresh(before.RefreshToken)
	changed.PreviousSharedSecrets = nil
	f.service = f.newService(changed)
	f.wantVerified("the new secret's", f.service, after.AccessToken, true)
	f.wantVerified("the old secret's, once it is left out", f.service, before.AccessToken, false)
}

func TestMovingFromASharedSecretToKeys(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	c := f.config()
	c.SharedSecret = "old " + sharedSecret
	f.service = f.newService(c)
	before := f.logInForRefresh("mira")

	c.Algorithm = token.ES256
	if _, err := stepkey.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), "Config.SharedSecretUntil") {
		t.Errorf("without an end to the overlap: %v", err)
	}
	c.SharedSecretUntil = f.clock.Now().Add(10 * time.Minute)
	f.service = f.newService(c)
	f.wantVerified("the secret's, during the overlap", f.service, before.AccessToken, true)
	after := f.refresh(before.RefreshToken)
	f.clock.Advance(10 * time.Minute)
	f.service = f.newService(c)
	f.wantVerified("the secret's, after it", f.service, before.AccessToken, false)
	f.wantVerified("the key's", f.service, after.AccessToken, true)
}

func TestKeyConfig(t *testing.T) {
	f := newFixture(t)
	for _, test := range []struct {
		what   string
		change func(*stepkey.Config)
	}{
		{"HS256 without a secret", func(c *stepkey.Config) { c.Algorithm = token.HS256 }},
		{"another algorithm", func(c *stepkey.Config) { c.Algorithm = "RS256" }},
		{"too short a life", func(c *stepkey.Config) { c.KeyLifetime = stepkey.KeyLead }},
		{"weak previous secret", func(c *stepkey.Config) {
			c.SharedSecret, c.PreviousSharedSecrets = "new "+sharedSecret, []string{"thel@stFlyD0g"}
		}},
	} {
		c := f.config()
		test.change(&c)
		if _, err := stepkey.New(t.Context(), c); err == nil || errors.Is(err, stepkey.ErrUnavailable) {
			t.Errorf("%s: %v, want it refused", test.what, err)
		}
	}
}

// The private part is nowhere in the database in the clear.
func TestStoredKeysAreSealed(t *testing.T) {
	f := newFixture(t)
	var sealed []byte
	if err := f.sql.QueryRowContext(t.Context(), `SELECT sealed FROM signing_keys`).Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	if _, err := token.ParsePrivateKey(sealed); err == nil || strings.Contains(string(sealed), "PRIVATE") {
		t.Error("the stored key can be read as it is")
	}
	f.exec(`UPDATE signing_keys SET id = 'another'`)
	if _, err := stepkey.New(t.Context(), f.config()); err == nil {
		t.Error("a sealed key was accepted under another name")
	}
}

// storeThatCounts counts how often the keys are asked for, and fails if it is told to.
type storeThatCounts struct {
	stepkey.Store
	asked atomic.Int32
	fault atomic.Bool
}

func (s *storeThatCounts) SigningKeys(ctx context.Context) ([]storage.SealedKey, error) {
	s.asked.Add(1)
	if s.fault.Load() {
		return nil, stepkey.ErrUnavailable
	}
	return s.Store.SigningKeys(ctx)
}

// Tokens with made-up keys cost a query a second and not one each, whether the
// database answers or not.
func TestUnknownKeysAreNotAFlood(t *testing.T) {
	for _, fault := range []bool{false, true} {
		f := newFixture(t)
		f.signUp("mira")
		g := f.logInForRefresh("mira")
		stranger := newFixture(t)
		stranger.signUp("mira")
		forged := stranger.logInForRefresh("mira").AccessToken
		store := &storeThatCounts{Store: f.store}
		c := f.config()
		c.Store = store
		service := f.newService(c)
		store.asked.Store(0)
		store.fault.Store(fault)
		race(64, func(int) error { return second(service.Verifier().Verify(t.Context(), forged)) })
		// One; a machine that takes seconds for this may need a few.
		if n := store.asked.Load(); n < 1 || n > 4 {
			t.Errorf("database fails %v: 64 tokens made %d queries, want 1", fault, n)
		}
		f.wantVerified("a token of a known key", service, g.AccessToken, true)
	}
}
