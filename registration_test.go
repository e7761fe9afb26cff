package stepkey_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

func device() *authenticator.Authenticator { return authenticator.New(authenticator.Config{}) }

func TestFirstPasskeyNeedsAFreshPassword(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	claims := f.logIn("mira")
	options := f.registrationOptions(claims)

	f.clock.Advance(stepkey.FirstPasskeyWindow)
	f.registrationOptions(claims) // still within
	f.clock.Advance(time.Second)
	wantError(t, "options", second(f.service.BeginRegistration(t.Context(), claims)), stepkey.ErrReauthenticationRequired)

	f.clock.Advance(-2 * time.Minute)
	late := f.registrationOptions(claims)
	f.clock.Advance(2 * time.Minute)
	wantError(t, "verify", second(f.service.FinishRegistration(t.Context(), claims, f.created(device(), late), "")),
		stepkey.ErrReauthenticationRequired)
	wantError(t, "old challenge", second(f.service.FinishRegistration(t.Context(), claims, f.created(device(), options), "")),
		stepkey.ErrChallengeExpired)
}

// The headline: who has the password and nothing else never gets a passkey into an
// account that has one.
func TestFurtherPasskeyNeedsFullAndFresh(t *testing.T) {
	onBoth(t, func(f *fixture) {
		first := device()
		f.signUp("mira")
		before := f.logIn("mira")
		begun := f.registrationOptions(before) // while there was no passkey
		owner := f.logIn("mira")
		f.register(owner, first)

		thief := f.logIn("mira")
		wantStepUp(f.TB, "options with a password", second(f.service.BeginRegistration(f.Context(), thief)))
		wantStepUp(f.TB, "verify of what was begun before",
			second(f.service.FinishRegistration(f.Context(), before, f.created(device(), begun), "")))

		full := f.stepUp(owner, first)
		wantStepUp(f.TB, "a password token of the session that was stepped up",
			second(f.service.BeginRegistration(f.Context(), owner)))
		f.register(full, device())

		f.clock.Advance(stepkey.FullWindow)
		options := f.registrationOptions(full)
		f.clock.Advance(time.Second)
		wantStepUp(f.TB, "options with an old passkey proof", second(f.service.BeginRegistration(f.Context(), full)))
		wantStepUp(f.TB, "verify with an old passkey proof",
			second(f.service.FinishRegistration(f.Context(), full, f.created(device(), options), "")))
	})
}

func TestOf8FirstPasskeysOneWins(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		claims := make([]stepkey.Caller, 8)
		responses := make([]stepkey.RegistrationResponse, 8)
		for i := range claims {
			if i%4 == 0 { // two sessions, four challenges each
				claims[i] = f.logIn("mira")
			} else {
				claims[i] = claims[i-1]
			}
			responses[i] = f.created(device(), f.registrationOptions(claims[i]))
		}
		won := 0
		for _, err := range race(8, func(i int) error {
			return second(f.service.FinishRegistration(f.Context(), claims[i], responses[i], ""))
		}) {
			if err == nil {
				won++
				continue
			}
			wantStepUp(f.TB, "loser", err)
		}
		if won != 1 || f.events(storage.EventPasskeyAdded) != 1 {
			f.Errorf("%d of 8 first passkeys were added, %d recorded, want 1", won, f.events(storage.EventPasskeyAdded))
		}
	})
}

func TestRegistrationChallengeIsForOneUseUserSessionAndCeremony(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	f.signUp("noor")
	mira, sameUser, noor := f.logIn("mira"), f.logIn("mira"), f.logIn("noor")

	response := f.created(device(), f.registrationOptions(mira))
	for _, test := range []struct {
		what   string
		claims stepkey.Caller
	}{{"another session", sameUser}, {"another user", noor}} {
		wantError(t, test.what, second(f.service.FinishRegistration(t.Context(), test.claims, response, "")), stepkey.ErrChallengeExpired)
	}
	tampered := response
	tampered.Response.AttestationObject = append([]byte(nil), response.Response.AttestationObject...)
	tampered.Response.AttestationObject[0] ^= 1
	wantError(t, "tampered", second(f.service.FinishRegistration(t.Context(), mira, tampered, "")), stepkey.ErrInvalidRequest)
	wantError(t, "after a failed try", second(f.service.FinishRegistration(t.Context(), mira, response, "")),
		stepkey.ErrChallengeExpired)

	good := f.created(device(), f.registrationOptions(mira))
	if err := second(f.service.FinishRegistration(t.Context(), mira, good, "")); err != nil {
		t.Fatal(err)
	}
	wantError(t, "replayed", second(f.service.FinishRegistration(t.Context(), mira, good, "")), stepkey.ErrChallengeExpired)
}

func TestPasskeyOfAnotherUserIsRefused(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	f.signUp("noor")
	mira, noor := f.logIn("mira"), f.logIn("noor")
	shared := device()
	f.register(mira, shared)

	// An attacker registers the victim's credential id for himself.
	answer, err := device().CreateWith(origin, f.registrationOptions(noor), authenticator.Hostile{
		AuthenticatorData: func(d *authenticator.AuthenticatorData) { d.CredentialID = shared.CredentialIDs()[0] },
	})
	response := parsed[stepkey.RegistrationResponse](f, answer, err)
	response.ID, response.RawID = shared.CredentialIDs()[0], shared.CredentialIDs()[0]
	wantError(t, "victim's credential id", second(f.service.FinishRegistration(t.Context(), noor, response, "")),
		stepkey.ErrPasskeyExists)
	f.stepUp(mira, shared) // the victim's still works
}

func TestAtMost20Passkeys(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	first := device()
	claims := f.logIn("mira")
	f.register(claims, first)
	full := f.stepUp(claims, first)
	for range stepkey.MaxPasskeys - 1 {
		f.register(full, device())
	}
	wantError(t, "21st", second(f.service.BeginRegistration(t.Context(), full)), stepkey.ErrTooManyPasskeys)
}

// One whose provider is not known is called after browser and system, which its owner
// recognises better than nothing.
func TestPasskeyIsNamedAfterItsDevice(t *testing.T) {
	f := newFixture(t)
	for _, test := range []struct{ on, want string }{
		{"Firefox on Linux", "Firefox on Linux"},
		{stepkey.UnknownDevice, "Passkey"},
		{"", "Passkey"},
	} {
		name := "on" + strings.ToLower(strings.ReplaceAll(test.on, " ", "-"))
		f.signUp(name)
		g := f.logInOn(name, test.on)
		if got := f.register(g.Caller(), device()).Name; got != test.want {
			t.Errorf("%q: %q, want %q", test.on, got, test.want)
		}
		for _, test := range []struct {
			name string
			c    authenticator.Config
		}{
			{"iCloud Keychain", authenticator.Config{AAGUID: uuid.MustParse("fbfc3007-154e-4ecc-8c0b-6e020557d7bd")}},
			{"Security key", authenticator.Config{Transports: []string{"nfc", "usb"}}},
		} {
			f.exec(`DELETE FROM passkeys`)
			if got := f.register(g.Caller(), authenticator.New(test.c)).Name; got != test.name {
				t.Errorf("%q, want %q", got, test.name)
			}
		}
	}
}

// A device that has a passkey for the user is never asked for a second one.
func TestRegistrationExcludesWhatThereIs(t *testing.T) {
	f := newFixture(t)
	claims, first := f.enrolled("mira", authenticator.Config{Transports: []string{"usb", "nfc"}})
	full := f.stepUp(claims, first)
	options, err := f.service.BeginRegistration(t.Context(), full)
	if err != nil || len(options.ExcludeCredentials) != 1 {
		t.Fatalf("%+v, %v", options.ExcludeCredentials, err)
	}
	got := options.ExcludeCredentials[0]
	if string(got.ID) != string(first.CredentialIDs()[0]) || !slices.Equal(got.Transports, []string{"usb", "nfc"}) {
		t.Errorf("%+v", got)
	}
}

// The number is counted again under the lock: of those that begin while there is room
// for one, one gets it.
func TestOf4TwentiethPasskeysOneWins(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, first := f.enrolled("mira", authenticator.Config{})
		full := f.stepUp(claims, first)
		for range stepkey.MaxPasskeys - 2 {
			f.register(full, device())
		}
		responses := make([]stepkey.RegistrationResponse, 4)
		for i := range responses {
			responses[i] = f.created(device(), f.registrationOptions(full))
		}
		won := 0
		for _, err := range race(len(responses), func(i int) error {
			return second(f.service.FinishRegistration(f.Context(), full, responses[i], ""))
		}) {
			if err == nil {
				won++
				continue
			}
			wantError(f.TB, "loser", err, stepkey.ErrTooManyPasskeys)
		}
		if n := len(f.passkeys(full).Passkeys); won != 1 || n != stepkey.MaxPasskeys {
			f.Errorf("%d were added, there are %d, want 1 and %d", won, n, stepkey.MaxPasskeys)
		}
	})
}

func TestPasskeyName(t *testing.T) {
	f := newFixture(t)
	for i, test := range []struct {
		sent, want string
		err        error
	}{
		{"", "Passkey", nil},
		{"  Mira’s laptop ", "Mira’s laptop", nil},
		{"a\u202eb\x00c\nd\u200be", "abcde", nil},
		{strings.Repeat("ж", 64), strings.Repeat("ж", 64), nil},
		{strings.Repeat("ж", 65), "", stepkey.ErrInvalidRequest},
		{"\xff", "", stepkey.ErrInvalidRequest},
	} {
		name := "user" + string(rune('a'+i))
		f.signUp(name)
		claims := f.logIn(name)
		response := f.created(device(), f.registrationOptions(claims))
		passkey, err := f.service.FinishRegistration(t.Context(), claims, response, test.sent)
		if !errors.Is(err, test.err) || (err == nil && passkey.Name != test.want) {
			t.Errorf("%q: %q, %v; want %q, %v", test.sent, passkey.Name, err, test.want, test.err)
		}
	}
}

func TestPasskeyIsNamedAfterItsProvider(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	icloud := uuid.MustParse("fbfc3007-154e-4ecc-8c0b-6e020557d7bd")
	first := authenticator.New(authenticator.Config{AAGUID: icloud})
	claims := f.logIn("mira")
	if got := f.register(claims, first); got.Name != "iCloud Keychain" || stepkey.Provider(got) != "iCloud Keychain" {
		t.Errorf("%q of %q", got.Name, stepkey.Provider(got))
	}
	full := f.stepUp(claims, first)
	long := strings.Repeat("ж", 63)
	for _, test := range []struct {
		model      [16]byte
		sent, want string
	}{
		{icloud, "", "iCloud Keychain 2"},
		{icloud, "", "iCloud Keychain 3"},
		{[16]byte{}, "", "Passkey"},
		{[16]byte{}, "iCloud Keychain", "iCloud Keychain 4"},
		{icloud, "Mira’s laptop", "Mira’s laptop"},
		{icloud, "Mira’s laptop", "Mira’s laptop 2"},
		{icloud, long, long},
		{icloud, long, strings.Repeat("ж", 62) + " 2"},
	} {
		response := f.created(authenticator.New(authenticator.Config{AAGUID: test.model}), f.registrationOptions(full))
		got, err := f.service.FinishRegistration(t.Context(), full, response, test.sent)
		if err != nil || got.Name != test.want {
			t.Errorf("%q: %q, %v; want %q", test.sent, got.Name, err, test.want)
		}
	}
}
