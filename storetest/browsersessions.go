package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// behind is the origin of an application behind the gate.
const behind = "https://app.example.com"

// codeFor makes the code of a browser session, good for a minute after the epoch.
func codeFor(session storage.Session, name string) storage.BrowserCode {
	return storage.BrowserCode{
		Digest: storage.DigestBrowser("code " + name), Nonce: storage.DigestBrowser("nonce " + name),
		SessionID: session.ID, Origin: behind, ExpiresAt: epoch.Add(time.Minute),
	}
}

// startOf uses a code as it should be, for the cookie with that name.
func startOf(c storage.BrowserCode, name string) storage.BrowserStart {
	return storage.BrowserStart{Code: c.Digest, Nonce: c.Nonce, Cookie: storage.DigestBrowser("cookie " + name), Origin: c.Origin, At: epoch}
}

// visitAt is a visit at a time, by the limits of the service.
func visitAt(name string, at time.Time) storage.BrowserVisit {
	return storage.BrowserVisit{
		Cookie: storage.DigestBrowser("cookie " + name), Origin: behind, At: at,
		IdleSince: at.Add(-sessionIdle), NoStepUpSince: at.Add(-noStepUpLifetime),
		FullSince: at.Add(-fullLifetime), FullIdleSince: at.Add(-fullIdle),
	}
}

// browse starts a browser session whose code, nonce and cookie have that name.
func browse(t *testing.T, s storage.Store, session storage.Session, name string) {
	t.Helper()
	c := codeFor(session, name)
	if err := s.PutBrowserCode(t.Context(), c, epoch); err != nil {
		t.Fatal(err)
	}
	if err := s.StartBrowserSession(t.Context(), startOf(c, name)); err != nil {
		t.Fatal(err)
	}
}

func browserSessions(t *testing.T, s storage.Store) {
	a := withRefresh(t, s, "mira", 1)
	browse(t, s, a.Session, "one")
	seen := epoch.Add(time.Second)
	want := storage.BrowserSession{Session: a.Session, Username: "mira"}
	want.Session.LastSeenAt = seen
	got, err := s.VisitBrowserSession(t.Context(), visitAt("one", seen))
	if diff := cmp.Diff(want, got, sameAddr()); err != nil || diff != "" {
		t.Errorf("VisitBrowserSession: %v, -want +got:\n%s", err, diff)
	}
	wantSession(t, s, "after the visit", want.Session)

	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.SetEmail(ctx, a.User.ID, "Mira@example.com", epoch)
		return err
	})
	if got, err = s.VisitBrowserSession(t.Context(), visitAt("one", seen)); err != nil || got.Address != "Mira@example.com" {
		t.Errorf("with an address: %q, %v", got.Address, err)
	}

	// Another one at the same origin takes its place, a third one at another origin does not.
	browse(t, s, a.Session, "two")
	other := codeFor(a.Session, "three")
	other.Origin = "https://shop.example.net"
	if err := errors.Join(s.PutBrowserCode(t.Context(), other, epoch), s.StartBrowserSession(t.Context(), startOf(other, "three"))); err != nil {
		t.Fatal(err)
	}
	elsewhere := visitAt("three", seen)
	elsewhere.Origin = other.Origin
	for _, test := range []struct {
		name  string
		visit storage.BrowserVisit
		want  error
	}{
		{"replaced", visitAt("one", seen), storage.ErrNotFound},
		{"its replacement", visitAt("two", seen), nil},
		{"at another origin", elsewhere, nil},
		{"a cookie of another origin", visitAt("three", seen), storage.ErrNotFound},
		{"no cookie", visitAt("none", seen), storage.ErrNotFound},
		{"idle", visitAt("two", seen.Add(sessionIdle)), storage.ErrNotFound},
		{"no passkey was verified in time", visitAt("two", epoch.Add(noStepUpLifetime)), storage.ErrNotFound},
	} {
		if _, err := s.VisitBrowserSession(t.Context(), test.visit); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}

	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.EndSessions(ctx, storage.EndSessions{UserID: a.User.ID, Only: a.Session.ID, At: seen, Reason: storage.EndedByLogout})
		return err
	})
	for _, v := range []storage.BrowserVisit{visitAt("two", seen), elsewhere} {
		if _, err := s.VisitBrowserSession(t.Context(), v); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("after the end of the session: %v", err)
		}
	}
	if err := s.PutBrowserCode(t.Context(), codeFor(a.Session, "late"), seen); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a code for a session that has ended: %v", err)
	}
}

func noBrowserSession(t *testing.T, s storage.Store) {
	a := withRefresh(t, s, "mira", 0)
	for i, test := range []struct {
		name   string
		change func(*storage.BrowserStart)
	}{
		{"another code", func(b *storage.BrowserStart) { b.Code[0]++ }},
		{"another nonce", func(b *storage.BrowserStart) { b.Nonce[0]++ }},
		{"another origin", func(b *storage.BrowserStart) { b.Origin = "https://shop.example.net" }},
		{"expired", func(b *storage.BrowserStart) { b.At = epoch.Add(time.Minute) }},
		{"a session that has expired", func(b *storage.BrowserStart) { b.At = a.Session.ExpiresAt }},
	} {
		name := fmt.Sprint(i)
		c := codeFor(a.Session, name)
		if test.name == "a session that has expired" {
			c.ExpiresAt = a.Session.ExpiresAt.Add(time.Hour)
		}
		if err := s.PutBrowserCode(t.Context(), c, epoch); err != nil {
			t.Fatal(err)
		}
		start := startOf(c, name)
		test.change(&start)
		if err := s.StartBrowserSession(t.Context(), start); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", test.name, err)
		}
		if _, err := s.VisitBrowserSession(t.Context(), visitAt(name, epoch)); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: the cookie: %v, want ErrNotFound", test.name, err)
		}
		// A code is no cookie.
		v := visitAt(name, epoch)
		v.Cookie = c.Digest
		if _, err := s.VisitBrowserSession(t.Context(), v); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: the code as a cookie: %v, want ErrNotFound", test.name, err)
		}
		if err := s.StartBrowserSession(t.Context(), startOf(c, name)); err != nil {
			t.Errorf("%s: the code no longer works: %v", test.name, err)
		}
	}
	if err := s.PutBrowserCode(t.Context(), codeFor(storage.Session{ID: uuid.New()}, "nobody"), epoch); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a code for no session: %v", err)
	}
}

// visitLowers holds visits to the rules of rotationFallsBack.
func visitLowers(t *testing.T, s storage.Store) {
	const tick = time.Microsecond
	for i, test := range []struct {
		name   string
		visits []time.Duration // after the passkey was verified
		stays  bool
	}{
		{"soon", []time.Duration{time.Minute}, true},
		{"just before it is idle", []time.Duration{fullIdle - tick}, true},
		{"idle", []time.Duration{fullIdle}, false},
		{"idle, and again at once", []time.Duration{fullIdle, fullIdle + tick}, false},
		{"active to its end", every(30*time.Minute, fullLifetime-tick), true},
		{"active beyond its end", every(30*time.Minute, fullLifetime), false},
	} {
		name := fmt.Sprintf("user%d", i)
		a := withRefresh(t, s, name, 1)
		fullAt := epoch.Add(time.Minute)
		a.Session = elevate(t, s, a.Session, a.Passkeys[0], fullAt)
		browse(t, s, a.Session, name)
		var b storage.BrowserSession
		for _, after := range test.visits {
			var err error
			if b, err = s.VisitBrowserSession(t.Context(), visitAt(name, fullAt.Add(after))); err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
		}
		want := a.Session
		want.LastSeenAt = fullAt.Add(test.visits[len(test.visits)-1])
		if !test.stays {
			want.FullPasskeyID = nil
		}
		if diff := cmp.Diff(want, b.Session, sameAddr()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", test.name, diff)
		}
		wantSession(t, s, test.name, want)
	}
}

func oneStartsTheBrowserSession(t *testing.T, s storage.Store) {
	a := withRefresh(t, s, "mira", 0)
	c := codeFor(a.Session, "one")
	if err := s.PutBrowserCode(t.Context(), c, epoch); err != nil {
		t.Fatal(err)
	}
	won := race(32, func(i int) bool {
		err := s.StartBrowserSession(t.Context(), startOf(c, fmt.Sprint(i)))
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("StartBrowserSession: %v", err)
		}
		return err == nil
	})
	if won != 1 {
		t.Errorf("%d started a browser session, want 1", won)
	}
}
