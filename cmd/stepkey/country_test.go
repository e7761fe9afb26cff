package main

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

func TestGeoFile(t *testing.T) {
	country, err := settings{GeoFile: "../../geo/testdata/countries.mmdb"}.country()
	if err != nil {
		t.Fatal(err)
	}
	if got := country(netip.MustParseAddr("203.0.113.0")); got != "DE" {
		t.Errorf("the country is %q, want DE", got)
	}
	if country, err := (settings{}).country(); country != nil || err != nil {
		t.Errorf("without a file: %v", err)
	}
	_, err = settings{GeoFile: filepath.Join(t.TempDir(), "none.mmdb")}.country()
	if err == nil || !strings.Contains(err.Error(), "STEPKEY_GEO_FILE") {
		t.Errorf("a missing file: %v", err)
	}
}
