package stepkey_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
)

// BenchmarkLogIn shows that a login costs the same whatever it is refused for, so that
// time does not tell which names exist (ASVS 6.3.8), and what one that succeeds costs
// beside its hash:
//
//	go test -run '^$' -bench LogIn -count 10 .
func BenchmarkLogIn(b *testing.B) {
	f := newFixture(b)
	f.signUp("mira")
	f.signUp("disabled")
	known := f.mustLogInFrom("at first", stepkey.Client{})
	f.exec(`UPDATE users SET disabled_at = created_at WHERE canonical_name = 'disabled'`)
	for _, test := range []struct {
		name, username, password string
		devices                  []string
		want                     error
	}{
		{"unknown user", "nobody", password, nil, stepkey.ErrInvalidCredentials},
		{"wrong password", "mira", password + "x", nil, stepkey.ErrInvalidCredentials},
		{"disabled user", "disabled", password, nil, stepkey.ErrInvalidCredentials},
		{"right password", "mira", password, nil, nil},
		{"known device", "mira", password, []string{known}, nil},
	} {
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer() // no try meets a limit
				f.clock.Advance(time.Minute)
				f.exec(`DELETE FROM login_attempts`)
				b.StartTimer()
				_, err := f.service.LogIn(b.Context(), stepkey.LogInRequest{Username: test.username, Password: test.password, Devices: test.devices})
				if !errors.Is(err, test.want) {
					b.Fatal(err)
				}
			}
		})
	}
}
