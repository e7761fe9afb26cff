package token_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/token"
)

func payout() token.Action {
	return token.Action{Name: "payout.create", Parameters: map[string]string{
		"iban": "DE02120300000000202051", "amount": "1250.00", "currency": "EUR",
	}}
}

// The digests were computed by another program, from the doc comment.
func TestActionDigest(t *testing.T) {
	for _, test := range []struct {
		action token.Action
		want   string
	}{
		{token.Action{Name: "logout.all"}, "UWJTF5qdjFir9UYobf2uEN5QAO_zy8440LRs-QGT6Ow"},
		{payout(), "ilyx81b-C0InOZZTKv42fwyokPEozHq5M3DA7cIEmpI"},
		{token.Action{Name: "note", Parameters: map[string]string{"é": "café ☕", "z": "", "a": "\n"}}, "DR56cUwiYd25cpkXc7Hd1i4DrHhXJQdO3bMCIExv_v4"},
	} {
		if got := test.action.Digest(); got != test.want {
			t.Errorf("%s: %s, want %s", test.action.Name, got, test.want)
		}
	}
}

// Texts that run together differently are different actions.
func TestActionDigestsDiffer(t *testing.T) {
	with := func(name string, parameters ...string) token.Action {
		a := token.Action{Name: name, Parameters: map[string]string{}}
		for i := 0; i < len(parameters); i += 2 {
			a.Parameters[parameters[i]] = parameters[i+1]
		}
		return a
	}
	seen := map[string]string{}
	for _, a := range []token.Action{
		with("pay"), with("paya", "b", "c"), with("pay", "ab", "c"), with("pay", "a", "bc"), with("pay", "abc", ""),
		with("pay", "a", "b", "c", "d"), with("pay", "a", "bcd"), with("pay", "a", ""), with("pay", "", "a"),
		with("pay", "a", "1"), with("pay", "a", "1.0"), with("pay", "a", " 1"), with("pay", "A", "1"),
		with("pay", "é", ""), with("pay", "e\u0301", ""),
	} {
		if other, ok := seen[a.Digest()]; ok {
			t.Errorf("%v and %s have one digest", a, other)
		}
		seen[a.Digest()] = fmt.Sprint(a)
	}
}

func TestActionBounds(t *testing.T) {
	many := func(n int) map[string]string {
		parameters := map[string]string{}
		for i := range n {
			parameters[fmt.Sprint(i)] = ""
		}
		return parameters
	}
	one := func(name, value string) map[string]string { return map[string]string{name: value} }
	for _, test := range []struct {
		name       string
		parameters map[string]string
		good       bool
	}{
		{"payout.create", nil, true},
		{"a-b_c.0", many(16), true},
		{strings.Repeat("a", 64), one(strings.Repeat("n", 64), strings.Repeat("v", 1024)), true},
		{"a", one("é", "\x00"), true},
		{"", nil, false},
		{strings.Repeat("a", 65), nil, false},
		{"Payout", nil, false},
		{"pay out", nil, false},
		{"päy", nil, false},
		{"pay\n", nil, false},
		{"a", many(17), false},
		{"a", one("", ""), false},
		{"a", one(strings.Repeat("n", 65), ""), false},
		{"a", one("n", strings.Repeat("v", 1025)), false},
		{"a", one("\xff", ""), false},
		{"a", one("n", "\xff"), false},
	} {
		err := token.Action{Name: test.name, Parameters: test.parameters}.Check()
		if (err == nil) != test.good || (err != nil && !errors.Is(err, token.ErrAction)) {
			t.Errorf("%.20q %.60v: %v", test.name, test.parameters, err)
		}
	}
}
