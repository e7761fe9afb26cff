package faults_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/token"
)

// activate has the next key sign now and not in a quarter of an hour.
func activate(t testing.TB, dsn string) {
	t.Helper()
	execute(t, dsn, `UPDATE signing_keys SET activates_at = clock_timestamp() WHERE activates_at > clock_timestamp()`)
}

func rotate(t testing.TB, s *server) {
	t.Helper()
	if output, err := s.command("key", "rotate"); err != nil {
		t.Fatalf("key rotate: %v: %s", err, output)
	}
}

func TestF15Rotation(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		15, "Signing keys rotate while two instances serve",
		"key rotate under load; the lead of 15 minutes is cut to nothing in the database, so that one instance signs with a key that the other has not heard of",
		"nobody gets a 401: tokens of old and new keys are good everywhere",
	})
	dsn := pgtest.NewDatabase(t)
	a, b := startTwo(t, dsn)
	c := newClient(t, a, b)
	l := newLedger(r, c)
	l.run()
	onA, onB := newClient(t, a), newClient(t, b)
	rounds := pick(1, 3)
	for range rounds {
		before := l.people[0].password
		old := keyOf(t, before)
		rotate(t, a)
		activate(t, dsn)
		met := map[string]bool{}
		for until := time.Now().Add(2 * patience.Long); len(met) < 2; time.Sleep(100 * time.Millisecond) {
			for name, pair := range map[string][2]*client{"A": {onA, onB}, "B": {onB, onA}} {
				granted := pair[0].insist(func() answer { return pair[0].logIn(l.people[0].name) }).member("accessToken")
				if kid := keyOf(t, granted); kid != old {
					met[name] = true
				}
				want(l, "a token of "+name+" at the other instance", pair[1].profile(granted), http.StatusOK)
				want(l, "a token from before at "+name, pair[0].profile(before), http.StatusOK)
			}
			if time.Now().After(until) {
				t.Fatal("the instances do not change over to the new key")
			}
		}
	}
	text, _, _ := c.tally()
	r.observe("%d rotations: %s (the 401 are for forged tokens)", rounds, text)
	l.settle()
}

func TestF17StaleKeys(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		17, "A service that verifies tokens cannot reach the public keys",
		"a guard.RemoteKeys in the test fetches the keys through a proxy that then passes nothing on; the issuer rotates twice",
		"tokens of the current and of the published next key verify without the issuer; one of a key that was never seen is refused as not known, and verifies once the issuer is reached again",
	})
	dsn := pgtest.NewDatabase(t)
	s := start(t, "DATABASE_URL="+dsn)
	c := newClient(t, s)
	name := newName()
	want(t, "sign-up", c.insist(func() answer { return c.signUp(name) }), http.StatusCreated)
	logIn := func() string {
		return want(t, "login", c.insist(func() answer { return c.logIn(name) }), http.StatusCreated).member("accessToken")
	}
	// A start looks for keys at once.
	rotateNow := func() {
		activate(t, dsn)
		s.stop(t)
		s.start(t)
	}
	p := newProxy(t, "tcp", strings.TrimPrefix(s.url, "http://"))
	client := &http.Client{Timeout: 2 * time.Second}
	keys := guard.NewRemoteKeys("http://"+p.listener.Addr().String()+"/.well-known/jwks.json", client)
	verifier, err := token.NewVerifier(keys, token.Expect{Issuer: s.url, Audience: s.url, CacheSize: -1})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(what, raw string) {
		t.Helper()
		if _, err := verifier.Verify(context.Background(), raw); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	first := logIn()
	rotate(t, s)
	s.stop(t)
	s.start(t)
	verify("with fresh keys", first)
	p.hold()
	verify("the current key", first)
	rotateNow()
	second := logIn()
	if keyOf(t, first) == keyOf(t, second) {
		t.Fatal("the key has not changed")
	}
	verify("the key that had been published", second)
	rotate(t, s)
	rotateNow()
	third := logIn()
	if _, err := verifier.Verify(context.Background(), third); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a key that was never seen: %v", err)
	}
	verify("the first key, two rotations later", first)
	p.heal()
	p.cut()
	healed := time.Now()
	for until := healed.Add(patience.Long); ; time.Sleep(100 * time.Millisecond) {
		if _, err := verifier.Verify(context.Background(), third); err == nil {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the new key is not found")
		}
	}
	r.observe("offline: current and next key verify over 2 rotations; a key never seen is refused, and found %s after the issuer is back", round(time.Since(healed)))
}
