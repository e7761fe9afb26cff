package httpapi

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var update = flag.Bool("update", false, "write openapi.json")

// openapi.json is made of the files in the folder openapi and of the problems in problem.go.
func TestDocumentIsCurrent(t *testing.T) {
	want := assemble(t)
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(openAPIDocument, want) {
		t.Error("openapi.json is not made of openapi/*.json and problem.go: run make generate")
	}
}

// resources are the files in the folder openapi, one for each resource, in the order in which /docs lists their paths.
// Each has the components that it alone needs; the first has those that several need, and what the document begins with.
var resources = []string{"shared", "auth", "sessions", "account", "passkeys", "email", "recovery", "users", "service", "pages"}

// TestResourcesAreAssembled fails for a file that is not listed.
func TestResourcesAreAssembled(t *testing.T) {
	entries, err := os.ReadDir("openapi")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); !slices.ContainsFunc(resources, func(resource string) bool { return resource+".json" == name }) {
			t.Errorf("openapi/%s is in no list", name)
		}
	}
}

// add appends the members, or returns an error for a name that is there already.
func (o *object) add(members ...member) error {
	for _, m := range members {
		if o.find(m.name) != nil {
			return fmt.Errorf("%s is described twice", m.name)
		}
		*o = append(*o, m)
	}
	return nil
}

func (o object) find(name string) jsontext.Value {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// assemble returns the document.
func assemble(t *testing.T) []byte {
	t.Helper()
	var document, paths object
	components := map[string]*object{}
	// Codes, examples and responses use the same words, and side by side they compress best.
	kinds := []string{"headers", "securitySchemes", "schemas", "examples", "responses"}
	for _, kind := range kinds {
		components[kind] = new(object)
	}
	for _, resource := range resources {
		text, err := os.ReadFile("openapi/" + resource + ".json")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range parsed(t, resource, text) {
			switch m.name {
			case "paths":
				err = paths.add(parsed(t, resource, m.value)...)
			case "components":
				for _, kind := range parsed(t, resource, m.value) {
					if components[kind.name] == nil {
						t.Fatalf("%s: components of the kind %s", resource, kind.name)
					}
					if err = components[kind.name].add(parsed(t, resource, kind.value)...); err != nil {
						break
					}
				}
			default:
				err = document.add(m)
			}
			if err != nil {
				t.Fatalf("%s: %v", resource, err)
			}
		}
	}
	if err := components["schemas"].add(member{"ProblemCode", indented(t, problemCodeSchema(), "      ")}); err != nil {
		t.Fatal(err)
	}
	for _, p := range allProblems() {
		example := indented(t, map[string]any{"value": exampleOf(p)}, "      ")
		if err := components["examples"].add(member{p.code, example}); err != nil {
			t.Fatal(err)
		}
	}
	var all object
	for _, kind := range kinds {
		all = append(all, member{kind, components[kind].value("    ")})
	}
	document = append(document, member{"paths", paths.value("  ")}, member{"components", all.value("  ")})
	return append(document.value(""), '\n')
}

func parsed(t *testing.T, resource string, text []byte) object {
	t.Helper()
	o, err := parseObject(text)
	if err != nil {
		t.Fatalf("%s: %v", resource, err)
	}
	return o
}

func indented(t *testing.T, v any, indentation string) jsontext.Value {
	t.Helper()
	text, err := json.Marshal(v, jsontext.WithIndentPrefix(indentation), jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// problemCodeSchema lists the codes, and under x-problems what machines may want to know of each.
func problemCodeSchema() any {
	type description struct {
		Status int    `json:"status"`
		Title  string `json:"title"`
		Detail string `json:"detail"`
	}
	schema := struct {
		Type        string                 `json:"type"`
		Description string                 `json:"description"`
		Enum        []string               `json:"enum"`
		Problems    map[string]description `json:"x-problems"`
	}{
		Type: "string", Description: "What went wrong, for machines. Codes are never renamed; new ones may come.",
		Problems: map[string]description{},
	}
	for _, p := range allProblems() {
		schema.Enum = append(schema.Enum, p.code)
		schema.Problems[p.code] = description{p.status, p.title, p.detail}
	}
	return schema
}

// exampleOf returns the answer to a request that failed with the problem, with an example of each value that differs from
// one request to the next.
func exampleOf(p problem) problemBody {
	at := time.Date(2030, 5, 18, 9, 30, 0, 0, time.UTC)
	switch p.code {
	case problemPasskeyWaits.code:
		p.usableFrom = at
	case problemResetTooRecent.code:
		p.possibleFrom = at
	}
	body := p.body("")
	if p.status >= http.StatusInternalServerError {
		body.RequestID = "4f1c9a60b7e2d835"
	}
	return body
}

// allProblems lists the problems. That none is missing is held by TestProblemCodesAreDocumented in the root package.
func allProblems() []problem {
	return []problem{
		problemInvalidRequest,
		problemUsernameInvalid,
		problemUsernameReserved,
		problemPasswordTooShort,
		problemPasswordTooLong,
		problemPasswordBlocked,
		problemPasswordContainsUsername,
		problemPasswordBreached,
		problemEmailInvalid,
		problemLinkExpired,
		problemEmailOff,
		problemNoPasskeys,
		problemChallengeExpired,
		problemUnauthorized,
		problemVerificationFailed,
		problemStepUpRequired,
		problemReauthenticationRequired,
		problemNotFound,
		problemMethodNotAllowed,
		problemUsernameTaken,
		problemPasskeyExists,
		problemTooManyPasskeys,
		problemPayloadTooLarge,
		problemUnsupportedMediaType,
		problemWrongPassword,
		problemRateLimited,
		problemInternal,
		problemOverloaded,
		problemUnavailable,
		problemCrossSite,
		problemTwoRefreshTokens,
		problemWrongRecoveryCode,
		problemPasswordByMail,
		problemNoAddress,
		problemPasskeyWaits,
		problemResetTooRecent,
		problemRecoveryOnly,
		problemPasskeyLogInOff,
		problemUnknownApplication,
		problemSignUpClosed,
		problemInvitationRequired,
		problemInvitationInvalid,
		problemAddressUnconfirmed,
		problemConfirmationOff,
		problemLastPasskey,
		problemPasskeyUnknown,
	}
}
