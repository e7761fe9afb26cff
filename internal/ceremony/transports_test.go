package ceremony_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// A registration is never refused for its transports. iCloud Keychain, for one, has
// reported an empty one.
func TestTransports(t *testing.T) {
	rp := newRelyingParty(t)
	numbered := make([]any, 17)
	first16 := make([]string, 16)
	for i := range numbered {
		numbered[i] = fmt.Sprint("t", i)
	}
	for i := range first16 {
		first16[i] = fmt.Sprint("t", i)
	}
	longest := strings.Repeat("a", 32)
	for _, test := range []struct {
		name string
		sent any
		want []string
	}{
		{"registered", []any{"internal", "hybrid"}, []string{"internal", "hybrid"}},
		{"unknown", []any{longest, "smart-card"}, []string{longest, "smart-card"}},
		{"empty one", []any{""}, nil},
		{"empty one among others", []any{"usb", "", "nfc"}, []string{"usb", "nfc"}},
		{"none", []any{}, nil},
		{"null", nil, nil},
		{"a null among others", []any{nil, "usb"}, []string{"usb"}},
		{"a string", "usb", nil},
		{"a number", 7, nil},
		{"an object", map[string]any{"usb": true}, nil},
		{"numbers", []any{1, "usb"}, []string{"usb"}},
		{"nested", []any{[]any{"usb"}, map[string]any{}}, nil},
		{"twice", []any{"usb", "nfc", "usb"}, []string{"usb", "nfc"}},
		{"16 and one", numbered, first16},
		{"5000", slices.Repeat([]any{"usb"}, 5000), []string{"usb"}},
		{"33 letters", []any{longest + "a"}, nil},
		{"markup", []any{"<script>"}, nil},
		{"capitals", []any{"USB"}, nil},
		{"spaces", []any{" usb", "usb\u0000"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			device := authenticator.New(authenticator.Config{})
			hostile := authenticator.Hostile{Response: inResponse(set("transports", test.sent))}
			credential, got := tryRegister(t, rp, device, hostile, nil)
			if diff := cmp.Diff(test.want, credential.Transports); got != accepted || diff != "" {
				t.Errorf("%v, transports -want +got:\n%s", got, diff)
			}
		})
	}
}
