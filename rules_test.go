package stepkey_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

// ownersCalls are the calls that take a passkey on an account that has one.
func (f *fixture) ownersCalls(other uuid.UUID) map[string]func(stepkey.Caller) error {
	return map[string]func(stepkey.Caller) error{
		"end another session": func(c stepkey.Caller) error { return f.service.EndSession(f.Context(), c, other) },
		"end no session":      func(c stepkey.Caller) error { return f.service.EndSession(f.Context(), c, uuid.New()) },
		"log out others":      func(c stepkey.Caller) error { return second(f.service.LogOutOthers(f.Context(), c)) },
		"log out everywhere":  func(c stepkey.Caller) error { return second(f.service.LogOutEverywhere(f.Context(), c)) },
		"export":              func(c stepkey.Caller) error { return second(f.service.ExportAccount(f.Context(), c)) },
		"cancel a recovery":   func(c stepkey.Caller) error { return f.service.CancelRecovery(f.Context(), c) },
		"disown an event": func(c stepkey.Caller) error {
			return second(f.service.Disown(f.Context(), c, uuid.New(), stepkey.Client{}))
		},
		"read older events": func(c stepkey.Caller) error {
			_, _, err := f.service.Events(f.Context(), c, &stepkey.EventPlace{At: f.clock.Now(), ID: uuid.Max}, 1)
			return err
		},
	}
}

func TestPasswordAloneIsNotTheOwner(t *testing.T) {
	onBoth(t, func(f *fixture) {
		l := newLost(f)
		owner := f.logInForRefresh("mira")
		full := f.stepUp(owner.Caller(), l.device)
		l.begin()
		thief := f.logIn("mira")
		for name, call := range f.ownersCalls(uuid.MustParse(owner.Claims.SessionID)) {
			wantStepUp(f.TB, name+", with the password", call(thief))
		}
		f.clock.Advance(stepkey.FullWindow + time.Second)
		for name, call := range f.ownersCalls(uuid.MustParse(thief.Claims().SessionID)) {
			wantStepUp(f.TB, name+", with a passkey verified a while ago", call(full))
		}
		if n := f.events(storage.EventSessionEnded); n != 0 {
			f.Errorf("%d sessions ended", n)
		}
		if state, err := f.service.Recovery(f.Context(), thief); err != nil || state.Pending == nil {
			f.Errorf("the recovery is gone: %+v, %v", state, err)
		}
		_, _, err := f.service.Events(f.Context(), thief, nil, stepkey.MaxEvents)
		wantError(f.TB, "the newest events", err, nil)
		wantError(f.TB, "its own session", f.service.EndSession(f.Context(), thief, uuid.MustParse(thief.Claims().SessionID)), nil)
		wantError(f.TB, "log out", f.service.LogOut(f.Context(), f.logIn("mira")), nil)
	})
}

// Where no passkey works, the password is all there is, and these calls take no more.
func TestWithoutAPasskeyASessionSuffices(t *testing.T) {
	for _, test := range []struct {
		name    string
		waiting bool
	}{{"no passkey", false}, {"one that waits", true}} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.signUp("mira")
			if test.waiting {
				f.register(f.logIn("mira"), authenticator.New(authenticator.Config{}))
				f.exec(`UPDATE passkeys SET usable_from = $1`, f.clock.Now().Add(time.Hour))
			}
			for name, call := range f.ownersCalls(uuid.New()) {
				want := error(nil)
				if slices.Contains([]string{"end another session", "end no session", "cancel a recovery", "disown an event"}, name) {
					want = stepkey.ErrNotFound
				}
				wantError(t, name, call(f.logIn("mira")), want)
			}
		})
	}
}

// Sign-ins with the password push out each other, and not the session that the owner
// stepped up with a passkey.
func TestSignInsDoNotPushOutASteppedUpSession(t *testing.T) {
	onBoth(t, func(f *fixture) {
		live := func(claims ...stepkey.Caller) {
			f.Helper()
			for i, c := range claims {
				sessions, _, err := f.service.Sessions(f.Context(), c, nil, stepkey.MaxListedSessions)
				if err != nil || len(sessions) != stepkey.MaxSessions {
					f.Errorf("session %d: %d live, %v; want %d", i, len(sessions), err, stepkey.MaxSessions)
				}
			}
		}
		f.signUp("mira")
		owner, device := f.logInForRefresh("mira"), authenticator.New(authenticator.Config{})
		f.register(owner.Caller(), device)
		full := f.stepUp(owner.Caller(), device)
		for range stepkey.MaxSessions {
			f.clock.Advance(time.Second)
			f.addSession("mira", stepkey.RefreshBody)
		}
		f.clock.Advance(time.Second)
		newest := f.logInForRefresh("mira")
		live(full, newest.Caller())

		// Nor does it end at once where all the others were stepped up.
		f.exec(`UPDATE sessions SET full_at = created_at`)
		newest = f.logInForRefresh("mira")
		live(newest.Caller())
	})
}
