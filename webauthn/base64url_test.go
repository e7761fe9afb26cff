package webauthn_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/webauthn"
)

func TestBase64URL(t *testing.T) {
	for text, want := range map[string]webauthn.Base64URL{
		"":     {},
		"_-4":  {0xff, 0xee},
		"AAAA": {0, 0, 0},
	} {
		var got webauthn.Base64URL
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		back, err := got.MarshalText()
		if err != nil || string(back) != text {
			t.Errorf("%q came back as %q, %v", text, back, err)
		}
	}
	for name, text := range map[string]string{
		"R10 padding":               "_-4=",
		"R11 stray trailing bits":   "_-5",
		"R16 standard alphabet":     "/+4",
		"R17 line feed":             "AA\nAA",
		"R17 carriage return":       "AAAA\r",
		"R17 padding without cause": "AAAA====",
		"length 1":                  "A",
		"space":                     "AA AA",
	} {
		var got webauthn.Base64URL
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s: %q accepted", name, text)
		}
	}
}
