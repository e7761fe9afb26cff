package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/webui"
)

// servedOperations lists the operations of the document that a handler serves.
func servedOperations(t *testing.T, h http.Handler) []string {
	t.Helper()
	var served document
	if err := json.NewDecoder(send(h, "GET", "/openapi.json", "").Body).Decode(&served); err != nil {
		t.Fatal(err)
	}
	return operationsOf(served)
}

// With nothing left out, the whole document is served.
func TestWholeDocumentIsServed(t *testing.T) {
	var served, whole any
	h := newHandler(newServiceWith(t, requiringAddress), Options{Pages: http.NotFoundHandler(), BehindGate: behindGate})
	err := errors.Join(json.NewDecoder(send(h, "GET", "/openapi.json", "").Body).Decode(&served), json.Unmarshal(openAPIDocument, &whole))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(served, whole) {
		t.Error("what is served differs from openapi.json")
	}
}

// Routes that an option leaves out are neither served nor described; all others are both.
func TestPartsThatAreLeftOut(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	service := newService(t)
	all := servedOperations(t, newHandler(service, Options{Pages: page}))
	for _, test := range []struct {
		name    string
		options Options
		without []string
	}{
		{"sign-up", Options{Pages: page, NoSignUp: true}, []string{"POST /auth/signup", "GET /sign-up", "GET /invitation"}},
		{"demo", Options{Pages: page, NoDemo: true}, []string{"GET /users/profile", "GET /users/histories", "GET /", "GET /demo"}},
		{"e-mail", Options{Pages: page, NoEmail: true}, []string{
			"GET /account/email", "POST /account/email", "DELETE /account/email", "POST /account/email/verify",
			"POST /recovery/password", "POST /recovery/password/finish", "POST /recovery/passkey", "POST /recovery/passkey/finish",
			"POST /recovery/freeze", "GET /confirm-email", "GET /reset-password", "GET /not-me",
		}},
		{"pages", Options{}, []string{
			"GET /", "GET /demo", "GET /sign-in", "GET /sign-up", "GET /verify", "GET /docs", "GET /account", "GET /confirm-email", "GET /reset-password", "GET /not-me", "GET /recover", "GET /recover-by-link", "GET /invitation",
			"GET /.well-known/passkey-endpoints", "GET /.well-known/change-password",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHandler(service, test.options)
			described := servedOperations(t, h)
			for _, operation := range all {
				out := slices.Contains(test.without, operation)
				if slices.Contains(described, operation) == out {
					t.Errorf("%s: described is %t", operation, !out)
				}
				method, path, _ := strings.Cut(operation, " ")
				if strings.Contains(path, "/.well-known/webauthn") || strings.Contains(path, "{") {
					continue // 404 also where it is served
				}
				status := send(h, method, path, "").StatusCode
				if gone := status == http.StatusNotFound || status == http.StatusMethodNotAllowed; gone != out && !(operation == "GET /" && test.options.NoDemo) {
					t.Errorf("%s: %d, left out is %t", operation, status, out)
				}
			}
		})
	}
}

// Pages link to the demo page, to sign in.
func TestWithoutDemoTheAccountPageTakesItsPlace(t *testing.T) {
	got := send(newHandler(newService(t), Options{Pages: http.NotFoundHandler(), NoDemo: true}), "GET", "/", "")
	if got.StatusCode != http.StatusFound || got.Header.Get("Location") != "/account" {
		t.Errorf("%d to %q", got.StatusCode, got.Header.Get("Location"))
	}
}

func operationsOf(d document) (operations []string) {
	for path, item := range d.Paths {
		for method := range item {
			operations = append(operations, strings.ToUpper(method)+" "+path)
		}
	}
	return operations
}

// The pages describe the calls that are served, and no others.
func TestReferenceOfWhatIsServed(t *testing.T) {
	for _, without := range []bool{false, true} {
		page, err := io.ReadAll(send(newHandler(newService(t), Options{Pages: webui.Handler(), NoSignUp: without}), "GET", "/docs", "").Body)
		if err != nil || !bytes.Contains(page, []byte(`<div id="logIn">`)) {
			t.Fatalf("/docs does not list signing in: %v", err)
		}
		if listed := bytes.Contains(page, []byte(`<div id="signUp">`)); listed == without {
			t.Errorf("with NoSignUp %t, signing up is listed: %t", without, listed)
		}
	}
}

// A person gets a page for a path where nothing is, also where a page was left out. Programs get a problem document.
func TestNotFoundForPeople(t *testing.T) {
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte(r.URL.Path))
	})
	h := newHandler(newService(t), Options{Pages: pages, NoEmail: true})
	for _, test := range []struct {
		path, accept string
		status       int
		answer       string
	}{
		{"/nothing", "text/html,application/xhtml+xml", http.StatusTeapot, "/404"},
		{"/nothing/at/all", "text/html", http.StatusTeapot, "/nothing/at/404"},
		{"/reset-password", "text/html", http.StatusTeapot, "/404"},
		{"/nothing", "*/*", http.StatusNotFound, `"not_found"`},
		{"/nothing", "", http.StatusNotFound, `"not_found"`},
	} {
		request := httptest.NewRequest(http.MethodGet, test.path, nil)
		request.Header.Set("Accept", test.accept)
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, request)
		if body := recorder.Body.String(); recorder.Code != test.status || !strings.Contains(body, test.answer) {
			t.Errorf("GET %s for %q: %d %s, want %d and %s", test.path, test.accept, recorder.Code, body, test.status, test.answer)
		}
	}
}
