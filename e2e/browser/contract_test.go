package browser

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// declared are the names that a pattern, with one group, finds in the types.
func declared(text, pattern string) (names []string) {
	for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, found[1]) { // a method may have several signatures
			names = append(names, found[1])
		}
	}
	slices.Sort(names)
	return names
}

// The client has exactly what its types declare.
func TestTypesAgreeWithTheClient(t *testing.T) {
	p := client(t)
	response, err := http.Get(p.server.URL() + "/stepkey.d.ts")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	types, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	exports := append(declared(string(types), `(?m)^export (?:const|function|class) (\w+)`), "default")
	slices.Sort(exports)
	got := Eval[[]string](p.Page, `import("/stepkey.js").then(module => Object.keys(module).sort())`)
	if diff := cmp.Diff(exports, got); diff != "" {
		t.Errorf("exports (-types +module):\n%s", diff)
	}

	_, body, _ := strings.Cut(string(types), "export interface Stepkey {\n")
	body, _, _ = strings.Cut(body, "\n}\n")
	// on, onsession and confirm are set by pages.
	members := declared(body, `(?m)^\t(?:readonly )?(\w+)[(:]`)
	got = Eval[[]string](p.Page, `Object.keys(createStepkey()).sort()`)
	if diff := cmp.Diff(members, got); diff != "" {
		t.Errorf("members of a client (-types +module):\n%s", diff)
	}

	kinds, _, _ := strings.Cut(string(types)[strings.Index(string(types), "export type Kind"):], ";")
	got = Eval[[]string](p.Page, `Object.keys(sentences).sort()`)
	if diff := cmp.Diff(declared(kinds, `"(\w+)"`), got); diff != "" {
		t.Errorf("kinds (-types +sentences):\n%s", diff)
	}
}

// The examples in the manuals are JavaScript, and import what there is.
func TestExamplesOfTheClient(t *testing.T) {
	var manuals []byte
	for _, path := range []string{"../../docs/client.md", "../../docs/other-origin.md"} {
		manual, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		manuals = append(manuals, manual...)
	}
	p := client(t)
	exports := Eval[[]string](p.Page, `import("/stepkey.js").then(module => Object.keys(module))`)
	p.Go("about:blank") // the policy of Stepkey's own pages lets no such script in
	examples := regexp.MustCompile("(?s)```js\n(.*?)```|<script type=\"module\">\n(.*?)</script>").FindAllStringSubmatch(string(manuals), -1)
	if len(examples) < 7 {
		t.Fatalf("found %d examples", len(examples))
	}
	for _, example := range examples {
		code := example[1] + example[2]
		for _, list := range regexp.MustCompile(`import \{(.*?)\}`).FindAllStringSubmatch(code, -1) {
			for name := range strings.SplitSeq(list[1], ",") {
				if name = strings.TrimSpace(name); !slices.Contains(exports, name) {
					t.Errorf("%q is imported and not exported", name)
				}
			}
		}
		if strings.Contains(code, "new StepkeyError") && !regexp.MustCompile(`import .*StepkeyError`).MatchString(code) {
			t.Errorf("StepkeyError is used and not imported:\n%s", code)
		}
		// Modules are parsed before what they import is looked for: one that parses fails for want of the last import, and
		// nothing of it runs.
		got := Eval[string](p.Page, fmt.Sprintf(`import("data:text/javascript," + encodeURIComponent(%q)).then(() => "ran", error => error.name + ": " + error.message)`,
			code+"\nimport \"nowhere\";\n"))
		if !strings.HasPrefix(got, "TypeError: Failed to resolve module specifier") {
			t.Errorf("%s in\n%s", got, code)
		}
	}
}
