package stepup

import (
	"context"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func TestIdentityChecks(t *testing.T) {
	for _, test := range []struct {
		name string
		id   Identity
		want string // part of the error; "" if there is none
	}{
		{"nobody", Identity{}, ""},
		{"a visitor with a session", Identity{Session: strings.Repeat("s", 2000)}, ""},
		{"the shortest key", Identity{User: "1"}, ""},
		{"the longest key", Identity{User: strings.Repeat("u", 255), Session: strings.Repeat("s", 1024)}, ""},
		{"any bytes", Identity{User: "\x00\xff"}, ""},
		{"a longer key", Identity{User: strings.Repeat("u", 256)}, "Identity.User has 256 bytes"},
		{"a longer session", Identity{User: "1", Session: strings.Repeat("s", 1025)}, "Identity.Session has 1025 bytes"},
		{"proofs", Identity{User: "1", Proofs: []Proof{{Factor: "totp", At: noon}, {Factor: Password, At: noon}}}, ""},
		{"a passkey of the application's", Identity{User: "1", Proofs: []Proof{{Factor: "totp"}, {Factor: Passkey, At: noon}}}, "Identity.Proofs[1] is of a passkey"},
		{"a factor in capitals", Identity{User: "1", Proofs: []Proof{{Factor: "TOTP"}}}, "Identity.Proofs[0].Factor"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.id.check()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// A log must not hold what a session is known by.
func TestIdentityErrorsRepeatNoValues(t *testing.T) {
	for _, id := range []Identity{
		{User: strings.Repeat("secret", 50)},
		{User: "secret", Session: strings.Repeat("secret", 200)},
		{User: "secret", Session: "secret", Proofs: []Proof{{Factor: Passkey, Passkey: "secret"}}},
	} {
		if err := id.check(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
	}
}

func TestIdentityInContext(t *testing.T) {
	if _, ok := identityFrom(context.Background()); ok {
		t.Error("an identity that nobody put there")
	}
	got, ok := identityFrom(WithIdentity(context.Background(), Identity{User: "7"}))
	if !ok || got.User != "7" {
		t.Errorf("%v, %v", got, ok)
	}
	if got, ok := identityFrom(WithIdentity(context.Background(), Identity{})); !ok || !got.nobody() {
		t.Error("nobody is not the same as no identity")
	}
}

func TestProofsOfAnIdentity(t *testing.T) {
	id := Identity{
		User: "1", SignedInAt: noon.Add(-time.Minute),
		Proofs: []Proof{{Factor: "totp", At: noon.Add(-time.Second)}, {Factor: Passkey, At: noon}},
	}
	for _, test := range []struct {
		name    string
		rule    Rule
		passkey Proof
		want    bool
	}{
		{"the sign-in is a password", Password.Within(time.Minute), Proof{}, true},
		{"the application's factor", Factor("totp").Within(time.Minute), Proof{}, true},
		{"the application proves no passkey", Passkey.Within(time.Hour), Proof{}, false},
		{"the passkey that was verified", Passkey.Within(time.Hour), Proof{Factor: Passkey, At: noon.Add(-time.Hour)}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, _, _ := test.rule.evaluate(noon, id.proofs(test.passkey)); got != test.want {
				t.Errorf("%v", got)
			}
		})
	}
	if id.Proofs[1].Factor != Passkey {
		t.Error("the application's list was changed")
	}
}
