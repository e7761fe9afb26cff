package messages

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	set := load(t, files("en.json", english, "de.json", `{}`, "pt-BR.json", `{}`))
	for _, test := range []struct {
		preferences []string
		want        string
	}{
		{nil, ""},
		{[]string{"", ""}, ""},
		{[]string{"ja"}, ""},
		{[]string{"ja", "de"}, "de"},
		{[]string{"de-CH,fr;q=0.9"}, "de"},
		{[]string{"en-GB"}, "en"},
		{[]string{"pt"}, "pt-BR"},
		{[]string{"de\r\nBcc: x"}, ""},
		{[]string{strings.Repeat("de,", 400)}, ""},
	} {
		if got := set.Choose(test.preferences...); got != test.want {
			t.Errorf("%.40q: %q, want %q", test.preferences, got, test.want)
		}
	}
}
