package stepup_test

import (
	"bytes"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/stepup"
)

// The answers to each kind of request that does not meet its purpose, with and without a user who is signed in.
func TestThreatEachKindOfRequestIsRefused(t *testing.T) {
	with := func(more ...string) []string { return append(slices.Clone(asDocument), more...) }
	verify := "/_stepkey/verify?p=payout&next=" + url.QueryEscape("/payouts?a=1")
	signIn := "/login?next=" + url.QueryEscape("/payouts?a=1")
	toRoot, signInRoot := "/_stepkey/verify?p=payout&next=%2F", "/login?next=%2F"
	for _, test := range []struct {
		name, method  string
		headers       []string
		status        int
		header, value string // that leads on
		nobody        int
		nobodyValue   string
	}{
		{"document", "GET", asDocument, 303, "Location", verify, 303, signIn},
		{"old browser", "GET", []string{"Accept", "text/html"}, 303, "Location", verify, 303, signIn},
		{"from the address bar", "GET", with("Sec-Fetch-Site", "none"), 303, "Location", verify, 303, signIn},
		{"iframe", "GET", with("Sec-Fetch-Dest", "iframe"), 401, "", "", 401, ""},
		{"embed", "GET", with("Sec-Fetch-Dest", "embed"), 401, "", "", 401, ""},
		{"htmx", "GET", []string{"HX-Request", "true", "HX-Current-URL", "{}/page?b=2"}, 401, "HX-Redirect", "/_stepkey/verify?p=payout&next=" + url.QueryEscape("/page?b=2"), 401, "/login?next=" + url.QueryEscape("/page?b=2")},
		{"htmx that lies", "POST", []string{"HX-Request", "true", "HX-Current-URL", "https://evil.example/x"}, 401, "HX-Redirect", toRoot, 401, signInRoot},
		{"Turbo", "GET", with("X-Turbo-Request-Id", "1", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"), 303, "Location", verify, 303, signIn},
		{"Turbo form", "POST", with("X-Turbo-Request-Id", "1"), 401, "", "", 401, ""},
		{"Inertia", "GET", []string{"X-Inertia", "true"}, 409, "X-Inertia-Location", verify, 409, signIn},
		{"Inertia form", "PUT", []string{"X-Inertia", "true"}, 409, "X-Inertia-Location", toRoot, 409, signInRoot},
		{"prefetch", "GET", with("Sec-Purpose", "prefetch"), 401, "Location", "", 401, ""},
		{"prerender", "GET", with("Sec-Purpose", "prefetch;prerender"), 401, "Location", "", 401, ""},
		{"Turbo prefetch", "GET", with("X-Sec-Purpose", "prefetch"), 401, "Location", "", 401, ""},
		{"fetch", "GET", []string{"Accept", "*/*", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, 401, "Location", "", 401, ""},
		{"fetch of HTML", "GET", []string{"Accept", "text/html", "Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty"}, 401, "Location", "", 401, ""},
		{"XMLHttpRequest", "GET", []string{"Accept", "text/html", "X-Requested-With", "XMLHttpRequest"}, 401, "Location", "", 401, ""},
		{"EventSource", "GET", []string{"Accept", "text/event-stream"}, 401, "Location", "", 401, ""},
		{"WebSocket", "GET", []string{"Connection", "Upgrade", "Upgrade", "websocket"}, 401, "Location", "", 401, ""},
		{"HEAD", "HEAD", asDocument, 401, "Location", "", 401, ""},
		{"OPTIONS", "OPTIONS", asDocument, 401, "Location", "", 401, ""},
		{"PUT", "PUT", asDocument, 401, "Location", "", 401, ""},
		{"PATCH", "PATCH", asDocument, 401, "Location", "", 401, ""},
		{"DELETE", "DELETE", asDocument, 401, "Location", "", 401, ""},
		{"a method of its own", "PURGE", asDocument, 401, "Location", "", 401, ""},
		{"curl", "GET", nil, 401, "Location", "", 401, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, nil, func(a *app) {
				owner := a.owner("42")
				request := func() *http.Request {
					r := a.request(test.method, "/payouts?a=1", nil, test.headers...)
					r.Header.Set("HX-Current-URL", strings.ReplaceAll(r.Header.Get("HX-Current-URL"), "{}", a.url))
					return r
				}
				answer := owner.Do(request())
				if answer.StatusCode != test.status || test.header != "" && answer.Header.Get(test.header) != test.value {
					a.Errorf("%d, %s %q; want %d, %q", answer.StatusCode, test.header, answer.Header.Get(test.header), test.status, test.value)
				}
				if body := owner.Body(answer); strings.Contains(body, "payouts ") || answer.Header.Get("Cache-Control") != "no-store" || len(answer.Cookies()) > 0 {
					a.Errorf("%q, Cache-Control %q, cookies %v", body, answer.Header.Get("Cache-Control"), answer.Cookies())
				}
				nobody := a.browserWith("nobody's")
				if answer := nobody.Do(request()); answer.StatusCode != test.nobody || test.header != "" && answer.Header.Get(test.header) != test.nobodyValue {
					a.Errorf("nobody: %d, %s %q; want %d, %q", answer.StatusCode, test.header, answer.Header.Get(test.header), test.nobody, test.nobodyValue)
				}
				if paid := a.payments(); len(paid) != 0 {
					a.Errorf("paid %q", paid)
				}
			})
		})
	}
}

// Status 403 is for scripts alone: a page keeps its 401. Scripts find the way from both.
func TestThreatStatus403(t *testing.T) {
	onBoth(t, func(c *stepup.Config) { c.Status = http.StatusForbidden }, func(a *app) {
		owner := a.owner("42")
		answer := owner.Call("/payouts", struct{}{})
		a.wantCode("a script", owner.Client, answer, http.StatusForbidden, "step_up_required")
		if !strings.Contains(answer.Header.Get("WWW-Authenticate"), "insufficient_user_authentication") {
			a.Errorf("WWW-Authenticate: %q", answer.Header.Get("WWW-Authenticate"))
		}
		a.want("a form", owner.Client, owner.Do(a.posts("/payouts", "a=1")), http.StatusUnauthorized, "data-form")
		nobody := a.browserWith("nobody's")
		a.wantCode("nobody", nobody, nobody.Call("/payouts", struct{}{}), http.StatusUnauthorized, "unauthorized")
	})
}

// A script's refusal names the page that it runs on, and not what it fetched.
func TestThreatRefusalLeadsBackToThePage(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		owner := a.owner("42")
		for _, test := range []struct{ name, dest, referer, next string }{
			{"a script", "empty", a.url + "/page?b=2", "%2Fpage%3Fb%3D2"},
			{"a frame", "iframe", a.url + "/page?b=2", "%2Fpage%3Fb%3D2"},
			{"another site", "empty", "https://evil.example/page", "%2F"},
			{"a page with a password", "empty", strings.Replace(a.url, "://", "://a:b@", 1) + "/page", "%2F"},
			{"two slashes", "empty", a.url + "//evil", "%2F"},
		} {
			r := a.request(http.MethodGet, "/payouts", nil, "Sec-Fetch-Dest", test.dest, "Referer", test.referer)
			answer := owner.Do(r)
			if body := owner.Body(answer); !strings.Contains(body, "next="+test.next+`"`) {
				a.Errorf("%s: %s", test.name, body)
			}
		}
	})
}

// zeros is a body that never ends, and counts what is read of it.
type zeros struct{ read int }

func (z *zeros) Read(p []byte) (int, error) {
	n := copy(p, bytes.Repeat([]byte("0"), len(p)))
	z.read += n
	return n, nil
}

// Row: OPTIONS, HEAD, huge bodies. No more than 64 KiB and a byte is read of a body, by a refusal alone.
func TestThreatHugeBodies(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		owner := a.owner("42")
		passed := io.Discard
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.CopyN(passed, r.Body, 5) })
		require, action := a.kit.Require("payout")(handler), a.kit.RequireAction("payout", "amount")(handler)
		for _, test := range []struct {
			name    string
			guard   http.Handler
			length  int64
			headers []string
			most    int
		}{
			{"a form of unknown length", require, -1, asDocument, 64<<10 + 1},
			{"a form that announces 1 GB", require, 1 << 30, asDocument, 0},
			{"a script", require, -1, nil, 0},
			{"an action", action, -1, asDocument, 64<<10 + 1},
			{"an action that announces 1 GB", action, 1 << 30, nil, 0},
			{"a PUT", require, -1, []string{"X-Inertia", "1"}, 0},
		} {
			body := &zeros{}
			r := httptest.NewRequestWithContext(a.Context(), http.MethodPost, a.url+"/payouts", body)
			r.ContentLength = test.length
			for pair := range slices.Chunk(test.headers, 2) {
				r.Header.Set(pair[0], pair[1])
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Cookie", "session="+owner.cookie)
			answer := httptest.NewRecorder()
			test.guard.ServeHTTP(answer, r)
			if answer.Code < 300 || body.read > test.most {
				a.Errorf("%s: %d, %d bytes read; at most %d", test.name, answer.Code, body.read, test.most)
			}
		}
		owner.verifies()
		body := &zeros{}
		r := httptest.NewRequestWithContext(a.Context(), http.MethodPost, a.url+"/payouts", body)
		r.Header.Set("Cookie", "session="+owner.cookie)
		require.ServeHTTP(httptest.NewRecorder(), r)
		if body.read > 32<<10 {
			a.Errorf("%d bytes of a request that passes were read besides the handler's 5", body.read)
		}
		huge := owner.Do(a.request(http.MethodPost, "/_stepkey/finish", io.LimitReader(&zeros{}, 1<<20), "Origin", a.url, "Content-Type", "application/json"))
		a.wantCode("a call", owner.Client, huge, http.StatusBadRequest, "invalid_request")
	})
}

// The same row: a body that announces no length is kept, and its action shown, up to 64 KiB and no byte further.
func TestThreatBodyOfUnknownLength(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		owner := a.owner("42")
		const most = 64 << 10
		for _, test := range []struct {
			path            string
			size, status    int
			kept, confirmed bool
		}{
			{"/payouts", most, http.StatusUnauthorized, true, false},
			{"/payouts", most + 1, http.StatusSeeOther, false, false},
			{"/payouts", 2 * most, http.StatusSeeOther, false, false},
			{"/transfer", most, http.StatusUnauthorized, true, true},
			{"/transfer", most + 1, http.StatusBadRequest, false, false},
			{"/transfer", 2 * most, http.StatusBadRequest, false, false},
		} {
			const begins = "amount=1&to=Ada&note="
			r := a.posts(test.path, begins+strings.Repeat("x", test.size-len(begins)))
			r.ContentLength = -1
			answer := owner.Do(r)
			form, action := data(owner.Client, answer, "form"), data(owner.Client, answer, "action")
			if answer.StatusCode != test.status || (form != "") != test.kept || (action != "") != test.confirmed {
				a.Errorf("%d bytes to %s: %d, kept %v, confirmed %v", test.size, test.path, answer.StatusCode, form != "", action != "")
			}
		}
	})
}

// Row: the page for a purpose is framed, or steered by its opener.
func TestThreatFramedPage(t *testing.T) {
	layouts := []struct {
		name   string
		layout func(http.ResponseWriter, *http.Request, string, template.HTML)
	}{
		{"no layout", nil},
		{"a layout", func(w http.ResponseWriter, _ *http.Request, title string, body template.HTML) {
			w.Header().Set("Content-Security-Policy", "script-src 'nonce-abc'")
			w.Header().Set("X-Frame-Options", "SAMEORIGIN")
			w.Header().Set("Cache-Control", "public, max-age=60")
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, "<title>"+title+"</title>"+string(body))
		}},
	}
	for _, test := range layouts {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(c *stepup.Config) {
				c.Layout, c.Nonce = test.layout, func(*http.Request) string { return "abc" }
			}, func(a *app) {
				owner := a.owner("42")
				for _, page := range []struct {
					r      *http.Request
					status int
				}{
					{a.request(http.MethodGet, "/_stepkey/verify?p=payout&next=/", nil, asDocument...), 200},
					{a.request(http.MethodGet, "/_stepkey/verify?p=payout&next=/", nil, "Sec-Fetch-Dest", "iframe"), 200},
					{a.posts("/payouts", "a=1"), 401},
					{a.posts("/transfer", "amount=1"), 401},
					{a.posts("/payouts", "a=1", "Sec-Fetch-Site", "cross-site"), 403},
				} {
					answer := owner.Do(page.r)
					a.want(page.r.Method, owner.Client, answer, page.status, `nonce="abc"`)
					h := answer.Header
					if !strings.Contains(strings.Join(h.Values("Content-Security-Policy"), ", "), "frame-ancestors 'none'") || h.Get("X-Frame-Options") != "DENY" ||
						h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("Cache-Control") != "no-store" {
						a.Errorf("%s: %v", page.r.URL.Path, h)
					}
				}
				framed := owner.Do(a.request(http.MethodGet, "/payouts", nil, "Sec-Fetch-Dest", "iframe"))
				a.want("a frame", owner.Client, framed, http.StatusUnauthorized, `target="_top"`)
			})
		})
	}
}

// Row: login CSRF, then enrolment: page and device name the account.
func TestThreatLoginCSRF(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		p := a.arrives("mallory")
		a.want("the page", p.Client, p.Get("/payouts"), http.StatusOK, "<dd>mallory@example.com</dd>")
		options := string(p.options("add/begin", struct{}{}))
		if !strings.Contains(options, `"name":"mallory@example.com"`) || !strings.Contains(options, `"displayName":"mallory"`) {
			a.Errorf("options: %s", options)
		}
		id := a.identity(p.cookie)
		id.Name = "\u202emoc.elpmaxe\u200b@\xffmira\x00"
		a.setIdentity(p.cookie, &id)
		a.want("a name that cannot be shown", p.Client, p.Get("/payouts"), http.StatusOK, "<dd>moc.elpmaxe@mira</dd>")
		p.add()
		a.want("to a script", p.Client, p.Call("/_stepkey/begin", map[string]string{"purpose": "payout"}), http.StatusOK, `"account":"moc.elpmaxe@mira"`)
	})
}

// Row: the last passkey is removed to pass Offered.
func TestThreatLastPasskeyRemovedToPassOffered(t *testing.T) {
	onBoth(t, func(c *stepup.Config) {
		c.Purposes[0].Mode, c.Purposes[0].Until = stepup.Offered, c.Clock().Add(24*time.Hour)
	}, func(a *app) {
		owner := a.owner("42")
		thief := a.arrives("42")
		a.wantPass("the password alone", thief.Client, false)
		path := "/_stepkey/passkeys/" + owner.passkeyID()
		a.wantCode("removing it", thief.Client, thief.Call(path, map[string]any{"delete": true, "last": true}), http.StatusUnauthorized, "step_up_required")
		thief.Call("/_stepkey/skip", struct{}{})
		a.wantPass("the password alone, and skip", thief.Client, false)

		// Without a passkey: nobody is sent to an offer that could not be taken.
		old := a.arrives("43")
		id := a.identity(old.cookie)
		id.SignedInAt = time.Time{}
		a.setIdentity(old.cookie, &id)
		a.want("a remembered session", old.Client, old.Do(a.request(http.MethodGet, "/payouts", nil, asDocument...)), http.StatusOK, "payouts")
	})
}

// Row: Shadow or Offered are left on. Until then, Shadow stops nothing, whatever the body is.
func TestThreatShadowLeftOn(t *testing.T) {
	onBoth(t, func(c *stepup.Config) {
		c.Purposes[0].Mode, c.Purposes[0].Until = stepup.Shadow, c.Clock().Add(24*time.Hour)
	}, func(a *app) {
		owner := a.owner("42")
		huge := "amount=1&note=" + strings.Repeat("x", 100<<10)
		for _, body := range []string{"amount=1", "amount=1&amount=2", "%%%", huge, ""} {
			a.want("in shadow", owner.Client, owner.Do(a.posts("/transfer", body)), http.StatusOK, "payouts "+body)
		}
		nobody := a.browserWith("nobody's")
		a.want("nobody", nobody, nobody.Do(a.posts("/transfer", "amount=1")), http.StatusSeeOther, "")
		a.clock.Advance(24 * time.Hour)
		a.want("the day after", owner.Client, owner.Do(a.posts("/transfer", "amount=1")), http.StatusUnauthorized, "data-state")
		a.want("what cannot be shown", owner.Client, owner.Do(a.posts("/transfer", huge)), http.StatusBadRequest, "")
	})
	for _, until := range []time.Duration{0, 91 * 24 * time.Hour} {
		config := stepup.Config{
			DB: database(t, "sqlite"), Secret: testSecret, Origins: []string{"http://localhost"}, SignIn: "/login?next=",
			Purposes: []stepup.Purpose{{Name: "payout", Rule: stepup.Passkey.Within(time.Minute), Mode: stepup.Shadow}},
		}
		if until > 0 {
			config.Purposes[0].Until = time.Now().Add(until)
		}
		if _, err := stepup.New(t.Context(), config); err == nil || !strings.Contains(err.Error(), "payout") {
			t.Errorf("Shadow for %s: %v", until, err)
		}
	}
}
