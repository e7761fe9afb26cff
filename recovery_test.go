package stepkey_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// lost is somebody with a confirmed address, a passkey and recovery codes.
type lost struct {
	*fixture
	box    *mailbox
	device *authenticator.Authenticator
	codes  []string
}

const miras = "mira@example.com"

func newLost(f *fixture) lost {
	f.Helper()
	l := lost{fixture: f, box: f.withMail(), device: authenticator.New(authenticator.Config{})}
	p := f.withEmail(l.box, "mira", miras)
	f.register(p.claims, l.device)
	l.codes = f.newCodes(f.stepUp(f.logIn("mira"), l.device))
	f.received(l.box)
	return l
}

func (l lost) ask(c stepkey.Caller) (stepkey.PendingRecovery, bool, error) {
	return l.service.RecoverByMail(l.Context(), c, l.stranger())
}

// begin begins a recovery by mail and takes the first notice.
func (l lost) begin() (notice stepkey.Mail) {
	l.Helper()
	want := stepkey.PendingRecovery{StartedAt: l.clock.Now(), ReadyAt: l.clock.Now().Add(stepkey.RecoveryWait)}
	p, sent, err := l.ask(l.logIn("mira"))
	if err != nil || sent || !p.ReadyAt.Equal(want.ReadyAt) || !p.StartedAt.Equal(want.StartedAt) {
		l.Fatalf("%+v, sent %v, %v; want %+v", p, sent, err, want)
	}
	return l.one(l.box, miras, "Someone is recovering your account")
}

// link lets the wait pass and asks for the link.
func (l lost) link() string {
	l.Helper()
	l.clock.Advance(stepkey.RecoveryWait)
	l.received(l.box)
	if _, sent, err := l.ask(l.logIn("mira")); err != nil || !sent {
		l.Fatalf("after the wait: sent %v, %v", sent, err)
	}
	return l.mailedLink()
}

func (l lost) mailedLink() string {
	l.Helper()
	return l.tokenIn(l.one(l.box, miras, "Get back into your account"), stepkey.PathRecover)
}

func (l lost) finish(c stepkey.Caller, link string) (stepkey.Grant, error) {
	return l.service.FinishRecovery(l.Context(), c, link, l.stranger())
}

func TestRecoveryByMail(t *testing.T) {
	onBoth(t, func(f *fixture) {
		l := newLost(f)
		l.begin()
		for _, due := range []struct {
			after   time.Duration
			subject string
		}{
			{24 * time.Hour, "Someone is recovering your account"},
			{24 * time.Hour, "Someone is recovering your account"},
			{24*time.Hour - time.Second, ""},
			{time.Second, "You can get back into your account"},
		} {
			if due.subject == "" {
				f.clock.Advance(due.after)
				f.noMail(l.box, "before the end of the wait")
				p, sent, err := l.ask(f.logIn("mira"))
				if err != nil || sent || p.ReadyAt.Sub(f.clock.Now()) != time.Second {
					f.Errorf("asked again before the end: %+v, sent %v, %v", p, sent, err)
				}
				f.noMail(l.box, "asked again before the end of the wait")
				continue
			}
			f.clock.Advance(due.after - time.Second)
			f.noMail(l.box, "too early")
			f.clock.Advance(time.Second)
			f.one(l.box, miras, due.subject)
		}
		before := f.logIn("mira")
		if _, sent, err := l.ask(before); err != nil || !sent {
			f.Fatalf("sent %v, %v", sent, err)
		}
		link := l.mailedLink()
		f.signUp("noor")
		wantError(f.TB, "another user's", second(l.finish(f.logIn("noor"), link)), stepkey.ErrLinkExpired)
		g, err := l.finish(before, link)
		if err != nil {
			f.Fatal(err)
		}
		if g.Claims.Level != token.LevelRecovery || g.RefreshToken != "" {
			f.Errorf("%+v", g)
		}
		f.one(l.box, miras, "Your account was recovered")
		wantError(f.TB, "the session of before", f.noSessions(before), stepkey.ErrUnauthorized)
		f.wantNothingButEnrolment(g)
		wantError(f.TB, "again", second(l.finish(f.logIn("mira"), link)), stepkey.ErrLinkExpired)
		f.wantWaits(g.Caller())
		if n := f.events(storage.EventRecoveryCancelled); n != 0 {
			f.Errorf("%d events say that it was cancelled; it was finished", n)
		}
	})
}

// Whatever the owner does puts a stop to it, and so does another way back: no link works
// any more, no further notice comes, and who wants to go on begins anew.
func TestRecoveryByMailIsStopped(t *testing.T) {
	stops := map[string]func(l lost, notice stepkey.Mail) error{
		"by the owner, whose passkeys are gone": func(l lost, _ stepkey.Mail) error {
			l.exec(`DELETE FROM passkeys`)
			return l.service.CancelRecovery(l.Context(), l.logIn("mira"))
		},
		"by the link of the notice": func(l lost, notice stepkey.Mail) error {
			err := l.service.Freeze(l.Context(), l.tokenIn(notice, stepkey.PathNotMe), l.stranger())
			l.exec(`UPDATE users SET password_stopped = FALSE`) // which is another test's subject
			return err
		},
		"by a passkey": func(l lost, _ stepkey.Mail) error {
			l.stepUp(l.logIn("mira"), l.device)
			return nil
		},
		"by a sign-in with a passkey alone": func(l lost, _ stepkey.Mail) error {
			l.passkeyLogIn(l.device)
			return nil
		},
		"by consent with a passkey": func(l lost, _ stepkey.Mail) error {
			l.confirm(l.logIn("mira"), l.device, &token.Action{Name: "payout.create"})
			return nil
		},
		"by a recovery code": func(l lost, _ stepkey.Mail) error {
			return second(l.useCode(l.logIn("mira"), l.codes[0]))
		},
		"by an operator's link": func(l lost, _ stepkey.Mail) error {
			link := l.operatorsLink(time.Hour)
			l.one(l.box, miras, "Someone made a way back into your account")
			return second(l.service.RecoverByLink(l.Context(), link, l.stranger()))
		},
	}
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			l := newLost(newFixture(t))
			notice := l.begin()
			link := l.link()
			if err := stop(l, notice); err != nil {
				t.Fatal(err)
			}
			wantError(t, "the link", second(l.finish(l.logIn("mira"), link)), stepkey.ErrLinkExpired)
			if n := l.events(storage.EventRecoveryCancelled); n != 1 {
				t.Errorf("%d events, want 1", n)
			}
			l.received(l.box)
			l.begin()
		})
		t.Run(name+", on the first day", func(t *testing.T) {
			l := newLost(newFixture(t))
			if err := stop(l, l.begin()); err != nil {
				t.Fatal(err)
			}
			if len(l.received(l.box)) != 1 {
				t.Error("want one mail that says so")
			}
			l.clock.Advance(stepkey.RecoveryWait)
			l.noMail(l.box, "three days later")
		})
	}
}

func TestRecoveryByMailNeeds(t *testing.T) {
	l := newLost(newFixture(t))
	stale := l.logIn("mira")
	l.clock.Advance(stepkey.FirstPasskeyWindow + time.Second)
	_, _, err := l.ask(stale)
	wantError(t, "a fresh password", err, stepkey.ErrReauthenticationRequired)
	l.signUp("noor")
	_, _, err = l.ask(l.logIn("noor"))
	wantError(t, "an address", err, stepkey.ErrNoAddress)
	wantError(t, "something to stop", l.service.CancelRecovery(t.Context(), l.stepUp(l.logIn("mira"), l.device)), stepkey.ErrNotFound)

	l.begin()
	link := l.link()
	stale = l.logIn("mira")
	l.clock.Advance(stepkey.LinkLifetime - time.Second)
	if _, err := l.finish(l.logIn("mira"), "no "+link); !errors.Is(err, stepkey.ErrLinkExpired) {
		t.Errorf("a link that is none: %v", err)
	}
	l.clock.Advance(time.Second)
	wantError(t, "a link of ten minutes ago", second(l.finish(l.logIn("mira"), link)), stepkey.ErrLinkExpired)
	if _, sent, err := l.ask(l.logIn("mira")); err != nil || !sent {
		t.Fatalf("another link: %v, %v", sent, err)
	}
	link = l.mailedLink()
	l.clock.Advance(time.Second)
	wantError(t, "a fresh password at the end", second(l.finish(stale, link)), stepkey.ErrReauthenticationRequired)
	l.clock.Advance(stepkey.RecoveryReadyFor)
	p, sent, err := l.ask(l.logIn("mira"))
	if err != nil || sent || !p.StartedAt.Equal(l.clock.Now()) {
		t.Errorf("a week later: %+v, sent %v, %v; want a new beginning", p, sent, err)
	}
}

// A password that the mailbox gave proves the mailbox a second time. Nothing but mailbox
// and wait must not lead to a passkey.
func TestPasswordByMailIsNoSecondProof(t *testing.T) {
	onBoth(t, func(f *fixture) {
		l := newLost(f)
		l.begin()
		if err := f.reset(f.resetLink(l.box, "mira", miras), another); err != nil {
			f.Fatal(err)
		}
		f.received(l.box)
		logIn := func() stepkey.Caller {
			g, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: another})
			if err != nil {
				f.Fatal(err)
			}
			return g.Caller()
		}
		_, _, err := l.ask(logIn())
		wantError(f.TB, "mailbox and mailbox; and what was begun before is gone", err, stepkey.ErrPasswordByMail)

		asking := logIn()
		g, pending, err := f.service.UseRecoveryCode(f.Context(), asking, l.codes[0], stepkey.Client{})
		if err != nil || g.AccessToken != "" || pending == nil || !pending.ReadyAt.Equal(f.clock.Now().Add(stepkey.RecoveryWait)) {
			f.Fatalf("a code: %+v, %+v, %v; want a wait", g.Claims, pending, err)
		}
		f.wantLeft("the code is used up", asking, stepkey.RecoveryCodes-1)
		f.one(l.box, miras, "Someone is recovering your account")
		f.clock.Advance(stepkey.RecoveryWait)
		f.received(l.box)
		claims := logIn()
		if _, sent, err := l.ask(claims); err != nil || !sent {
			f.Fatalf("sent %v, %v", sent, err)
		}
		if g, err = l.finish(claims, l.mailedLink()); err != nil || g.Claims.Level != token.LevelRecovery {
			f.Fatalf("%+v, %v", g.Claims, err)
		}

		f.stepUp(logIn(), l.device)
		f.received(l.box)
		f.clock.Advance(time.Hour)
		if _, _, err := l.ask(logIn()); err != nil {
			f.Errorf("after a passkey has shown that the password is the owner's: %v", err)
		}
	})
}

// A sign-in with a passkey alone says nothing of a password that the mailbox gave. One
// that its owner then sets is another matter.
func TestChangedPasswordIsASecondProof(t *testing.T) {
	f := newFixture(t)
	l := newLost(f)
	if err := f.reset(f.resetLink(l.box, "mira", miras), another); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Hour)
	full := f.passkeyLogIn(l.device).Caller()
	g, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: another})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = l.ask(g.Caller())
	wantError(t, "after a passkey alone", err, stepkey.ErrPasswordByMail)
	if _, err := f.service.ChangePassword(t.Context(), full, stepkey.ChangePasswordRequest{New: password}); err != nil {
		t.Fatal(err)
	}
	f.received(l.box)
	f.clock.Advance(time.Hour)
	l.begin()
}

// The owner, told of it, takes away the passkey that somebody gained.
func TestVeto(t *testing.T) {
	onBoth(t, func(f *fixture) {
		l := newLost(f)
		thief := f.recovered(f.logIn("mira"), l.codes[0])
		gained := authenticator.New(authenticator.Config{})
		f.register(thief, gained)
		mails := f.received(l.box)
		if len(mails) != 2 || !strings.Contains(mails[0].Subject, "A passkey was added") {
			f.Fatalf("%d mails: %+v", len(mails), mails)
		}
		for _, m := range mails {
			if err := f.service.Freeze(f.Context(), f.tokenIn(m, stepkey.PathNotMe), f.stranger()); err != nil {
				f.Fatal(err)
			}
		}
		wantError(f.TB, "the thief's session", second(f.service.BeginRegistration(f.Context(), thief)), stepkey.ErrUnauthorized)
		f.clock.Advance(stepkey.RecoveryCoolOff)
		owner := f.passkeyLogIn(l.device).Caller()
		options, err := f.service.BeginStepUp(f.Context(), owner, nil)
		if err != nil || len(options.AllowCredentials) != 1 {
			f.Errorf("%d passkeys left, %v; want the owner's", len(options.AllowCredentials), err)
		}
		f.wantLeft("the codes of the set that was seen", owner, 0)
		if n := f.events(storage.EventPasskeyRemoved); n != 1 {
			f.Errorf("%d events, want 1", n)
		}
	})
}

// operatorsLink is the token of a link that an operator made for mira.
func (f *fixture) operatorsLink(lifetime time.Duration) string {
	f.Helper()
	u, err := f.store.UserByName(f.Context(), "mira")
	if err != nil {
		f.Fatal(err)
	}
	link, err := f.service.Admin().MakeRecoveryLink(f.Context(), u.ID, lifetime)
	if err != nil {
		f.Fatal(err)
	}
	linkToken, ok := strings.CutPrefix(link, origin+stepkey.PathRecoverByLink+"#")
	if !ok {
		f.Fatalf("the link is %s", link)
	}
	return linkToken
}

func TestRecoveryByAnOperatorsLink(t *testing.T) {
	onBoth(t, func(f *fixture) {
		l := newLost(f)
		before := f.logIn("mira")
		replaced := f.operatorsLink(time.Hour)
		f.one(l.box, miras, "Someone made a way back into your account")
		link := f.operatorsLink(time.Hour)
		f.received(l.box)
		follow := func(link string) (stepkey.Grant, error) {
			return f.service.RecoverByLink(f.Context(), link, f.stranger())
		}
		wantError(f.TB, "replaced", second(follow(replaced)), stepkey.ErrLinkExpired)
		g, err := follow(link)
		if err != nil || g.Claims.Level != token.LevelRecovery || g.Claims.Methods[0] != "otp" || len(g.Claims.Methods) != 1 {
			f.Fatalf("%+v, %v", g.Claims, err)
		}
		f.one(l.box, miras, "Your account was recovered")
		wantError(f.TB, "the session of before", f.noSessions(before), stepkey.ErrUnauthorized)
		f.wantNothingButEnrolment(g)
		wantError(f.TB, "again", second(follow(link)), stepkey.ErrLinkExpired)
		f.wantWaits(g.Caller())
	})
}

func TestOperatorsLinkThatIsVoid(t *testing.T) {
	voids := map[string]func(l lost){
		"too old": func(l lost) { l.clock.Advance(time.Hour) },
		"a new password, set with a passkey": func(l lost) {
			full := l.stepUp(l.logIn("mira"), l.device)
			if _, err := l.service.ChangePassword(l.Context(), full, stepkey.ChangePasswordRequest{New: another}); err != nil {
				l.Fatal(err)
			}
		},
		"disabled": func(l lost) { l.exec(`UPDATE users SET disabled_at = created_at`) },
	}
	for name, void := range voids {
		t.Run(name, func(t *testing.T) {
			l := newLost(newFixture(t))
			link := l.operatorsLink(time.Hour)
			void(l)
			wantError(t, name, second(l.service.RecoverByLink(t.Context(), link, l.stranger())), stepkey.ErrLinkExpired)
		})
	}
	f := newFixture(t)
	f.signUp("mira")
	u, err := f.store.UserByName(t.Context(), "mira")
	if err != nil {
		t.Fatal(err)
	}
	for _, lifetime := range []time.Duration{0, -time.Hour, stepkey.MaxRecoveryLinkLifetime + 1} {
		wantError(t, lifetime.String(), second(f.service.Admin().MakeRecoveryLink(t.Context(), u.ID, lifetime)), stepkey.ErrInvalidRequest)
	}
	if err := f.service.Admin().DisableUser(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	wantError(t, "a disabled user", second(f.service.Admin().MakeRecoveryLink(t.Context(), u.ID, time.Hour)), stepkey.ErrNotFound)
}
