package stepkey_test

import (
	"strings"
	"testing"

	"github.com/stepkey/stepkey"
)

func TestClosedSignUp(t *testing.T) {
	f := newFixture(t)
	if f.service.SignUpMode() != stepkey.SignUpOpen {
		t.Errorf("by default sign-up is %s", f.service.SignUpMode())
	}
	f.signUp("mira")
	c := f.config()
	c.SignUp = stepkey.SignUpClosed
	f.service = f.newService(c)
	for _, name := range []string{"noor", "mira", ""} {
		_, err := f.service.SignUp(t.Context(), f.signUpOf(name, password))
		wantError(t, name, err, stepkey.ErrSignUpClosed)
	}
	if _, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: password}); err != nil {
		t.Errorf("a user who is there signs in: %v", err)
	}
}

func TestUnknownSignUpMode(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	c.SignUp = "Closed"
	_, err := stepkey.New(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "Config.SignUp") {
		t.Errorf("%v; want an error that names Config.SignUp", err)
	}
}
