package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

// problems is what the document tells machines about each code.
type problems map[string]struct {
	Status int
	Title  string
	Detail string
}

// The document is valid OpenAPI 3.1, its examples fit its schemas, and the
// three places that list problem codes agree.
func TestDocument(t *testing.T) {
	doc, err := loadDocument()
	if err != nil {
		t.Fatal(err)
	}
	if !doc.spec.IsOpenAPI31OrLater() {
		t.Errorf("openapi: %s, want 3.1", doc.spec.OpenAPI)
	}
	code := doc.spec.Components.Schemas["ProblemCode"].Value
	var listed problems
	convert(t, code.Extensions["x-problems"], &listed)
	var enumerated []string
	convert(t, code.Enum, &enumerated)
	if diff := cmp.Diff(slices.Sorted(slices.Values(enumerated)), slices.Sorted(maps.Keys(listed))); diff != "" {
		t.Errorf("enum and x-problems differ:\n%s", diff)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(doc.spec.Components.Examples)), slices.Sorted(maps.Keys(listed))); diff != "" {
		t.Errorf("examples and x-problems differ:\n%s", diff)
	}
	problem := doc.spec.Components.Schemas["Problem"].Value
	for code, p := range listed {
		example := doc.spec.Components.Examples[code].Value.Value
		if err := problem.VisitJSON(example, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("the example of %s does not fit its schema: %v", code, err)
		}
		var got struct {
			Type, Title, Detail, Code, Message, Error string
			Status, StatusCode                        int
		}
		convert(t, example, &got)
		if got.Type != "/docs#"+code || got.Code != code || got.Title != p.Title || got.Detail != p.Detail {
			t.Errorf("the example of %s and x-problems differ: %+v, %+v", code, got, p)
		}
		if got.Status != p.Status || got.StatusCode != p.Status {
			t.Errorf("%s: the example has status %d and %d, x-problems %d", code, got.Status, got.StatusCode, p.Status)
		}
		if got.Error != http.StatusText(p.Status) || got.Message == "" || p.Title == "" || p.Detail == "" {
			t.Errorf("%s: incomplete: %+v, %+v", code, got, p)
		}
	}
}

// Each problem that an operation can answer with stands under its own status.
func TestDocumentPutsProblemsUnderTheirStatus(t *testing.T) {
	doc, err := loadDocument()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.spec.Paths.Map() {
		for method, operation := range item.Operations() {
			for status, response := range operation.Responses.Map() {
				mediaType := response.Value.Content["application/problem+json"]
				if (status >= "400") != (mediaType != nil) {
					t.Errorf("%s %s: %s: problem document is %t", method, path, status, mediaType != nil)
					continue
				}
				if mediaType == nil {
					continue
				}
				for code, example := range mediaType.Examples {
					var body struct{ Status json.Number }
					convert(t, example.Value.Value, &body)
					if body.Status.String() != status {
						t.Errorf("%s %s: %s stands under %s and has status %s", method, path, code, status, body.Status)
					}
				}
			}
		}
	}
}

// An alias answers alike, so its description says the same.
func TestDocumentDescribesAliasesAlike(t *testing.T) {
	doc, err := loadDocument()
	if err != nil {
		t.Fatal(err)
	}
	for alias, canonical := range aliases {
		for method, operation := range doc.spec.Paths.Value(canonical).Operations() {
			other := doc.spec.Paths.Value(alias).Operations()[method]
			if other == nil {
				t.Errorf("%s %s is not described", method, alias)
				continue
			}
			if diff := cmp.Diff(shape(t, operation), shape(t, other)); diff != "" {
				t.Errorf("%s %s and %s differ:\n%s", method, canonical, alias, diff)
			}
		}
	}
}

// aliases are the original's spellings.
var aliases = map[string]string{
	"/auth/signin":           "/auth/login",
	"/passkeys/auth/options": "/passkeys/authenticate/options",
	"/passkeys/auth/verify":  "/passkeys/authenticate/verify",
}

// shape is an operation without the words that tell the spellings apart.
func shape(t *testing.T, operation *openapi3.Operation) map[string]any {
	var members map[string]any
	convert(t, operation, &members)
	delete(members, "operationId")
	description, _ := members["description"].(string)
	members["description"] = strings.Replace(description, " This is the original's spelling of the path; the answer is the same.", "", 1)
	return members
}

func convert(t *testing.T, from, to any) {
	t.Helper()
	raw, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, to); err != nil {
		t.Fatal(err)
	}
}
