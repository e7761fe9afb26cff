package stepkey_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs/gate.md shows parts of the configurations that the tests run.
func TestConfigurationsOfProxiesInDocuments(t *testing.T) {
	for _, test := range []struct {
		language string
		files    []string
	}{{"caddy", []string{"Caddyfile"}}, {"nginx", []string{"nginx.conf"}}, {"yaml", []string{"traefik.yaml", "traefik-dynamic.yaml"}}} {
		shown := blocks(t, "docs/gate.md", test.language)
		if len(shown) != len(test.files) {
			t.Fatalf("docs/gate.md shows %d times %s, want %d", len(shown), test.language, len(test.files))
		}
		for i, file := range test.files {
			text, err := os.ReadFile(filepath.Join("examples/gate", file))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), shown[i]) {
				t.Errorf("docs/gate.md shows what is not in examples/gate/%s:\n%s", file, shown[i])
			}
		}
	}
}
