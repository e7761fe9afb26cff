package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/pages"
	"github.com/stepkey/stepkey/webui"
)

// mounted serves the API and the pages below a prefix, and nothing beside them.
func mounted(t *testing.T, prefix string, options Options) (base string) {
	t.Helper()
	options.Pages = webui.Handler()
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, newHandler(newService(t), options)))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + prefix
}

func fetch(t *testing.T, address string) (*http.Response, string) {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// Below a prefix everything that answers and pages point to is there.
func TestPrefix(t *testing.T) {
	for _, prefix := range []string{"/auth-service", "/a/b.c"} {
		base := mounted(t, prefix, Options{})
		var problem problemBody
		_, text := fetch(t, base+"/nothing")
		if err := json.Unmarshal([]byte(text), &problem); err != nil {
			t.Fatal(err)
		}
		if problem.Type != prefix+"/docs#not_found" || !strings.Contains(problem.Detail, " "+prefix+"/docs.") {
			t.Errorf("the problem points to %s, and says %q", problem.Type, problem.Detail)
		}
		if answer, _ := fetch(t, base+"/.well-known/change-password"); answer.StatusCode != 200 || answer.Request.URL.Path != prefix+"/account" {
			t.Errorf("change-password leads to %s: %d", answer.Request.URL, answer.StatusCode)
		}
		if _, text := fetch(t, base+"/.well-known/passkey-endpoints"); !strings.Contains(text, `"http://localhost:3000`+prefix+`/account"`) {
			t.Errorf("passkey-endpoints: %s", text)
		}
		_, text = fetch(t, base+"/openapi.json")
		for _, want := range []string{
			`"servers":[{"url":"` + prefix + `"}]`, `"type":"` + prefix + `/docs#internal"`,
			`"optionsEndpoint":"` + prefix + `/passkeys/authenticate/options"`, `"const":"` + prefix + `/passkeys/authenticate/options"`,
			`"/auth/login":{"post"`, `"detail":"There is nothing here. The API is described at ` + prefix + `/docs."`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("openapi.json lacks %s", want)
			}
		}
		pattern := regexp.MustCompile(`"pattern":("\^[^"]*#[^"]*")`).FindStringSubmatch(text)
		var expression string
		if pattern == nil || json.Unmarshal([]byte(pattern[1]), &expression) != nil || !regexp.MustCompile(expression).MatchString(problem.Type) {
			t.Errorf("%s does not match %q", problem.Type, pattern)
		}
		walk(t, base)
	}
}

var (
	linksInPages   = regexp.MustCompile(`(?:href|src|data-call)="([^"#][^"]*)"`)
	linksInScripts = regexp.MustCompile(`(?:from|import) ?"([^"]+)"`)
)

// walk follows the links of all pages and the imports of their scripts.
func walk(t *testing.T, base string) {
	t.Helper()
	seen := map[string]bool{}
	queue := []string{base + "/"}
	for _, page := range []string{"/docs", "/account", "/confirm-email", "/reset-password", "/not-me", "/recover", "/recover-by-link"} {
		queue = append(queue, base+page)
	}
	for len(queue) > 0 {
		address := queue[0]
		queue = queue[1:]
		if seen[address] {
			continue
		}
		seen[address] = true
		answer, text := fetch(t, address)
		// A route for another method than GET is there as well.
		if answer.StatusCode != 200 && answer.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d", address, answer.StatusCode)
		}
		links := linksInPages
		if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/javascript") {
			links = linksInScripts
		}
		for _, match := range links.FindAllStringSubmatch(text, -1) {
			to, err := answer.Request.URL.Parse(match[1])
			if err != nil {
				t.Fatal(err)
			}
			if to.Fragment = ""; to.Host == answer.Request.URL.Host {
				queue = append(queue, to.String())
			}
		}
	}
	if len(seen) < 30 {
		t.Errorf("only %d addresses were found", len(seen))
	}
}

// Links in mails, and the link of an operator, lead to pages below the prefix if PublicURL has it. So do the addresses for
// password managers, which have it once.
func TestLinksLeadBelowThePrefix(t *testing.T) {
	const prefix = "/auth-service"
	var box mailbox
	service := newServiceWith(t, func(c *stepkey.Config) {
		c.Mailer, c.PublicURL = &box, "http://localhost:3000"+prefix
	})
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, newHandler(service, Options{Pages: webui.Handler()})))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	follow := func(what, url, page string) {
		t.Helper()
		path, ours := strings.CutPrefix(url, "http://localhost:3000")
		if answer, _ := fetch(t, server.URL+path); !ours || answer.StatusCode != 200 || answer.Request.URL.Path != prefix+page {
			t.Errorf("%s leads to %s: %d, want %s", what, url, answer.StatusCode, prefix+page)
		}
	}

	user, err := service.SignUp(t.Context(), stepkey.SignUpRequest{Username: "mira", Password: "correct horse battery"})
	if err != nil {
		t.Fatal(err)
	}
	granted, err := service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: "correct horse battery"})
	if err != nil {
		t.Fatal(err)
	}
	mira, err := service.CallerOf(t.Context(), granted.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := service.RequestEmail(t.Context(), mira, "mira@example.com", stepkey.Client{}); err != nil {
		t.Fatal(err)
	}
	if _, err := service.DeliverMail(t.Context()); err != nil || len(box.mails) != 1 {
		t.Fatalf("%d mails, %v", len(box.mails), err)
	}
	follow("the mail", regexp.MustCompile(`http\S+#[\w-]{43}`).FindString(box.mails[0].Text), stepkey.PathConfirmEmail)
	link, err := service.Admin().MakeRecoveryLink(t.Context(), user.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	follow("the operator's link", link, stepkey.PathRecoverByLink)
	var endpoints passkeyEndpoints
	_, text := fetch(t, server.URL+prefix+"/.well-known/passkey-endpoints")
	if err := json.Unmarshal([]byte(text), &endpoints); err != nil {
		t.Fatal(err)
	}
	follow("the address for new passkeys", endpoints.Enroll, pages.Account)
}

// Where the well-known addresses are at the root too, a configured prefix leads from there to the pages.
func TestConfiguredPrefix(t *testing.T) {
	h := newHandler(newService(t), Options{Pages: http.NotFoundHandler(), Prefix: "/auth-service/"})
	got := send(h, "GET", "/.well-known/change-password", "").Header.Get("Location")
	if want := "/auth-service/account#password"; got != want {
		t.Errorf("it leads to %s, want %s", got, want)
	}
}

// No request makes its answer point to another host.
func TestPrefixIsAPath(t *testing.T) {
	for _, requested := range []string{"//evil.example/account", "evil.example/account", "http://evil.example//x/account", "*", "", "/account"} {
		r := &http.Request{RequestURI: requested, URL: &url.URL{Path: "/account"}}
		if got := mountedAt(r); got != "" {
			t.Errorf("%q: the prefix is %q", requested, got)
		}
	}
	r := &http.Request{RequestURI: "/a%20b/account?x=/account", URL: &url.URL{Path: "/account"}}
	if got := mountedAt(r); got != "/a%20b" {
		t.Errorf("the prefix is %q", got)
	}
}
