package stepkey_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stepkey/stepkey"
)

func TestCanonicalUsername(t *testing.T) {
	if got, err := stepkey.CanonicalUsername("  Mira\t"); err != nil || got != "mira" {
		t.Errorf("%q, %v; want mira", got, err)
	}
	if got, err := stepkey.CanonicalUsername("a b"); err != stepkey.ErrUsernameInvalid || got != "" {
		t.Errorf("%q, %v; want ErrUsernameInvalid", got, err)
	}
}

func TestReservedNames(t *testing.T) {
	f := newFixture(t)
	for _, test := range []struct {
		configured []string
		name       string
		want       error
	}{
		{nil, "admin", stepkey.ErrUsernameReserved},
		{nil, "  A.d.m.i.n_ ", stepkey.ErrUsernameReserved},
		{nil, "admin2", nil},
		{[]string{}, "root", nil},
		{[]string{"Acme-Press"}, "ACMEPRESS", stepkey.ErrUsernameReserved},
		{[]string{"acme"}, "security", nil},
		{append(stepkey.DefaultReservedNames(), "acme"), "webmaster", stepkey.ErrUsernameReserved},
	} {
		c := f.config()
		c.ReservedNames = test.configured
		_, err := f.newService(c).SignUp(t.Context(), stepkey.SignUpRequest{Username: test.name, Password: password})
		if !errors.Is(err, test.want) || (test.want == nil && err != nil) {
			t.Errorf("%q with %q: %v, want %v", test.name, test.configured, err, test.want)
		}
	}
	c := f.config()
	c.ReservedNames = []string{"two words"}
	if _, err := stepkey.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), `Config.ReservedNames has "two words"`) {
		t.Errorf("a reserved name that is none: %v", err)
	}
}

// Users keep a reserved name that they have already or that an operator gives them.
func TestReservedNamesOfUsersThatExist(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	c.ReservedNames = []string{}
	if _, err := f.newService(c).SignUp(t.Context(), stepkey.SignUpRequest{Username: "admin", Password: password}); err != nil {
		t.Fatal(err)
	}
	f.service = f.newService(f.config())
	f.logIn("admin")
	// Whether somebody has the name is not told.
	for _, name := range []string{"admin", "root"} {
		_, err := f.service.SignUp(t.Context(), stepkey.SignUpRequest{Username: name, Password: password})
		wantError(t, name, err, stepkey.ErrUsernameReserved)
	}
	if results := f.importAll(false, comer("root")); results[0].Problem != "" {
		t.Errorf("import of root: %+v", results[0])
	}
	if u, err := f.store.UserByName(t.Context(), "root"); err != nil || u.Username != "root" {
		t.Errorf("root is not there: %+v, %v", u, err)
	}
}
