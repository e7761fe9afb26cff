package stepup_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey/stepup"
)

// Row: a copied session plants a form or a path.
func TestThreatPlantedFormOrPath(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		owner := a.owner("42")
		form, action := owner.sealed("/transfer", "amount=1&to=Ada")
		planted := "/_stepkey/verify?" + url.Values{"p": {"payout"}, "next": {"/logout"}, "form": {form}, "action": {action}}.Encode()
		for _, site := range []struct{ site, auto string }{{"same-origin", "true"}, {"none", "false"}, {"cross-site", "false"}, {"same-site", "false"}, {"", "false"}} {
			r := a.request(http.MethodGet, planted, nil, asDocument...)
			r.Header.Del("Sec-Fetch-Site")
			if site.site != "" {
				r.Header.Set("Sec-Fetch-Site", site.site)
			}
			answer := owner.Do(r)
			if got := [3]string{data(owner.Client, answer, "form"), data(owner.Client, answer, "action"), data(owner.Client, answer, "auto")}; got != [3]string{"", "", site.auto} {
				a.Errorf("from %q: form, action and auto are %q", site.site, got)
			}
		}
		owner.verifies()
		for site, status := range map[string]int{"same-origin": http.StatusSeeOther, "none": http.StatusOK, "cross-site": http.StatusOK} {
			answer := owner.Do(a.request(http.MethodGet, "/_stepkey/verify?p=payout&next=/logout", nil, append(asDocument[:6:6], "Sec-Fetch-Site", site)...))
			a.want("verified, from "+site, owner.Client, answer, status, "")
		}
	})
}

// Row: a cross-site POST is laundered by the page for the purpose.
func TestThreatCrossSitePost(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		owner := a.owner("42")
		other := strings.Replace(a.url, "http://", "https://", 1)
		for _, test := range []struct {
			name, site, origin string
			kept               bool
		}{
			{"same origin", "same-origin", a.url, true},
			{"no-referrer", "same-origin", "null", true},
			{"an old browser", "", a.url, true},
			{"another site", "cross-site", "https://evil.example", false},
			{"another site with our Origin", "cross-site", a.url, false},
			{"same site", "same-site", "http://evil.localhost", false},
			{"an old browser at another site", "", "https://evil.example", false},
			{"another scheme", "", other, false},
			{"Origin null", "", "null", false},
			{"neither", "", "", false},
			{"no page", "none", "", false},
		} {
			r := a.posts("/payouts", "amount=1")
			for name, value := range map[string]string{"Sec-Fetch-Site": test.site, "Origin": test.origin} {
				r.Header.Del(name)
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			answer := owner.Do(r)
			status := http.StatusForbidden
			if test.kept {
				status = http.StatusUnauthorized
			}
			if form := data(owner.Client, answer, "form"); answer.StatusCode != status || (form != "") != test.kept {
				a.Errorf("%s: %d, kept: %v; want %d, %v", test.name, answer.StatusCode, form != "", status, test.kept)
			}
		}
	})
}

// Calls of other sites do nothing, with any method and body.
func TestThreatCrossSiteCall(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		owner := a.owner("42")
		owner.verifies()
		calls := []string{"begin", "finish", "add/begin", "add/finish", "passkeys/" + owner.passkeyID(), "codes", "recover", "skip"}
		for _, call := range calls {
			for _, headers := range [][]string{
				{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Content-Type", "application/json"},
				{"Origin", a.url, "Sec-Fetch-Site", "cross-site", "Content-Type", "application/json"},
				{"Origin", "null", "Sec-Fetch-Site", "same-origin", "Content-Type", "application/json"},
				{"Sec-Fetch-Site", "same-origin", "Content-Type", "application/json"},
				{"Content-Type", "application/json"},
			} {
				answer := owner.Do(a.request(http.MethodPost, "/_stepkey/"+call, strings.NewReader("{}"), headers...))
				a.wantCode(fmt.Sprint(call, headers), owner.Client, answer, http.StatusForbidden, "cross_site")
			}
			for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"} {
				answer := owner.Do(a.request(http.MethodPost, "/_stepkey/"+call, strings.NewReader("{}"), "Origin", a.url, "Content-Type", kind))
				a.wantCode(call+" as "+kind, owner.Client, answer, http.StatusBadRequest, "invalid_request")
			}
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
				if answer := owner.Do(a.request(method, "/_stepkey/"+call, nil, "Origin", a.url)); answer.StatusCode != http.StatusMethodNotAllowed {
					a.Errorf("%s %s: %d", method, call, answer.StatusCode)
				}
			}
		}
	})
}

// Row: a form of another user or session, or once more.
func TestThreatFormOfAnother(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		mira := a.owner("42")
		form, _ := mira.sealed("/payouts", "amount=1")
		transfer, action := mira.sealed("/transfer", "amount=1&to=Ada")
		blog := newApp(a, a.db, func(c *stepup.Config) {
			c.Realm, c.Clock, c.Origins = "blog", a.clock.Now, []string{a.url, c.Origins[0]}
		})
		reader := blog.owner("42")
		id := a.identity(mira.cookie)
		blog.setIdentity(reader.cookie, &id)
		refused := func(what string, p person, sealed string) {
			a.Helper()
			a.wantCode(what, p.Client, p.finish(withForm(p.asserted(""), sealed)), http.StatusConflict, "form_expired")
		}
		another := a.owner("43")
		session := a.identity(another.cookie)
		session.Session = a.identity(mira.cookie).Session
		a.setIdentity(another.cookie, &session)
		refused("another user", another, form)
		refused("another session", mira.elsewhere(), form)
		refused("another realm", reader, form)
		refused("changed", mira, flip(form, len(form)/2))
		refused("cut", mira, form[:12])
		refused("an action as a form", mira, action)
		for what, sealed := range map[string]string{"a form": form, "an action of another purpose": action} {
			answer := mira.Call("/_stepkey/begin", map[string]string{"purpose": map[bool]string{true: "payout", false: "passkeys"}[what == "a form"], "action": sealed})
			a.wantCode(what+" as an action", mira.Client, answer, http.StatusConflict, "form_expired")
		}
		other := a.owner("44")
		a.wantCode("an action of another user", other.Client, other.Call("/_stepkey/begin", map[string]string{"purpose": "payout", "action": action}), http.StatusConflict, "form_expired")
		a.wantPass("nothing of this was a proof", mira.Client, false)

		body := withForm(mira.asserted(action), transfer)
		a.want("released", mira.Client, mira.finish(body), http.StatusOK, `"amount"`)
		a.wantCode("released twice by one assertion", mira.Client, mira.finish(body), http.StatusBadRequest, "challenge_expired")
		a.want("by another one", mira.Client, mira.finish(withForm(mira.asserted(""), transfer)), http.StatusOK, `"amount"`)
		a.clock.Advance(10*time.Minute + time.Second)
		refused("after 10 minutes", mira, form)
		if paid := a.payments(); len(paid) != 0 {
			a.Errorf("paid %q", paid)
		}
	})
}

// Row: the action done differs from the action shown.
func TestThreatActionDiffers(t *testing.T) {
	onBoth(t, func(c *stepup.Config) {
		c.Purposes = append(c.Purposes, stepup.Purpose{Name: "refund", Rule: stepup.Passkey.Within(time.Minute)})
	}, func(a *app) {
		owner := a.owner("42")
		const shown = "amount=1&to=Ada"
		_, action := owner.sealed("/transfer", shown)
		owner.finish(owner.asserted(action))
		asJSON := func(body string) *http.Request {
			return a.request(http.MethodPost, "/transfer", strings.NewReader(body), "Content-Type", "application/json", "Origin", a.url)
		}
		as := func(method string) *http.Request { r := a.posts("/transfer", shown); r.Method = method; return r }
		type row struct {
			name    string
			request *http.Request
			status  int
		}
		rows := []row{
			{"another amount", a.posts("/transfer", "amount=2&to=Ada"), 401},
			{"an amount with a zero", a.posts("/transfer", "amount=01&to=Ada"), 401},
			{"a field left out", a.posts("/transfer", "amount=1"), 401},
			{"no body", a.posts("/transfer", ""), 401},
			{"twice", a.posts("/transfer", shown+"&amount=1"), 400},
			{"twice in another case", a.posts("/transfer", shown+"&Amount=9"), 400},
			{"as a list", a.posts("/transfer", shown+"&amount%5B%5D=9"), 200},
			{"in the query", a.posts("/transfer?amount=9", shown), 400},
			{"another query", a.posts("/transfer?x=1", shown), 401},
			{"after a semicolon", a.posts("/transfer", shown+";amount=9"), 400},
			{"as JSON", asJSON(`{"amount":"1","to":"Ada"}`), 200},
			{"as a number", asJSON(`{"amount":1,"to":"Ada"}`), 401},
			{"JSON with two", asJSON(`{"amount":"1","to":"Ada","amount":"9"}`), 400},
			{"JSON in JSON", asJSON(`{"amount":{"value":"1"},"to":"Ada"}`), 400},
			{"two documents", asJSON(`{"amount":"1","to":"Ada"}{}`), 400},
			{"as a script's text", a.request(http.MethodPost, "/transfer", strings.NewReader(shown), "Content-Type", "text/plain"), 400},
			{"PUT", as(http.MethodPut), 401},
			{"PATCH", as(http.MethodPatch), 401},
			{"DELETE", as(http.MethodDelete), 401},
			{"too large", a.posts("/transfer", shown+"&note="+strings.Repeat("x", 64<<10)), 400},
			{"another charset", a.posts("/transfer", shown, "Content-Type", "application/x-www-form-urlencoded; charset=utf-16"), 400},
		}
		for _, r := range rows {
			if r.status == 200 {
				owner.finish(owner.asserted(action)) // the same action: it takes the consent
			}
			a.want(r.name, owner.Client, owner.Do(r.request), r.status, "")
		}
		for _, paid := range a.payments() {
			if strings.Contains(paid, "amount=2") || strings.Contains(paid, ";") {
				a.Errorf("paid %q", paid)
			}
		}
		a.clock.Advance(time.Minute)
		a.want("a minute later", owner.Client, owner.Do(a.posts("/transfer", shown)), http.StatusUnauthorized, "data-state")
	})
}

// Row: 64 parallel replays of an assertion, and of what it confirmed.
func TestThreatParallelReplays(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		owner := a.owner("42")
		count := func(one func(person) *http.Response) (ok int) {
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range 64 {
				p := owner
				p.Client = owner.copied() // a Client is for one goroutine
				wg.Go(func() {
					if one(p).StatusCode == http.StatusOK {
						mu.Lock()
						defer mu.Unlock()
						ok++
					}
				})
			}
			wg.Wait()
			return ok
		}
		body := owner.asserted("")
		if n := count(func(p person) *http.Response { return p.finish(body) }); n != 1 {
			a.Errorf("%d of 64 finished, want 1", n)
		}
		_, action := owner.sealed("/transfer", "amount=1&to=Ada")
		confirm := owner.asserted(action)
		if n := count(func(p person) *http.Response { return p.finish(confirm) }); n != 1 {
			a.Errorf("%d of 64 confirmed, want 1", n)
		}
		if n := count(func(p person) *http.Response { return p.Do(a.posts("/transfer", "amount=1&to=Ada")) }); n != 1 || len(a.payments()) != 1 {
			a.Errorf("%d of 64 acted, %d payments; want 1", n, len(a.payments()))
		}
	})
}

// Row: next leads to another site. The page for a purpose that is met redirects at once.
func FuzzThreatNext(f *testing.F) {
	for _, next := range []string{
		"/", "/payouts?a=1&b=%2F%2Fevil", "//evil", `/\evil`, "/%09/evil", "/\t/evil", "/\n/evil", "https://evil", "javascript:alert(1)", "evil", "",
		"///evil", "/.//evil", "/..//evil", "/%2F/evil", "/%5Cevil", "/a/../..//evil", "/\x00", "/é", "/#//evil", "/?next=//evil", "/%", " /evil", "/" + strings.Repeat("a", 3000),
		"/%0d%0aSet-Cookie:a=b", "/@evil", "/:80", "/;//evil",
	} {
		f.Add(next)
	}
	a := newApp(f, database(f, "sqlite"), nil)
	owner := a.owner("42")
	owner.verifies()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	f.Fuzz(func(t *testing.T, next string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/_stepkey/verify?p=payout&next="+url.QueryEscape(next), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Cookie", "session="+owner.cookie)
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		to := answer.Header.Get("Location")
		if answer.StatusCode != http.StatusSeeOther {
			t.Fatalf("%q: %d", next, answer.StatusCode)
		}
		// As the URL Standard has browsers read it.
		read := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimSpace(to))
		if !strings.HasPrefix(read, "/") || strings.HasPrefix(read, "//") {
			t.Errorf("%q leads to %q", next, to)
		}
		u, err := answer.Request.URL.Parse(to)
		if err != nil || u.Scheme+"://"+u.Host != a.url || strings.Contains(u.Path, "//") {
			t.Errorf("%q leads to %q: %v, %v", next, to, u, err)
		}
	})
}
