package gate

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/gate/rules"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

const (
	app  = "https://app.example.com"
	shop = "https://shop.example.net"
)

// signing is a gate with two applications in front of a service, and its users.
type signing struct {
	testing.TB
	clock     *storetest.Clock
	store     *sqlstore.Store
	service   *stepkey.Service
	handshake *Handshake
	forward   http.Handler
}

func newSigning(t testing.TB) *signing {
	t.Helper()
	s := &signing{TB: t, clock: storetest.NewClock()}
	store, err := storeurl.Open(t.Context(), "sqlite:"+t.TempDir()+"/stepkey.db", sqlstore.Options{Clock: s.clock.Now, Timeout: patience.Long})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	s.store = store
	if s.service, err = stepkey.New(t.Context(), stepkey.Config{
		Store: store, Challenges: store, Limiter: store, Clock: s.clock.Now,
		Secret: "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw=", Origins: []string{"https://auth.example.org"}, HashWait: patience.Long,
	}); err != nil {
		t.Fatal(err)
	}
	file, err := rules.Parse([]byte(`
[[app]]
origin = "https://app.example.com"
rules = ["open GET /public/**", "password * /**", "full<10m * /payouts/**", "hardware * /keys", "password * /ops/** group=ops", "deny * /internal/**"]
[[app]]
origin = "https://shop.example.net"
rules = ["password * /**"]
`), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	current := func() *rules.File { return file }
	trusts := func(peer string) bool { return strings.HasPrefix(peer, "10.0.0.1:") }
	log := slog.New(slog.DiscardHandler)
	if s.handshake, err = NewHandshake(HandshakeOptions{
		Browsers: s.service, Rules: current, TrustsPeer: trusts, Portal: "https://auth.example.org", Key: [32]byte{1}, Clock: s.clock.Now, Log: log,
	}); err != nil {
		t.Fatal(err)
	}
	s.forward = NewForwardAuth(Options{
		Rules: current, Sessions: NewBrowserSessions(s.service, nil, s.clock.Now), TrustsPeer: trusts,
		Handshake: s.handshake, Clock: s.service.Now, Log: log,
	})
	return s
}

// signIn makes a user and returns a signed-in caller.
func (s *signing) signIn(name string) stepkey.Caller {
	s.Helper()
	if _, err := s.service.SignUp(s.Context(), stepkey.SignUpRequest{Username: name, Password: "correct horse battery"}); err != nil {
		s.Fatal(err)
	}
	grant, err := s.service.LogIn(s.Context(), stepkey.LogInRequest{Username: name, Password: "correct horse battery", Refresh: stepkey.RefreshBody})
	if err != nil {
		s.Fatal(err)
	}
	return grant.Caller()
}

// ask sends a request to the gate as a trusted proxy does. Headers are written "Name: value".
func (s *signing) ask(method, origin, target string, headers ...string) *http.Response {
	s.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://gate.internal/forward-auth", nil)
	scheme, host, _ := strings.Cut(origin, "://")
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header = http.Header{"X-Forwarded-Method": {method}, "X-Forwarded-Uri": {target}, "X-Forwarded-Host": {host}, "X-Forwarded-Proto": {scheme}}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	s.forward.ServeHTTP(w, r)
	return w.Result()
}

// open requests a path of Stepkey at an application.
func (s *signing) open(method, origin, target string, headers ...string) *http.Response {
	s.Helper()
	scheme, host, _ := strings.Cut(origin, "://")
	r := httptest.NewRequest(method, "http://"+host+target, nil)
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header.Set("X-Forwarded-Proto", scheme)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	s.handshake.ServeHTTP(w, r)
	return w.Result()
}

// cookie returns what an answer sets, as a header of later requests.
func cookie(r *http.Response, name string) string {
	for _, c := range r.Cookies() {
		if c.Name == name {
			return "Cookie: " + c.Name + "=" + c.Value
		}
	}
	return ""
}

func location(t testing.TB, r *http.Response) *url.URL {
	t.Helper()
	u, err := url.Parse(r.Header.Get("Location"))
	if r.StatusCode != http.StatusSeeOther || err != nil {
		t.Fatalf("%d to %q, %v", r.StatusCode, r.Header.Get("Location"), err)
	}
	return u
}

// codeFor issues a code for the nonce in the address of the service's page.
func (s *signing) codeFor(c stepkey.Caller, at *url.URL) string {
	s.Helper()
	nonce, err := base64.RawURLEncoding.DecodeString(at.Query().Get("nonce"))
	if err != nil || len(nonce) != len(storage.BrowserDigest{}) {
		s.Fatalf("nonce %q", at.Query().Get("nonce"))
	}
	code, err := s.service.IssueBrowserCode(s.Context(), c, at.Query().Get("origin"), storage.BrowserDigest(nonce))
	if err != nil {
		s.Fatal(err)
	}
	return code
}

// browse goes through the handshake and returns the cookie of the session.
func (s *signing) browse(c stepkey.Caller, origin string) string {
	s.Helper()
	started := s.open("GET", origin, StartPath+"?to=/")
	code := s.codeFor(c, location(s.TB, started))
	finished := s.open("GET", origin, FinishPath+"?code="+code, cookie(started, "__Host-stepkey-start"))
	location(s.TB, finished)
	return cookie(finished, "__Host-stepkey")
}

var document = []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none", "Accept: text/html"}

func TestHandshake(t *testing.T) {
	s := newSigning(t)
	mira := s.signIn("mira")
	refused := s.ask("GET", app, "/reports?year=2026&x=a%20b", document...)
	start := location(t, refused)
	if start.Scheme+"://"+start.Host+start.Path != app+StartPath {
		t.Fatalf("refused to %s", start)
	}
	started := s.open("GET", app, start.RequestURI())
	portal := location(t, started)
	if got := portal.Scheme + "://" + portal.Host + portal.Path; got != "https://auth.example.org/continue" {
		t.Errorf("started to %s", got)
	}
	if q := portal.Query(); q.Get("origin") != app || q.Get("to") != "/reports?year=2026&x=a%20b" || q.Get("need") != "sign-in" || q.Has("max_age") {
		t.Errorf("started with %v", q)
	}
	secret := cookie(started, "__Host-stepkey-start")
	if strings.Contains(portal.String(), strings.TrimPrefix(secret, "Cookie: __Host-stepkey-start=")) {
		t.Error("the secret leaves the browser")
	}
	code := s.codeFor(mira, portal)
	finished := s.open("GET", app, FinishPath+"?code="+code+"&to="+url.QueryEscape(portal.Query().Get("to")), secret)
	if got := location(t, finished).String(); got != app+"/reports?year=2026&x=a%20b" {
		t.Errorf("finished to %s", got)
	}
	for _, set := range append(started.Cookies(), finished.Cookies()...) {
		if !set.Secure || !set.HttpOnly || set.Path != "/" || set.Domain != "" || set.SameSite != http.SameSiteLaxMode {
			t.Errorf("cookie %+v", set)
		}
	}
	session := cookie(finished, "__Host-stepkey")
	passed := s.ask("GET", app, "/reports", session)
	if passed.StatusCode != 200 || passed.Header.Get("X-Stepkey-Name") != "mira" || passed.Header.Get("X-Stepkey-Level") != "password" || passed.Header.Get("X-Stepkey-Assertion") == "" {
		t.Errorf("with the session: %d %v", passed.StatusCode, passed.Header)
	}
	for name, answer := range map[string]*http.Response{"refused": refused, "start": started, "finish": finished, "passed": passed} {
		if got := answer.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
	}
}

// No session comes of a code that was made for another browser, origin or time, and no request
// counts with a cookie that is not whole and alone.
func TestHandshakeIsBound(t *testing.T) {
	s := newSigning(t)
	mira := s.signIn("mira")
	started := s.open("GET", app, StartPath)
	secret, portal := cookie(started, "__Host-stepkey-start"), location(t, started)
	other := cookie(s.open("GET", app, StartPath), "__Host-stepkey-start")
	finish := func(origin, code string, headers ...string) *http.Response {
		return s.open("GET", origin, FinishPath+"?code="+code, headers...)
	}
	code := s.codeFor(mira, portal)
	for name, answer := range map[string]*http.Response{
		"no secret":          finish(app, code),
		"another browser's":  finish(app, code, other),
		"two secrets":        finish(app, code, secret, other),
		"at another origin":  finish(shop, code, secret),
		"no code":            finish(app, "", secret),
		"an invented code":   finish(app, "bc1."+strings.Repeat("A", 86), secret),
		"the secret as code": finish(app, strings.TrimPrefix(secret, "Cookie: __Host-stepkey-start="), secret),
	} {
		if answer.StatusCode != 400 || cookie(answer, "__Host-stepkey") != "" {
			t.Errorf("%s: %d, %v", name, answer.StatusCode, answer.Header["Set-Cookie"])
		}
	}
	session := cookie(finish(app, code, secret), "__Host-stepkey")
	if session == "" {
		t.Fatal("the code no longer works")
	}
	if again := finish(app, code, secret); again.StatusCode != 400 {
		t.Errorf("the code again: %d", again.StatusCode)
	}
	late := s.codeFor(mira, portal)
	s.clock.Advance(stepkey.BrowserCodeLifetime)
	if answer := finish(app, late, secret); answer.StatusCode != 400 {
		t.Errorf("a code of half a minute ago: %d", answer.StatusCode)
	}
	value := strings.TrimPrefix(session, "Cookie: __Host-stepkey=")
	for name, headers := range map[string][]string{
		"none": nil, "empty": {"Cookie: __Host-stepkey="}, "cut": {session[:len(session)-1]}, "8 kB": {session + strings.Repeat("A", 8000)},
		"doubled": {session + "; __Host-stepkey=" + value}, "in two headers": {session, session}, "another case": {"Cookie: __host-stepkey=" + value},
		"a space before the name": {"Cookie: \u2000__Host-stepkey=" + value}, "the code": {"Cookie: __Host-stepkey=" + code}, "no prefix": {"Cookie: stepkey=" + value},
		"the secret": {strings.Replace(secret, "-start", "", 1)}, "quoted": {`Cookie: __Host-stepkey="` + value + `x"`},
	} {
		if answer := s.ask("GET", app, "/", headers...); answer.StatusCode != 401 {
			t.Errorf("cookie %s: %d", name, answer.StatusCode)
		}
	}
	for _, when := range []string{"before", "after"} {
		if answer := s.ask("GET", shop, "/", session); answer.StatusCode != 401 {
			t.Errorf("the cookie at another application, %s it was used at its own: %d", when, answer.StatusCode)
		}
		if answer := s.ask("GET", app, "/", session); answer.StatusCode != 200 {
			t.Errorf("the cookie: %d", answer.StatusCode)
		}
	}
}

// A path to return to stays on the application, and the application alone decides by the rules.
func TestHandshakeReturnsHere(t *testing.T) {
	s := newSigning(t)
	mira := s.signIn("mira")
	for _, to := range []string{
		"//evil.example", `/\evil.example`, "/\t/evil.example", "https://evil.example/", "javascript:alert(1)", "/%2f/evil.example", "/a\r\nSet-Cookie: x=1",
		"evil", "", "/_stepkey/sign-out", "/_stepkey/finish?code=x", "/" + strings.Repeat("a", 4000), "/%09/evil.example", "/.//evil.example",
	} {
		started := s.open("GET", app, StartPath+"?"+url.Values{"to": {to}}.Encode())
		portal := location(t, started)
		if got := portal.Query().Get("to"); got != "/" {
			t.Errorf("%q starts with %q", to, got)
		}
		finished := s.open("GET", app, FinishPath+"?"+url.Values{"code": {s.codeFor(mira, portal)}, "to": {to}}.Encode(), cookie(started, "__Host-stepkey-start"))
		if got := finished.Header.Get("Location"); got != app+"/" {
			t.Errorf("%q finishes at %q", to, got)
		}
	}
	for name, target := range map[string]string{"need": StartPath + "?need=root", "max_age": StartPath + "?max_age=-1", "max_age, long": StartPath + "?max_age=99999999999"} {
		if q := location(t, s.open("GET", app, target)).Query(); q.Has("need") || q.Has("max_age") {
			t.Errorf("%s: %v", name, q)
		}
	}
	for name, test := range map[string]struct {
		origin string
		change func(*http.Request)
	}{
		"no application":    {"https://evil.example", func(*http.Request) {}},
		"an untrusted peer": {app, func(r *http.Request) { r.RemoteAddr = "192.0.2.7:1" }},
	} {
		r := httptest.NewRequest("GET", strings.Replace(test.origin, "https", "http", 1)+StartPath, nil)
		r.RemoteAddr = "10.0.0.1:4711"
		r.Header.Set("X-Forwarded-Proto", "https")
		test.change(r)
		w := httptest.NewRecorder()
		s.handshake.ServeHTTP(w, r)
		if w.Code != 403 || len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// Two tabs may be on their way at once.
func TestHandshakeInTwoTabs(t *testing.T) {
	s := newSigning(t)
	mira := s.signIn("mira")
	first := s.open("GET", app, StartPath+"?to=/a")
	secret := cookie(first, "__Host-stepkey-start")
	second := s.open("GET", app, StartPath+"?to=/b", secret)
	if got := cookie(second, "__Host-stepkey-start"); got != secret {
		t.Errorf("the second tab has %s, the first %s", got, secret)
	}
	for _, started := range []*http.Response{second, first} {
		finished := s.open("GET", app, FinishPath+"?code="+s.codeFor(mira, location(t, started)), secret)
		if cookie(finished, "__Host-stepkey") == "" {
			t.Errorf("finish: %d", finished.StatusCode)
		}
	}
	planted := s.open("GET", app, StartPath, "Cookie: __Host-stepkey-start=short")
	if got := cookie(planted, "__Host-stepkey-start"); got == "" || strings.HasSuffix(got, "=short") {
		t.Errorf("a short secret: %q", got)
	}
}

// A sign-out at one application ends the session at all, and only a page of the application asks
// for it.
func TestGateSignOut(t *testing.T) {
	s := newSigning(t)
	mira := s.signIn("mira")
	atApp, atShop := s.browse(mira, app), s.browse(mira, shop)
	for _, headers := range [][]string{{"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"}, {"Origin: https://evil.example"}, {"Origin: null"}, {}} {
		if answer := s.open("POST", app, SignOutPath, append(headers, atApp)...); answer.StatusCode != 403 {
			t.Errorf("%v: %d", headers, answer.StatusCode)
		}
	}
	if answer := s.open("GET", app, SignOutPath, atApp); answer.StatusCode != 200 {
		t.Errorf("GET: %d", answer.StatusCode)
	}
	if answer := s.ask("GET", app, "/", atApp); answer.StatusCode != 200 {
		t.Fatalf("still signed in: %d", answer.StatusCode)
	}
	if answer := s.ask("GET", shop, "/", atShop); answer.StatusCode != 200 {
		t.Fatalf("at the other application: %d", answer.StatusCode)
	}
	out := s.open("POST", app, SignOutPath, atApp, "Sec-Fetch-Site: same-origin")
	if got := location(t, out).String(); got != app+"/" || !strings.Contains(out.Header.Get("Set-Cookie"), "__Host-stepkey=; Path=/; Max-Age=0") {
		t.Errorf("signed out to %s, %v", got, out.Header["Set-Cookie"])
	}
	for origin, session := range map[string]string{app: atApp, shop: atShop} {
		if answer := s.ask("GET", origin, "/", session); answer.StatusCode != 401 {
			t.Errorf("after the sign-out at %s: %d", origin, answer.StatusCode)
		}
	}
	if _, _, err := s.service.Sessions(t.Context(), mira, nil, 10); err == nil {
		t.Error("the session lives on at the service")
	}
	if again := s.open("POST", app, SignOutPath, atApp, "Sec-Fetch-Site: same-origin"); again.StatusCode != 303 {
		t.Errorf("again: %d", again.StatusCode)
	}
}

// Changes at the service count at the applications at once, although most requests read nothing.
func TestGateFollowsTheSession(t *testing.T) {
	s := newSigning(t)
	mira := s.signIn("mira")
	atApp := s.browse(mira, app)
	want := func(what, target string, status int) {
		t.Helper()
		if answer := s.ask("GET", app, target, atApp); answer.StatusCode != status {
			t.Errorf("%s: %d, want %d", what, answer.StatusCode, status)
		}
	}
	want("a passkey is missing", "/payouts/1", 403)
	want("a group is missing", "/ops/", 403)

	device := authenticator.New(authenticator.Config{})
	options, err := s.service.BeginRegistration(t.Context(), mira)
	s.must(err)
	text, err := json.Marshal(options)
	s.must(err)
	created, err := device.Create("https://auth.example.org", text)
	s.must(err)
	var response stepkey.RegistrationResponse
	s.must(json.Unmarshal(created, &response))
	_, err = s.service.FinishRegistration(t.Context(), mira, response, "")
	s.must(err)
	s.clock.Advance(refusedAge)
	want("after the first passkey", "/payouts/1", 200)
	s.clock.Advance(10*time.Minute + time.Second)
	want("ten minutes later", "/payouts/1", 403)
	want("below", "/", 200)
}

func (s *signing) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// While the store is away, known sessions go on and unknown ones get 503.
func TestGateWithoutStore(t *testing.T) {
	s := newSigning(t)
	mira := s.signIn("mira")
	known, unknown := s.browse(mira, app), s.browse(mira, shop)
	if answer := s.ask("GET", app, "/", known); answer.StatusCode != 200 {
		t.Fatal(answer.StatusCode)
	}
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, origin, target, session string
		later                         time.Duration
		status                        int
	}{
		{"known", app, "/", known, 0, 200},
		{"known, a minute later", app, "/", known, usualAge + awayAge - time.Second, 200},
		{"known, and a passkey is missing", app, "/payouts/1", known, 0, 503},
		{"not known", shop, "/", unknown, 0, 503},
		{"open", app, "/public/x", unknown, 0, 200},
		{"denied", app, "/internal/x", unknown, 0, 403},
		{"known, too long", app, "/", known, time.Second, 503},
	} {
		s.clock.Advance(test.later)
		if answer := s.ask("GET", test.origin, test.target, test.session); answer.StatusCode != test.status {
			t.Errorf("%s: %d, want %d", test.name, answer.StatusCode, test.status)
		}
	}
}

// Each sender is refused in the form in which it can go on.
func TestGateRefusesByKind(t *testing.T) {
	s := newSigning(t)
	post := []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: same-origin", "Accept: text/html", "Referer: https://app.example.com/form?x=1"}
	for _, test := range []struct {
		name, method string
		headers      []string
		status       int
		header, want string
		body         string
	}{
		{"a navigation", "GET", document, 303, "Location", app + StartPath + "?need=sign-in&to=%2Fpage%3Fb%3D2", ""},
		{"without Fetch Metadata", "GET", []string{"Accept: text/html"}, 303, "Location", app + StartPath + "?need=sign-in&to=%2Fpage%3Fb%3D2", ""},
		{"a form", "POST", post, 401, "Location", "", `href="/_stepkey/start?need=sign-in&amp;to=%2Fform%3Fx%3D1"`},
		{"a script", "GET", []string{"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Accept: text/html"}, 401, "Location", "", `"code":"unauthorized"`},
		{"a library", "GET", []string{"Accept: text/html", "X-Requested-With: XMLHttpRequest"}, 401, "Location", "", `"code":"unauthorized"`},
		{"a program", "GET", nil, 401, "WWW-Authenticate", "Bearer", `"code":"unauthorized"`},
		{"HEAD", "HEAD", document, 401, "Location", "", ""},
		{"a prefetch", "GET", append([]string{"Sec-Purpose: prefetch"}, document...), 401, "Location", "", ""},
		{"a frame", "GET", []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe", "Accept: text/html"}, 401, "Location", "", `target="_top"`},
		{"htmx", "POST", []string{"HX-Request: true", "HX-Current-URL: https://app.example.com/list"}, 401, "HX-Redirect", app + StartPath + "?need=sign-in&to=%2Flist", `"code":"unauthorized"`},
		{"htmx that lies", "POST", []string{"HX-Request: true", "HX-Current-URL: https://evil.example/list"}, 401, "HX-Redirect", app + StartPath + "?need=sign-in&to=%2F", ""},
		{"Turbo", "GET", []string{"X-Turbo-Request-Id: 1", "Accept: text/html"}, 401, "Location", "", `<meta name="turbo-visit-control" content="reload">`},
	} {
		answer := s.ask(test.method, app, "/page?b=2", test.headers...)
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != test.status || answer.Header.Get(test.header) != test.want || !strings.Contains(string(body), test.body) {
			t.Errorf("%s: %d, %s %q, %s", test.name, answer.StatusCode, test.header, answer.Header.Get(test.header), body)
		}
	}
	for _, test := range []struct {
		name, target string
		status       int
		want         string
	}{
		{"denied", "/internal/x", 403, "You have no access"},
		{"malformed", "/a/../b", 400, "This address does not work"},
	} {
		answer := s.ask("GET", app, test.target, document...)
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != test.status || !strings.Contains(string(body), test.want) || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", test.name, answer.StatusCode, body)
		}
	}
}
