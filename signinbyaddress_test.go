package stepkey_test

import (
	"errors"
	"testing"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
)

func (f *fixture) confirmAddress(name, address string) {
	f.Helper()
	u, err := f.store.UserByName(f.Context(), name)
	if err == nil {
		err = f.store.InTx(f.Context(), func(tx storage.Tx) error {
			return second(tx.SetEmail(f.Context(), u.ID, address, f.clock.Now()))
		})
	}
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) signsIn(what, typed, want string) {
	f.Helper()
	g, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: typed, Password: password})
	if want == "" {
		wantError(f.TB, what, err, stepkey.ErrInvalidCredentials)
	} else if err != nil || g.Claims.Username != want {
		f.Errorf("%s: %s, %v, want %s", what, g.Claims.Username, err, want)
	}
}

func TestSignInByAddress(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("noor@example.com") // from before the setting
		for _, name := range []string{"mira", "noor", "olga", "pia"} {
			f.signUp(name)
		}
		const long = "a!very#long_address_that_cannot_be_a_user_name_of_anybody@mailboxes.example.com"
		f.confirmAddress("mira", "Mira@example.com")
		f.confirmAddress("noor", "noor@example.com")
		f.confirmAddress("olga", "shared@example.com")
		f.confirmAddress("pia", long)
		f.signsIn("off", "mira@example.com", "")

		c := f.config()
		c.SignInByAddress = true
		f.service = f.newService(c)
		f.signsIn("the address", " mIRA@Example.com ", "mira")
		f.signsIn("the name", "Mira", "mira")
		f.signsIn("an address that is no name", long, "pia")
		f.signsIn("a name wins over the address of another", "noor@example.com", "noor@example.com")
		f.signsIn("an address of one", "shared@example.com", "olga")
		f.confirmAddress("pia", "Shared@example.com")
		f.signsIn("an address of two", "shared@example.com", "")
		pia, err := f.store.UserByName(f.Context(), "pia")
		if err == nil {
			err = f.service.Admin().DisableUser(f.Context(), pia.ID)
		}
		if err != nil {
			f.Fatal(err)
		}
		f.signsIn("an address of one who may sign in", "shared@example.com", "olga")
		f.signsIn("an address of nobody", "nobody@example.com", "")

		_, err = f.service.SignUp(f.Context(), stepkey.SignUpRequest{Username: "quinn@example.com", Password: password})
		wantError(f.TB, "a new name with @", err, stepkey.ErrUsernameAddress)
	})
}

func limited(err error) bool {
	var limit *stepkey.RateLimitedError
	return errors.As(err, &limit)
}

// Guesses by address and by name count against one account, and spellings of an unknown address
// against one unknown account.
func TestSignInByAddressCountsTheAccount(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	c.SignInByAddress = true
	f.service = f.newService(c)
	f.signUp("mira")
	f.confirmAddress("mira", "mira@example.com")
	const unknown = "nobody!@example.com"
	for _, spellings := range [][2]string{{"mira@example.com", "mira"}, {unknown, "NOBODY!@example.com"}} {
		guess := func(typed string) error {
			return second(f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: typed, Password: "wrong password"}))
		}
		n := 0
		for n < 100 && !limited(guess(spellings[0])) {
			n++
		}
		if n == 100 || !limited(guess(spellings[1])) {
			t.Errorf("%q is free after %d guesses at %q", spellings[1], n, spellings[0])
		}
	}
}
