package stepkey_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
)

func TestLogInRefusesAlike(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	f.signUp("disabled")
	f.exec(`UPDATE users SET disabled_at = created_at WHERE canonical_name = 'disabled'`)
	for _, test := range []struct {
		what string
		try  [2]string
	}{
		{"wrong password", [2]string{"mira", password + "x"}},
		{"unknown user", [2]string{"nobody", password}},
		{"disabled user", [2]string{"disabled", password}},
		{"no name at all", [2]string{"", password}},
		{"odd name", [2]string{"a b\x00", password}},
		{"no password", [2]string{"mira", ""}},
	} {
		if _, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: test.try[0], Password: test.try[1]}); err != stepkey.ErrInvalidCredentials {
			t.Errorf("%s: %v, want exactly ErrInvalidCredentials", test.what, err)
		}
	}
	for _, name := range []string{"mira", "nobody"} {
		_, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: name, Password: strings.Repeat("x", 1025)})
		wantError(t, "too long a password of "+name, err, stepkey.ErrPasswordTooLong)
	}
}

// A hash of the original is taken once, and then it is argon2id over every byte.
func TestLegacyHashIsRemade(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	full, err := stepkey.New(t.Context(), f.config()) // whose hashes cost what they should
	if err != nil {
		t.Fatal(err)
	}
	f.service = full
	long := strings.Repeat("legacy password ", 5) // 80 bytes
	legacy, err := bcrypt.GenerateFromPassword([]byte(long)[:72], bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	f.exec(`UPDATE users SET password_hash = $1`, "$2b"+string(legacy[3:]))
	hash := func() string {
		u, err := f.store.UserByName(t.Context(), "mira")
		if err != nil {
			t.Fatal(err)
		}
		return u.PasswordHash
	}

	_, err = f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: "wrong"})
	wantError(t, "wrong password", err, stepkey.ErrInvalidCredentials)
	if !strings.HasPrefix(hash(), "$2b$") {
		t.Fatalf("a failed login changed the hash to %q", hash())
	}
	before, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: long})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash(), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("after the login the hash is %q", hash())
	}
	if _, err := f.service.BeginRegistration(t.Context(), before.Caller()); err != nil {
		t.Errorf("remaking the hash ended the session: %v", err)
	}
	_, err = f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: long[:72]})
	wantError(t, "first 72 bytes only", err, stepkey.ErrInvalidCredentials)
}

func TestSignUpRules(t *testing.T) {
	f := newFixture(t)
	f.signUp("Alice")
	for _, test := range []struct {
		username, password string
		want               error
	}{
		{"alice", password, stepkey.ErrUsernameTaken},
		{"ALICE ", password, stepkey.ErrUsernameTaken},
		{"ＡＬＩＣＥ", password, stepkey.ErrUsernameTaken},
		{"", password, stepkey.ErrUsernameInvalid},
		{"bob", "1234567", stepkey.ErrPasswordTooShort},
		{"bob", strings.Repeat("x", 1025), stepkey.ErrPasswordTooLong},
		{"bob", "password", stepkey.ErrPasswordCommon},
		{"robert.brown", "Robert.Brown1", stepkey.ErrPasswordContainsUsername},
	} {
		_, err := f.service.SignUp(t.Context(), f.signUpOf(test.username, test.password))
		wantError(t, test.username+" / "+test.password, err, test.want)
	}
	if n := f.events(storage.EventSignedUp); n != 1 {
		t.Errorf("%d sign-ups recorded, want 1", n)
	}
}

func TestEveryByteOfAPasswordCounts(t *testing.T) {
	f := newFixture(t)
	long := strings.Repeat("abcdefg ", 20)
	if _, err := f.service.SignUp(t.Context(), f.signUpOf("mira", long)); err != nil {
		t.Fatal(err)
	}
	_, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: long[:72] + "X" + long[73:]})
	wantError(t, "different at byte 73", err, stepkey.ErrInvalidCredentials)
	if _, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: long}); err != nil {
		t.Error(err)
	}
}

func TestTokenOfLogIn(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	granted, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	verified, err := f.service.Verifier().Verify(t.Context(), granted.AccessToken)
	if err != nil || verified.SessionID != granted.Claims.SessionID {
		t.Fatalf("Verify: %+v, %v", verified, err)
	}
	f.clock.Advance(15*time.Minute + 31*time.Second)
	if _, err := f.service.Verifier().Verify(t.Context(), granted.AccessToken); err == nil {
		t.Error("the token outlived 15 minutes and the leeway")
	}
}
