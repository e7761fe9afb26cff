package openapi

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// Packages that generated code imports.
	_ "github.com/oapi-codegen/runtime"
	_ "github.com/oapi-codegen/runtime/types"
)

const document = "../../httpapi/openapi.json"

// A client that oapi-codegen generates compiles.
func TestGeneratedClientCompiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "client.go")
	generate := exec.Command("go", "tool", "oapi-codegen", "-generate", "types,client", "-package", "client", "-o", file, document)
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("oapi-codegen: %v\n%s", err, out)
	}
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(code), ") RecoverByLink(ctx context.Context") {
		t.Error("the client lacks a method for POST /recovery/link")
	}
	if out, err := exec.Command("go", "build", "-o", os.DevNull, file).CombinedOutput(); err != nil {
		t.Errorf("the generated client does not compile: %v\n%s", err, out)
	}
}

// Generators make one type of each security scheme, schema, parameter and so on, in a
// spelling of their own. Some, such as ogen, stop where two have the same name.
func TestComponentNamesDiffer(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Components map[string]map[string]any
	}
	if err := json.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, kind := range []string{"schemas", "securitySchemes"} {
		if len(api.Components[kind]) == 0 {
			t.Errorf("there are no %s", kind)
		}
		for name := range api.Components[kind] {
			spelling := strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "").Replace(name))
			if other, ok := seen[spelling]; ok {
				t.Errorf("%s/%s has the name of %s", kind, name, other)
			}
			seen[spelling] = kind + "/" + name
		}
	}
}
