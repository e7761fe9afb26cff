package stepkey_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey"
)

const stolen = "seven stolen sardines"

// breachList knows some passwords, and remembers which it was asked for.
type breachList struct {
	known []string
	fault error  // instead of an answer
	ask   func() // called while an answer is waited for

	asked []string
}

func (b *breachList) Breached(_ context.Context, password string) (bool, error) {
	if b.ask != nil {
		b.ask()
	}
	b.asked = append(b.asked, password)
	return slices.Contains(b.known, password), b.fault
}

// withBreaches is the fixture with a service that sends mail and asks b.
func (f *fixture) withBreaches(b stepkey.Breaches, log *slog.Logger) *mailbox {
	f.Helper()
	box := &mailbox{}
	c := f.config()
	c.Mailer, c.Breaches, c.Log = box, b, log
	f.service = f.newService(c)
	return box
}

func TestBreachedPasswordIsNotSet(t *testing.T) {
	onBoth(t, func(f *fixture) {
		// While an answer is waited for the store is free: there is no transaction.
		b := &breachList{known: []string{stolen}, ask: func() {
			if err := f.service.Admin().UnlockUser(f.Context(), stepkey.User{CanonicalName: "nobody"}); err != nil {
				f.Error(err)
			}
		}}
		box := f.withBreaches(b, nil)
		wantError(f.TB, "sign-up", second(f.service.SignUp(f.Context(), f.signUpOf("mira", stolen))), stepkey.ErrPasswordBreached)
		wantError(f.TB, "sign-up with a spelling of it", second(f.service.SignUp(f.Context(),
			f.signUpOf("mira", strings.Replace(stolen, "s", "ｓ", 1)))), stepkey.ErrPasswordBreached)
		p := f.withEmail(box, "mira", "mira@example.com")
		wantError(f.TB, "change", second(f.changePassword(p.claims, password, stolen)), stepkey.ErrPasswordBreached)
		link := f.resetLink(box, "mira", "mira@example.com")
		wantError(f.TB, "reset", f.reset(link, stolen), stepkey.ErrPasswordBreached)
		if diff := cmp.Diff([]string{stolen, stolen, password, stolen, stolen}, b.asked); diff != "" {
			f.Errorf("asked for (-want +got):\n%s", diff)
		}

		// A refusal does not use up the link.
		if err := f.reset(link, another); err != nil {
			f.Errorf("the link after a refusal: %v", err)
		}
		if _, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: another}); err != nil {
			f.Error(err)
		}
	})
}

// A password is not looked up at login, nor when the policy refuses it anyway, nor for a caller who may
// not set one.
func TestBreachesAreNotAskedInVain(t *testing.T) {
	f := newFixture(t)
	b := &breachList{}
	box := f.withBreaches(b, nil)
	p := f.withEmail(box, "mira", "mira@example.com")
	link := f.resetLink(box, "mira", "mira@example.com")
	b.asked, b.known = nil, []string{password, "passwordpassword1"}

	f.logIn("mira")
	wantError(t, "login with a wrong one", f.tryLogIn("mira", wrong), stepkey.ErrInvalidCredentials)
	for _, test := range []struct {
		what    string
		refused error
	}{
		{"common at sign-up", second(f.service.SignUp(f.Context(), f.signUpOf("noor", "passwordpassword1")))},
		{"name taken", second(f.service.SignUp(f.Context(), f.signUpOf("mira", password)))},
		{"common at change", second(f.changePassword(p.claims, password, "passwordpassword1"))},
		{"wrong current", second(f.changePassword(p.claims, wrong, password))},
		{"common at reset", f.reset(link, "passwordpassword1")},
		{"reset without a link", f.reset("no link", password)},
	} {
		if test.refused == nil || errors.Is(test.refused, stepkey.ErrPasswordBreached) {
			t.Errorf("%s: %v, want another refusal", test.what, test.refused)
		}
	}
	try := f.signUpOf("noor", stolen)
	b.known = append(b.known, stolen)
	var limited *stepkey.RateLimitedError
	for n := 0; !errors.As(second(f.service.SignUp(f.Context(), try)), &limited); n++ {
		if n == 100 {
			t.Fatal("one address makes us ask without end")
		}
	}
	if slices.Contains(b.asked, password) || slices.Contains(b.asked, "passwordpassword1") || len(b.asked) > 5 {
		t.Errorf("asked for %q", b.asked)
	}
}

// Availability first: without an answer the password is taken, and the log says so
// without saying which.
func TestBreachesThatDoNotAnswer(t *testing.T) {
	f := newFixture(t)
	var log bytes.Buffer
	b := &breachList{fault: errors.New("the service is away")}
	box := f.withBreaches(b, slog.New(slog.NewTextHandler(&log, nil)))
	p := f.withEmail(box, "mira", "mira@example.com")
	link := f.resetLink(box, "mira", "mira@example.com")
	if err := f.reset(link, stolen); err != nil {
		t.Errorf("reset: %v", err)
	}
	g, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: stolen})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.changePassword(g.Caller(), stolen, another); err != nil {
		t.Errorf("change: %v", err)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 3 || !strings.Contains(log.String(), "the service is away") {
		t.Errorf("%d warnings, want 3:\n%s", n, log.String())
	}
	for _, secret := range []string{password, stolen, another, p.claims.Claims().Username} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, log.String())
		}
	}
}

// slowBreaches answers when it is released.
type slowBreaches struct {
	arrived chan error
	release chan struct{}
}

func (b *slowBreaches) Breached(context.Context, string) (bool, error) {
	b.arrived <- nil
	<-b.release
	return false, nil
}

// However many wait for an answer, nobody who signs in waits with them.
func TestWaitingForBreachesHoldsNobodyUp(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	c := f.config()
	b := &slowBreaches{arrived: make(chan error), release: make(chan struct{})}
	c.Breaches, c.HashSlots = b, 1
	f.service = f.newService(c)
	const many = 100
	done := make(chan error, many)
	for i := range many {
		try := f.signUpOf(fmt.Sprintf("user%d", i), password)
		go func() { done <- second(f.service.SignUp(f.Context(), try)) }()
		select {
		case <-b.arrived:
		case err := <-done:
			t.Fatalf("a sign-up ended while the others wait: %v", err)
		}
	}
	if err := f.tryLogIn("mira", password); err != nil {
		t.Errorf("login meanwhile: %v", err)
	}
	close(b.release)
	for range many {
		var overloaded *stepkey.OverloadedError
		if err := <-done; err != nil && !errors.As(err, &overloaded) {
			t.Error(err)
		}
	}
}
