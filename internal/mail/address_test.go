package mail

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckAddress(t *testing.T) {
	long := strings.Repeat("d", 63)
	domain := func(length int) string { // of that length, as labels of 63 at most
		text := strings.Repeat(long+".", 4)
		return text[:length-4] + ".com"
	}
	for _, address := range []string{
		"mira@example.com", "Mira.O'Neil+stepkey@mail.example.co.uk", "a@b.cd", "1@2.a3", "!#$%&'*+-/=?^_`{|}~@example.com",
		"mira@xn--bcher-kva.example", strings.Repeat("l", 64) + "@example.com", "m@" + domain(252),
	} {
		if err := CheckAddress(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for what, address := range map[string]string{
		"empty":                 "",
		"no at":                 "mira.example.com",
		"two":                   "mira@example.com,noor@example.com",
		"two ats":               "mira@noor@example.com",
		"no local part":         "@example.com",
		"no domain":             "mira@",
		"header in the domain":  "mira@example.com\r\nBcc: noor@example.com",
		"header before":         "mira\r\nBcc: noor@example.com",
		"newline at the end":    "mira@example.com\n",
		"carriage return":       "mira\r@example.com",
		"null":                  "mira\x00@example.com",
		"tab":                   "mira\t@example.com",
		"space":                 "mira @example.com",
		"space before":          " mira@example.com",
		"display name":          "Mira <mira@example.com>",
		"brackets":              "<mira@example.com>",
		"quoted":                `"mira"@example.com`,
		"quoted with a command": `"mira> RCPT TO:<noor@example.com"@example.com`,
		"comment":               "mira(noor)@example.com",
		"group":                 "friends:mira@example.com;",
		"escape":                `mi\ra@example.com`,
		"dot at the beginning":  ".mira@example.com",
		"dot at the end":        "mira.@example.com",
		"two dots":              "mi..ra@example.com",
		"literal":               "mira@[192.0.2.7]",
		"IP address":            "mira@192.0.2.7",
		"one label":             "mira@localhost",
		"root dot":              "mira@example.com.",
		"empty label":           "mira@example..com",
		"hyphen at the start":   "mira@-example.com",
		"hyphen at the end":     "mira@example-.com",
		"underscore":            "mira@exam_ple.com",
		"other letters":         "mira@exämple.com",
		"other letters before":  "mirä@example.com",
		"fullwidth":             "mira＠example.com",
		"Kelvin sign":           "mira@example.\u212aom",
		"invalid UTF-8":         "mira\xff@example.com",
		"percent-encoded":       "mira@example%0d%0a.com",
		"long local part":       strings.Repeat("l", 65) + "@example.com",
		"long label":            "mira@" + long + "d.com",
		"long":                  "mi@" + domain(252),
	} {
		if err := CheckAddress(address); !errors.Is(err, ErrAddress) {
			t.Errorf("%s: %q is taken", what, address)
		}
	}
}

func FuzzCheckAddress(f *testing.F) {
	for _, seed := range []string{"mira@example.com", "mira@example.com\r\nBcc: x@y.zz", `"a"@b.cc`, "<a@b.cc>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if CheckAddress(address) != nil {
			return
		}
		if len(address) > MaxAddress || strings.Count(address, "@") != 1 {
			t.Errorf("%q is taken", address)
		}
		if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),:;<>[\]`, r) }) {
			t.Errorf("%q holds what ends an address", address)
		}
	})
}
