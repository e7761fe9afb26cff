package stepkey_test

import (
	"errors"
	"testing"

	"github.com/stepkey/stepkey"
)

// BenchmarkRefusedLogIn shows that a login costs the same whatever it is refused
// for, so that time does not tell which names exist (ASVS 6.3.8):
//
//	go test -run '^$' -bench RefusedLogIn -count 10 .
func BenchmarkRefusedLogIn(b *testing.B) {
	f := newFixture(b)
	f.signUp("mira")
	f.signUp("disabled")
	f.exec(`UPDATE users SET disabled_at = created_at WHERE canonical_name = 'disabled'`)
	for _, test := range []struct{ name, username, password string }{
		{"unknown user", "nobody", password},
		{"wrong password", "mira", password + "x"},
		{"disabled user", "disabled", password},
	} {
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				_, err := f.service.LogIn(b.Context(), stepkey.LogIn{Username: test.username, Password: test.password})
				if !errors.Is(err, stepkey.ErrInvalidCredentials) {
					b.Fatal(err)
				}
			}
		})
	}
}
