package stepkey_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
)

// A right password is hashed only so often, and a thief who has it does not use up what
// the owner has on a known device.
func TestRightPasswordsAreLimited(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		home := f.mustLogInFrom("the owner at first", from("192.0.2.7"))
		for i := range 29 {
			f.mustLogInFrom("the thief", from(fmt.Sprintf("198.51.%d.1", i)))
		}
		wantLimited(f.TB, "the thief", second(f.logInFrom(from("203.0.113.1"))), 6*time.Second)
		wantLimited(f.TB, "on another instance", second(f.newService(f.config()).LogIn(f.Context(), stepkey.LogInRequest{
			Username: "MIRA", Password: password, Client: from("203.0.113.2"),
		})), 6*time.Second)

		// The device stays the same one with each new token, also where it keeps the old.
		next := home
		for i := range 20 {
			next = f.mustLogInFrom("the owner", from("192.0.2.7"), []string{home, next}[i%2])
		}
		wantLimited(f.TB, "the device counts as unknown", second(f.logInFrom(from("192.0.2.7"), next)), 6*time.Second)
		f.clock.Advance(30 * time.Second)
		for range 1 + 5 {
			f.mustLogInFrom("once on the device and five times as a stranger", from("192.0.2.7"), next)
		}
		wantLimited(f.TB, "again", second(f.logInFrom(from("192.0.2.7"), next)), 6*time.Second)
		// A script that signs in once a minute never meets a limit.
		for range 100 {
			f.clock.Advance(time.Minute)
			f.mustLogInFrom("a script", from("192.0.2.9"))
		}
	})
}

// Many accounts, and devices on which they are known, are no way around the limit of an
// address.
func TestRightPasswordsOfOneAddressAreLimited(t *testing.T) {
	f := newFixture(t)
	device := map[string]string{}
	name := func(i int) string { return fmt.Sprintf("user%d", i) }
	logIn := func(name string, c stepkey.Client, devices ...string) (stepkey.Grant, error) {
		return f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: name, Password: password, Client: c, Devices: devices})
	}
	for i := range 30 {
		f.signUp(name(i))
		g, err := logIn(name(i), f.signUpOf("", "").Client)
		if err != nil {
			t.Fatal(err)
		}
		device[name(i)] = g.DeviceToken
	}
	office := from("192.0.2.1")
	for i := range 200 {
		if _, err := logIn(name(i%30), office); err != nil {
			t.Fatalf("stranger %d: %v", i, err)
		}
	}
	wantLimited(t, "one more stranger", second(logIn("user29", office)), time.Second)
	for i := range 200 {
		if _, err := logIn(name(i%30), office, device[name(i%30)]); err != nil {
			t.Fatalf("known device %d: %v", i, err)
		}
	}
	wantLimited(t, "one more known device", second(logIn("user29", office, device["user29"])), time.Second)
	if _, err := logIn("user29", from("192.0.2.2"), device["user29"]); err != nil {
		t.Errorf("the device at another address: %v", err)
	}
}

func TestPasswordChangesAreLimited(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		f.signUp("noor")
		// In three sessions, since one has ten attempts.
		for range 3 {
			c := f.logIn("mira")
			for range storage.FreeAttempts {
				wantError(f.TB, "a wrong one", second(f.changePassword(c, newPassword, newPassword)), stepkey.ErrWrongPassword)
			}
		}
		c := f.logIn("mira")
		wantLimited(f.TB, "the thirty-first", second(f.changePassword(c, password, newPassword)), time.Minute)
		if _, err := f.changePassword(f.logIn("noor"), password, newPassword); err != nil {
			f.Errorf("another user's: %v", err)
		}
		f.clock.Advance(time.Minute)
		if _, err := f.changePassword(c, password, newPassword); err != nil {
			f.Errorf("a minute later: %v", err)
		}
	})
}

// A known device whose password could not be looked at has used up nothing.
func TestAttemptsOfADeviceNotMadeAreGivenBack(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		known := f.mustLogInFrom("at first", from("192.0.2.7"))
		f.guesses("mira", storage.FreeAttempts) // strangers wait
		config := f.config()
		config.Store = &cancellingStore{Store: f.store}
		service := f.newService(config)
		for range 50 {
			ctx, cancel := context.WithCancel(f.Context())
			config.Store.(*cancellingStore).cancel = cancel
			_, err := service.LogIn(ctx, stepkey.LogInRequest{Username: "mira", Password: password, Client: from("192.0.2.7"), Devices: []string{known}})
			wantError(f.TB, "a client that leaves", err, context.Canceled)
		}
		f.mustLogInFrom("afterwards", from("192.0.2.7"), known)
	})
}

// cancellingStore has the client leave once its attempt has been counted.
type cancellingStore struct {
	stepkey.Store
	cancel context.CancelFunc
}

// ChargeAttempt implements stepkey.Store.
func (s *cancellingStore) ChargeAttempt(ctx context.Context, a storage.Attempt) (storage.Attempts, error) {
	defer s.cancel()
	return s.Store.ChargeAttempt(ctx, a)
}
