package geo

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// testdata/countries.mmdb is made by go -C tools run ./geofile.
func TestOf(t *testing.T) {
	countries, err := Open("testdata/countries.mmdb")
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"203.0.113.0": "DE", "203.0.113.9": "DE", "198.51.100.0": "FR", "2001:db8:1::": "DE",
		"192.0.2.1": "", "2001:db8:2::": "", // not in the file
		"198.18.0.1": "", // the record has another content
	} {
		if got := countries.Of(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
	if got := countries.Of(netip.Addr{}); got != "" {
		t.Errorf("no address: %q", got)
	}
}

func TestOpenRefusesOtherFiles(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.mmdb")
	if err := os.WriteFile(other, []byte("country,code\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{other, filepath.Join(t.TempDir(), "missing.mmdb")} {
		if _, err := Open(path); err == nil {
			t.Errorf("%s was opened", path)
		}
	}
}
