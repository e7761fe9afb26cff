package gate

import (
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/keptform"
)

// A post as a page of the application sends it.
var posted = []string{
	"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: same-origin", "Accept: text/html",
	"Content-Type: application/x-www-form-urlencoded",
}

const payout = "amount=5&to=Mira+%26+Noor&memo=one%0D%0Atwo"

// postTo sends a post with its body to a handler, as a trusted proxy does.
func (s *signing) postTo(h http.Handler, target, body string, headers ...string) *http.Response {
	s.Helper()
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	r.Host = "app.example.com"
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header.Set("X-Forwarded-Proto", "https")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// waiting is what a page keeps, with the secret of its browser.
type waiting struct{ sealed, user, secret, start string }

var sealedIn = regexp.MustCompile(`data-sealed="([^"]+)" data-user="([^"]*)"`)

func waitingIn(t *testing.T, answer *http.Response) (form waiting, ok bool) {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	match := sealedIn.FindStringSubmatch(string(body))
	if match == nil {
		return waiting{}, false
	}
	start := regexp.MustCompile(`href="([^"]+)"`).FindStringSubmatch(string(body))
	return waiting{match[1], match[2], cookie(answer, "__Host-stepkey-start"), html.UnescapeString(start[1])}, true
}

func (s *signing) release(form waiting, headers ...string) *http.Response {
	s.Helper()
	body, err := json.Marshal(kept{Sealed: form.sealed, User: form.user})
	if err != nil {
		s.Fatal(err)
	}
	return s.postTo(s.handshake, FormPath, string(body), append(headers, "Sec-Fetch-Site: same-origin")...)
}

// A form that was refused is kept by each way in which a proxy hands it over.
func TestFormsWait(t *testing.T) {
	s := newSigning(t)
	mira := s.signIn("mira")
	session := s.browse(mira, app)
	file := s.handshake.Rules
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the application was reached") }))
	defer upstream.Close()
	address, err := url.Parse(upstream.URL)
	s.must(err)
	proxy, err := NewProxy(ProxyOptions{Upstream: address, Options: Options{
		Rules: file, Sessions: NewBrowserSessions(s.service, nil, s.clock.Now), TrustsPeer: s.handshake.TrustsPeer,
		Handshake: s.handshake, Clock: s.service.Now, Log: slog.New(slog.DiscardHandler),
	}})
	s.must(err)
	defer proxy.Close()
	forwarded := []string{"X-Forwarded-Method: POST", "X-Forwarded-Uri: /payouts/1?x=1", "X-Forwarded-Host: app.example.com"}
	redirected := s.ask("POST", app, "/payouts/1?x=1", append(posted, session)...)
	if redirected.StatusCode != http.StatusTemporaryRedirect {
		t.Fatalf("forward auth: %d", redirected.StatusCode)
	}
	hold, err := url.Parse(redirected.Header.Get("Location"))
	s.must(err)
	for name, answer := range map[string]*http.Response{
		"the proxy": s.postTo(proxy, "/payouts/1?x=1", payout, append(posted, session)...),
		"nginx":     s.postTo(s.forward, RefusedPath, payout, append(append(posted, session), forwarded...)...),
		"a 307":     s.postTo(s.handshake, hold.RequestURI(), payout, append(posted, session)...),
	} {
		form, ok := waitingIn(t, answer)
		if answer.StatusCode != 403 || !ok || form.user == "" {
			t.Errorf("%s: %d, %+v", name, answer.StatusCode, form)
			continue
		}
		start, err := url.Parse(form.start)
		s.must(err)
		if q := start.Query(); start.Path != StartPath || q.Get("to") != FormPath || q.Get("need") != "passkey" || q.Get("max_age") != "600" {
			t.Errorf("%s: leads to %s", name, form.start)
		}
		if to := location(t, s.open("GET", app, start.RequestURI())).Query().Get("to"); to != FormPath {
			t.Errorf("%s: the handshake returns to %s", name, to)
		}
		got := s.release(form, session, form.secret)
		var answered released
		s.must(json.NewDecoder(got.Body).Decode(&answered))
		want := released{Action: "/payouts/1?x=1", Enctype: "application/x-www-form-urlencoded", Fields: [][2]string{{"amount", "5"}, {"to", "Mira & Noor"}, {"memo", "one\r\ntwo"}}}
		if diff := cmp.Diff(want, answered); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if again := s.release(form, session, form.secret); again.StatusCode != 410 {
			t.Errorf("%s: released again: %d", name, again.StatusCode)
		}
	}
}

// No form is kept that its application would not have taken, and none is released to anybody else.
func TestFormsAreBound(t *testing.T) {
	s := newSigning(t)
	mira, noor := s.signIn("mira"), s.signIn("noor")
	session, other := s.browse(mira, app), s.browse(noor, app)
	with := func(change string) []string {
		name, _, _ := strings.Cut(change, ":")
		headers := []string{change, session}
		for _, line := range posted {
			if !strings.HasPrefix(line, name+":") {
				headers = append(headers, line)
			}
		}
		return headers
	}
	hold := HoldPath + "?" + url.Values{"uri": {"/payouts/1"}}.Encode()
	for name, answer := range map[string]*http.Response{
		"cross-site":        s.postTo(s.handshake, hold, payout, with("Sec-Fetch-Site: cross-site")...),
		"same-site":         s.postTo(s.handshake, hold, payout, with("Sec-Fetch-Site: same-site")...),
		"text":              s.postTo(s.handshake, hold, payout, with("Content-Type: text/plain")...),
		"JSON":              s.postTo(s.handshake, hold, "{}", with("Content-Type: application/json")...),
		"64 KiB and a byte": s.postTo(s.handshake, hold, "a="+strings.Repeat("a", 64<<10-1), append(posted, session)...),
		"another origin":    s.postTo(s.handshake, HoldPath+"?uri=https://evil.example/", payout, append(posted, session)...),
		"two slashes":       s.postTo(s.handshake, HoldPath+"?uri=//evil.example/", payout, append(posted, session)...),
		"no path":           s.postTo(s.handshake, HoldPath, payout, append(posted, session)...),
	} {
		if _, ok := waitingIn(t, answer); ok || answer.StatusCode != 403 {
			t.Errorf("%s: %d, kept %t", name, answer.StatusCode, ok)
		}
	}
	for name, change := range map[string]string{"cross-site": "Sec-Fetch-Site: cross-site", "text": "Content-Type: text/plain"} {
		if answer := s.ask("POST", app, "/payouts/1", with(change)...); answer.StatusCode == http.StatusTemporaryRedirect {
			t.Errorf("%s is redirected to be kept", name)
		}
	}

	keep := func(headers ...string) waiting {
		t.Helper()
		form, ok := waitingIn(t, s.postTo(s.handshake, hold, payout, append(posted, headers...)...))
		if !ok {
			t.Fatal("the form is not kept")
		}
		return form
	}
	form := keep(session)
	stranger := keep(other)
	foreign := form
	foreign.user = stranger.user
	nobodys := form
	nobodys.user = ""
	for name, answer := range map[string]*http.Response{
		"another user":            s.release(form, other, form.secret),
		"another browser":         s.release(form, session, stranger.secret),
		"no secret":               s.release(form, session),
		"nobody":                  s.release(form, form.secret),
		"claimed by another user": s.release(foreign, other, form.secret),
		"claimed to be nobody's":  s.release(nobodys, other, form.secret),
		"no form":                 s.postTo(s.handshake, FormPath, "{}", session, form.secret, "Sec-Fetch-Site: same-origin"),
		"no JSON":                 s.postTo(s.handshake, FormPath, "x", session, form.secret, "Sec-Fetch-Site: same-origin"),
	} {
		if answer.StatusCode < 400 {
			t.Errorf("%s: %d", name, answer.StatusCode)
		}
	}
	body, err := json.Marshal(kept{Sealed: form.sealed, User: form.user})
	s.must(err)
	for _, site := range []string{"cross-site", "same-site", "none"} {
		if answer := s.postTo(s.handshake, FormPath, string(body), session, form.secret, "Sec-Fetch-Site: "+site); answer.StatusCode != 403 {
			t.Errorf("a page that is %s: %d", site, answer.StatusCode)
		}
	}
	if answer := s.release(form, session, form.secret); answer.StatusCode != 200 {
		t.Errorf("its own user: %d", answer.StatusCode)
	}
	late := keep(session)
	s.clock.Advance(keptform.Lifetime + 1)
	if answer := s.release(late, session, late.secret); answer.StatusCode != 410 {
		t.Errorf("ten minutes later: %d", answer.StatusCode)
	}
}

// A form whose session had ended waits for the next user of its browser.
func TestFormsWaitForASignIn(t *testing.T) {
	s := newSigning(t)
	mira := s.signIn("mira")
	ended := s.browse(mira, app)
	s.must(s.service.LogOut(t.Context(), mira))
	hold := HoldPath + "?" + url.Values{"uri": {"/payouts/1"}}.Encode()
	form, ok := waitingIn(t, s.postTo(s.handshake, hold, payout, append(posted, ended)...))
	if !ok || form.user != "" {
		t.Fatalf("%+v, kept %t", form, ok)
	}
	if answer := s.release(form, ended, form.secret); answer.StatusCode != 403 {
		t.Errorf("before the sign-in: %d", answer.StatusCode)
	}
	grant, err := s.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: "correct horse battery", Refresh: stepkey.RefreshBody})
	s.must(err)
	if answer := s.release(form, s.browse(grant.Caller(), app), form.secret); answer.StatusCode != 200 {
		t.Errorf("after the sign-in: %d", answer.StatusCode)
	}
}
