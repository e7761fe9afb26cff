package username_test

import (
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/username"
)

func TestReserved(t *testing.T) {
	standard := username.DefaultReserved()
	for _, test := range []struct {
		configured []string
		name       string
		want       bool
	}{
		{standard, "admin", true},
		{standard, "  ADMIN ", true},
		{standard, "ａｄｍｉｎ", true}, // NFKC
		{standard, "a.d.m.i.n", true},
		{standard, "admin_", true},
		{standard, "root@", true},
		{standard, "No-Reply", true},
		{standard, "noreply", true},
		{standard, "post_master", true},
		{standard, "admin2", false},
		{standard, "adminov", false},
		{standard, "support@example.com", false},
		{[]string{}, "root", false},
		{[]string{"Acme-Press"}, "ACMEPRESS", true},
		{[]string{"acme"}, "security", false},
		{append(username.DefaultReserved(), "acme"), "acme", true},
		{append(username.DefaultReserved(), "acme"), "webmaster", true},
	} {
		set, err := username.NewReserved("Config.ReservedNames", test.configured)
		if err != nil {
			t.Fatal(err)
		}
		canonical, ok := username.Canonical(test.name)
		if !ok || set.Has(canonical) != test.want {
			t.Errorf("%q among %q: reserved %v, want %v", test.name, test.configured, !test.want, test.want)
		}
	}
	for _, name := range standard {
		if canonical, ok := username.Canonical(name); !ok || canonical != name {
			t.Errorf("default %q: %q, %v", name, canonical, ok)
		}
	}
}

func TestReservedNameThatIsNone(t *testing.T) {
	_, err := username.NewReserved("Config.ReservedNames", []string{"acme", "two words"})
	if err == nil || !strings.Contains(err.Error(), `Config.ReservedNames has "two words"`) {
		t.Error(err)
	}
}
