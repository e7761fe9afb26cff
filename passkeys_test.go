package stepkey_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

func (f *fixture) passkeys(c stepkey.Caller) stepkey.PasskeyList {
	f.Helper()
	list, err := f.service.Passkeys(f.Context(), c)
	if err != nil {
		f.Fatal(err)
	}
	return list
}

func TestPasskeyList(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, device := f.enrolled("Mira", authenticator.Config{})
		list := f.passkeys(claims)
		if len(list.Passkeys) != 1 || list.Passkeys[0].LastUsedAt == nil { // a first one is verified as it is added
			f.Errorf("%+v", list)
		}
		// The names by which a provider drops passkeys are not for callers with the password alone.
		if n := list.Names; n.RPID != "" || n.UserHandle != nil || n.Username != "" {
			f.Errorf("at level password: %+v", n)
		}
		full := f.stepUp(claims, device)
		list = f.passkeys(full)
		if n := list.Names; n.RPID != "app.example.com" || len(n.UserHandle) == 0 || n.Username != "Mira" {
			f.Errorf("at level full: %+v", n)
		}
		if used := list.Passkeys[0].LastUsedAt; used == nil || !used.Equal(f.clock.Now()) {
			f.Errorf("last used at %v", used)
		}
		if n := f.passkeys(claims).Names; n.RPID != "" {
			f.Errorf("by the token from before the step-up: %+v", n)
		}
	})
}

// Renaming and deleting take the same proof, and are for one's own passkeys.
func TestChangingPasskeysNeedsAFreshFullLevelAndOwnership(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, device := f.enrolled("mira", authenticator.Config{})
		noor, _ := f.enrolled("noor", authenticator.Config{})
		own, foreign := f.passkeys(claims).Passkeys[0].ID, f.passkeys(noor).Passkeys[0].ID
		changes := map[string]func(c stepkey.Caller, id uuid.UUID) error{
			"rename": func(c stepkey.Caller, id uuid.UUID) error {
				_, _, err := f.service.RenamePasskey(f.Context(), c, id, "Laptop")
				return err
			},
			"delete": func(c stepkey.Caller, id uuid.UUID) error {
				return second(f.service.DeletePasskey(f.Context(), c, id, true))
			},
		}
		full := f.stepUp(claims, device)
		for what, change := range changes {
			wantStepUp(f.TB, what+" with the token from before", change(claims, own))
			wantStepUp(f.TB, what+" of somebody else's, by a password", change(claims, foreign))
			wantError(f.TB, what+" of somebody else's", change(full, foreign), stepkey.ErrNotFound)
			wantError(f.TB, what+" of nobody's", change(full, uuid.New()), stepkey.ErrNotFound)
		}
		f.clock.Advance(stepkey.FullWindow + time.Microsecond)
		for what, change := range changes {
			wantStepUp(f.TB, what+" too late", change(full, own))
		}
		if got := f.passkeys(noor).Passkeys[0]; got.ID != foreign || got.Name != "Passkey" {
			f.Errorf("somebody else's: %+v", got)
		}
		full = f.stepUp(claims, device)
		wantError(f.TB, "rename", changes["rename"](full, own), nil)
		wantError(f.TB, "delete", changes["delete"](full, own), nil)
		if f.events(storage.EventPasskeyRenamed) != 1 || f.events(storage.EventPasskeyRemoved) != 1 {
			f.Error("the changes were not recorded")
		}
	})
}

func TestRenamedPasskey(t *testing.T) {
	f := newFixture(t)
	claims, device := f.enrolled("mira", authenticator.Config{})
	full := f.stepUp(claims, device)
	id := f.passkeys(full).Passkeys[0].ID
	for _, name := range []string{"", " \u200b ", "\xff", strings.Repeat("ж", 65)} {
		_, _, err := f.service.RenamePasskey(t.Context(), full, id, name)
		wantError(t, "name "+name, err, stepkey.ErrInvalidRequest)
	}
	got, names, err := f.service.RenamePasskey(t.Context(), full, id, " Mira’s\u202e laptop ")
	if err != nil || got.Name != "Mira’s laptop" || names.Username != "mira" {
		t.Errorf("%+v, %+v, %v", got, names, err)
	}
	if got := f.passkeys(full).Passkeys[0].Name; got != "Mira’s laptop" {
		t.Errorf("stored as %q", got)
	}
}

func TestLastPasskeyGoesOnlyByItsOwnWord(t *testing.T) {
	f := newFixture(t)
	claims, first := f.enrolled("mira", authenticator.Config{})
	full := f.stepUp(claims, first)
	another := f.register(full, device())
	left, err := f.service.DeletePasskey(t.Context(), full, another.ID, false)
	if err != nil || len(left.Passkeys) != 1 || left.Names.RPID == "" {
		t.Fatalf("one of two: %+v, %v", left, err)
	}
	last := left.Passkeys[0].ID
	wantError(t, "the last", second(f.service.DeletePasskey(t.Context(), full, last, false)), stepkey.ErrLastPasskey)
	if n := len(f.passkeys(full).Passkeys); n != 1 {
		t.Fatalf("%d passkeys after the refusal", n)
	}
	left, err = f.service.DeletePasskey(t.Context(), full, last, true)
	if err != nil || len(left.Passkeys) != 0 || left.Names.RPID == "" {
		t.Errorf("the last, in so many words: %+v, %v", left, err)
	}
	// With no passkey the rule for the first one holds again.
	f.register(full, device())
}

// Which one is the last is decided under the lock: of deletions at once, each of one
// of the two that there are, none takes the last without its word.
func TestOf16DeletionsOfTwoPasskeysOneWins(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, first := f.enrolled("mira", authenticator.Config{})
		full := f.stepUp(claims, first)
		ids := []uuid.UUID{f.passkeys(full).Passkeys[0].ID, f.register(full, device()).ID}
		won := 0
		for _, err := range race(16, func(i int) error {
			return second(f.service.DeletePasskey(f.Context(), full, ids[i%2], false))
		}) {
			if err == nil {
				won++
			}
		}
		if n := len(f.passkeys(full).Passkeys); won != 1 || n != 1 {
			f.Errorf("%d of 16 deletions succeeded and %d passkeys are left, want 1 and 1", won, n)
		}
	})
}

// A session stepped up with the deleted passkey is not full any more, wherever it is asked.
func TestDeletedPasskeyRaisesNothingAnyMore(t *testing.T) {
	onBoth(t, func(f *fixture) {
		here, gone := f.logInEnrolled("mira")
		kept := authenticator.New(authenticator.Config{})
		full := f.stepUpGrant(here.Caller(), gone)
		f.register(full.Caller(), kept)

		there := f.stepUpGrant(f.logInForRefresh("mira").Caller(), gone)
		alone := f.passkeyLogIn(gone)
		byKept := f.stepUpGrant(f.logInForRefresh("mira").Caller(), kept)
		keptAlone := f.passkeyLogIn(kept)
		notSteppedUp := f.logInForRefresh("mira")

		full = f.stepUpGrant(full.Caller(), gone)
		pending := f.got(gone, f.stepUpOptions(byKept.Caller()))
		if _, err := f.service.DeletePasskey(f.Context(), full.Caller(), f.passkeys(full.Caller()).Passkeys[0].ID, false); err != nil {
			f.Fatal(err)
		}

		for _, test := range []struct {
			what string
			g    stepkey.Grant
		}{{"stepped up with it", there}, {"begun with it", alone}} {
			f.wantRefused(test.what, test.g.RefreshToken)
			if !f.ended(test.g.Claims.SessionID) {
				f.Errorf("%s: its tokens pass guards that ask nobody", test.what)
			}
		}
		for _, test := range []struct {
			what string
			g    stepkey.Grant
		}{{"stepped up with another", byKept}, {"begun with another", keptAlone}} {
			if got := f.refresh(test.g.RefreshToken).Claims.Level; got != token.LevelFull {
				f.Errorf("%s: level %s", test.what, got)
			}
		}
		if got := f.refresh(notSteppedUp.RefreshToken).Claims.Level; got != token.LevelPassword {
			f.Errorf("not stepped up: level %s", got)
		}
		wantError(f.TB, "a response of the deleted one", second(f.service.FinishStepUp(f.Context(), byKept.Caller(), pending)), stepkey.ErrVerificationFailed)

		// The session that deleted it goes on, at level password.
		wantError(f.TB, "introspecting its token", second(f.service.Introspect(f.Context(), full.AccessToken)), stepkey.ErrUnauthorized)
		wantStepUp(f.TB, "adding another by its token", second(f.service.BeginRegistration(f.Context(), full.Caller())))
		if n := f.passkeys(full.Caller()).Names; n.RPID != "" {
			f.Errorf("its list: %+v", n)
		}
		if got := f.refresh(full.RefreshToken).Claims.Level; got != token.LevelPassword {
			f.Errorf("after its refresh: level %s", got)
		}
	})
}

// logInEnrolled is enrolled with a refresh token.
func (f *fixture) logInEnrolled(name string) (stepkey.Grant, *authenticator.Authenticator) {
	f.Helper()
	f.signUp(name)
	g, first := f.logInForRefresh(name), authenticator.New(authenticator.Config{})
	f.register(g.Caller(), first)
	f.clock.Advance(time.Second) // so that it is the oldest
	return g, first
}

// A session that began with a passkey alone and has deleted it has proved nothing that
// would do for a first passkey.
func TestSessionOfADeletedPasskeyAddsNoFirstOne(t *testing.T) {
	f := newFixture(t)
	_, gone := f.enrolled("mira", authenticator.Config{})
	g := f.passkeyLogIn(gone)
	if _, err := f.service.DeletePasskey(t.Context(), g.Caller(), f.passkeys(g.Caller()).Passkeys[0].ID, true); err != nil {
		t.Fatal(err)
	}
	wantError(t, "adding one", second(f.service.BeginRegistration(t.Context(), g.Caller())), stepkey.ErrReauthenticationRequired)
	c := f.refresh(g.RefreshToken).Claims
	if c.Level != token.LevelPassword || c.PasswordTime != 0 || c.PasskeyTime != 0 || c.AuthTime != g.Claims.PasskeyTime {
		t.Errorf("after the refresh: %+v", c)
	}
}

// The tokens of the session in which a passkey is deleted count for nothing that needs
// level full, while those of a later step-up do, also within one second.
func TestTokensOfADeletedPasskey(t *testing.T) {
	onBoth(t, func(f *fixture) {
		here, gone := f.logInEnrolled("mira")
		kept := authenticator.New(authenticator.Config{})
		old := f.stepUpGrant(here.Caller(), gone)
		f.register(old.Caller(), kept)
		other := f.newService(f.config())
		wantLowered := func(what string, s *stepkey.Service, c token.Claims, want bool) {
			f.Helper()
			if got, err := s.Lowered(c.SessionID, c.PasskeyTime); err != nil || got != want {
				f.Errorf("%s: %v, %v; want %v", what, got, err, want)
			}
		}
		wantLowered("before", f.service, old.Claims, false)
		if _, err := f.service.DeletePasskey(f.Context(), old.Caller(), f.passkeys(old.Caller()).Passkeys[0].ID, false); err != nil {
			f.Fatal(err)
		}
		wantLowered("the old token", f.service, old.Claims, true)
		wantLowered("the old token, at an instance that has not looked", other, old.Claims, false)
		wantLowered("the old token, at one that starts", f.newService(f.config()), old.Claims, true)
		again := f.stepUpGrant(here.Caller(), kept)
		wantLowered("a new token of the same second", f.service, again.Claims, false)
		wantLowered("a new token of the same second, at another instance", f.newService(f.config()), again.Claims, false)
		f.clock.Advance(time.Second)
		old.Claims.PasskeyTime--
		wantLowered("an older token once the session is stepped up again", f.service, old.Claims, true)
		f.clock.Advance(token.Lifetime + 2*token.Leeway)
		wantLowered("after the life of a token", f.newService(f.config()), old.Claims, false)
	})
}

// Of deletions and step-ups at once, none leaves a session at full by a passkey that is
// gone.
func TestDeletionRacesStepUp(t *testing.T) {
	onBoth(t, func(f *fixture) {
		here, gone := f.logInEnrolled("mira")
		kept := authenticator.New(authenticator.Config{})
		f.register(f.stepUpGrant(here.Caller(), gone).Caller(), kept)
		full := f.stepUpGrant(here.Caller(), kept)
		id := f.passkeys(full.Caller()).Passkeys[0].ID
		var others []stepkey.Grant
		var responses []stepkey.AssertionResponse
		for range 8 {
			g := f.logInForRefresh("mira")
			others, responses = append(others, g), append(responses, f.got(gone, f.stepUpOptions(g.Caller())))
		}
		race(9, func(i int) error {
			if i == 8 {
				return second(f.service.DeletePasskey(f.Context(), full.Caller(), id, false))
			}
			return second(f.service.FinishStepUp(f.Context(), others[i].Caller(), responses[i]))
		})
		sessions, _, err := f.service.Sessions(f.Context(), full.Caller(), nil, stepkey.MaxListedSessions)
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range sessions {
			if s.ID.String() != full.Claims.SessionID && s.FullPasskeyID != nil {
				f.Errorf("session %s is at %s", s.ID, s.Level())
			}
		}
	})
}

func TestDeletedPasskeyIsTold(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", "mira@example.com")
	g := f.logInOn("mira", "Firefox on Linux")
	first := device()
	f.register(g.Caller(), first)
	full := f.stepUp(g.Caller(), first)
	f.received(box)
	if _, err := f.service.DeletePasskey(t.Context(), full, f.passkeys(full).Passkeys[0].ID, true); err != nil {
		t.Fatal(err)
	}
	f.wantNotice(box, "A passkey was removed")
}
