package passkeyname_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/passkeyname"
	"github.com/stepkey/stepkey/storage"
)

func TestClean(t *testing.T) {
	for _, test := range []struct {
		sent, want string
		ok         bool
	}{
		{"", "", true},
		{"  Laptop\t", "Laptop", true},
		{"Lap\u202etop\x00\n", "Laptop", true},
		{strings.Repeat("ä", 64), strings.Repeat("ä", 64), true},
		{strings.Repeat("ä", 65), "", false},
		{"👩\u200d👩\u200d👧’s phone", "👩\u200d👩\u200d👧’s phone", true},
		{"👩🏽\u200d🚀 and ❤\ufe0f\u200d🔥", "👩🏽\u200d🚀 and ❤\ufe0f\u200d🔥", true},
		{"Lap\u200dtop \u200d👩\u200d", "Laptop 👩", true},
		{"\xff", "", false},
	} {
		if got, ok := passkeyname.Clean(test.sent); got != test.want || ok != test.ok {
			t.Errorf("%q: %q, %v; want %q, %v", test.sent, got, ok, test.want, test.ok)
		}
	}
}

func TestImported(t *testing.T) {
	for _, test := range []struct{ sent, want string }{
		{"Laptop", "Laptop"},
		{"", "Passkey"},
		{" \u200b\x00 ", "Passkey"},
		{"Lap\xfftop", "Laptop"},
		{strings.Repeat("ä", 99), strings.Repeat("ä", 64)},
		{strings.Repeat("a", 63) + " b", strings.Repeat("a", 63)},
	} {
		if got := passkeyname.Imported(test.sent); got != test.want {
			t.Errorf("%q: %q, want %q", test.sent, got, test.want)
		}
	}
}

func TestDefault(t *testing.T) {
	iCloud := uuid.MustParse("fbfc3007-154e-4ecc-8c0b-6e020557d7bd")
	for _, test := range []struct {
		credential   storage.Credential
		device, want string
	}{
		{storage.Credential{AAGUID: iCloud, Transports: []string{"usb"}}, "Safari on macOS", "iCloud Keychain"},
		{storage.Credential{Transports: []string{"usb"}}, "Firefox on Linux", "Security key"},
		{storage.Credential{Transports: []string{"nfc", "ble"}}, "Firefox on Linux", "Security key"},
		{storage.Credential{Transports: []string{"internal"}}, "Firefox on Linux", "Firefox on Linux"},
		{storage.Credential{}, storage.UnknownDevice, "Passkey"},
		{storage.Credential{}, "", "Passkey"},
	} {
		if got := passkeyname.Default(test.credential, test.device); got != test.want {
			t.Errorf("%+v on %q: %q, want %q", test.credential, test.device, got, test.want)
		}
	}
}

func TestDistinct(t *testing.T) {
	long := strings.Repeat("ä", 64)
	for _, test := range []struct {
		name  string
		taken []string
		want  string
	}{
		{"Laptop", nil, "Laptop"},
		{"Laptop", []string{"Phone"}, "Laptop"},
		{"Laptop", []string{"Laptop"}, "Laptop 2"},
		{"Laptop", []string{"Laptop", "Laptop 3"}, "Laptop 2"},
		{"Laptop", []string{"Laptop", "Laptop 2"}, "Laptop 3"},
		{long, []string{long}, strings.Repeat("ä", 62) + " 2"},
	} {
		var passkeys []storage.Passkey
		for _, name := range test.taken {
			passkeys = append(passkeys, storage.Passkey{Name: name})
		}
		if got := passkeyname.Distinct(test.name, passkeys); got != test.want {
			t.Errorf("%q beside %q: %q, want %q", test.name, test.taken, got, test.want)
		}
	}
}
