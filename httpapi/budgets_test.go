package httpapi

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/memstore"
)

// onFrozenClock is a service with limits whose clock stands still, so that no budget refills.
func onFrozenClock(t *testing.T, change ...func(*stepkey.Config)) *stepkey.Service {
	t.Helper()
	now := time.Now()
	return newServiceWith(t, func(c *stepkey.Config) {
		clock := func() time.Time { return now }
		c.DangerNoLimits, c.Clock, c.Limiter = false, clock, memstore.NewLimiter(0, clock)
		for _, set := range change {
			set(c)
		}
	})
}

// exhaust calls until it is refused, and returns how often it was not.
func exhaust(t *testing.T, admit func() error) (admitted int) {
	t.Helper()
	for admitted < 1_000_000 {
		if admit() != nil {
			return admitted
		}
		admitted++
	}
	t.Fatal("there is no end")
	return
}

// Every call has a budget, and is refused with 429 once that is used up.
func TestEveryRouteHasABudget(t *testing.T) {
	service := onFrozenClock(t, requiringAddress)
	h := newHandler(service, Options{Pages: http.NotFoundHandler(), IntrospectionSecret: strings.Repeat("s", 32)})
	_, link, err := service.Admin().Invite(t.Context(), stepkey.InviteRequest{Address: "mira@example.com", Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	_, invitation, _ := strings.Cut(link, "#")
	mira := `{"username":"mira","password":"correct horse battery","invitation":"` + invitation + `"}`
	send(h, "POST", "/auth/signup", mira)
	var granted struct{ AccessToken string }
	if err := json.NewDecoder(send(h, "POST", "/auth/login", mira).Body).Decode(&granted); err != nil {
		t.Fatal(err)
	}
	claims, err := service.Verifier().Verify(t.Context(), granted.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	from := stepkey.Client{IP: netip.MustParseAddr("192.0.2.1")} // that of httptest
	exhaust(t, func() error { return service.AdmitSession(claims.SessionID) })
	exhaust(t, func() error { return service.AdmitClient(from) })
	exhaust(t, func() error { return service.AdmitReadiness(from) })
	exhaust(t, func() error { _, err := service.AdmitIntrospection(from); return err })

	a := &api{service: service, guard: guard.New(service.Verifier(), guard.Options{Ended: service}), pages: http.NotFoundHandler()}
	for _, route := range a.routes() {
		for method, handler := range route.methods {
			path := strings.ReplaceAll(route.paths[0], "{id}", uuid.NewString())
			if handler.budget == 0 {
				t.Errorf("%s %s declares no budget", method, path)
			}
			if route.paths[0] == "/users/histories" {
				continue // this token's level does not suffice
			}
			var headers []string
			if handler.budget == perSession {
				headers = []string{"Authorization", "Bearer " + granted.AccessToken}
			}
			got := send(h, method, path, "", headers...)
			switch limited := got.StatusCode == http.StatusTooManyRequests; {
			case limited == (handler.budget == fixed):
				t.Errorf("%s %s: %d, with a budget of kind %d", method, path, got.StatusCode, handler.budget)
			case limited && got.Header.Get("Retry-After") == "":
				t.Errorf("%s %s: no Retry-After", method, path)
			}
		}
	}
	wantStatus(t, "a refused token", send(h, "GET", "/users/profile", "", "Authorization", "Bearer nothing"), 401, "unauthorized")
}

// A session and an address use up budgets of their own.
func TestBudgetsAreNotShared(t *testing.T) {
	service := onFrozenClock(t)
	if n := exhaust(t, func() error { return service.AdmitSession("one") }); n < 100 || service.AdmitSession("other") != nil {
		t.Errorf("after %d calls of one session the other one has none", n)
	}
	at := func(address string) func() error {
		return func() error { return service.AdmitClient(stepkey.Client{IP: netip.MustParseAddr(address)}) }
	}
	exhaust(t, at("2001:db8::1"))
	if at("2001:db8::ffff:1")() == nil {
		t.Error("another address of one /64 has a budget of its own")
	}
	if err := at("2001:db8:0:1::1")(); err != nil {
		t.Errorf("the next /64: %v", err)
	}
}

// Wrong introspection secrets end in 429, also for the right one; right ones never do.
func TestGuessesAtTheIntrospectionSecret(t *testing.T) {
	h := newHandler(onFrozenClock(t), Options{IntrospectionSecret: strings.Repeat("s", 32)})
	ask := func(secret string) *http.Response {
		return send(h, "POST", "/auth/introspect", "token=x", "Authorization", "Bearer "+secret,
			"Content-Type", "application/x-www-form-urlencoded")
	}
	for range 100 {
		wantStatus(t, "the right secret", ask(strings.Repeat("s", 32)), 200, "")
	}
	for range 20 {
		wantStatus(t, "a wrong secret", ask("guess"), 401, "unauthorized")
	}
	wantStatus(t, "one more", ask("guess"), 429, "rate_limited")
	wantStatus(t, "the right one after that", ask(strings.Repeat("s", 32)), 429, "rate_limited")
}

func TestGuessesAtRevocation(t *testing.T) {
	service := onFrozenClock(t)
	h := newHandler(service, Options{})
	revoke := func(token string) *http.Response {
		return send(h, "POST", "/auth/revoke", "token="+token, "Content-Type", "application/x-www-form-urlencoded")
	}
	const mira = `{"username":"mira","password":"correct horse battery","refresh":"body"}`
	send(h, "POST", "/auth/signup", strings.Replace(mira, `,"refresh":"body"`, "", 1))
	var granted struct{ AccessToken, RefreshToken string }
	if err := json.NewDecoder(send(h, "POST", "/auth/login", mira).Body).Decode(&granted); err != nil {
		t.Fatal(err)
	}
	for range 150 {
		wantStatus(t, "an access token of ours", revoke(granted.AccessToken), 200, "")
		wantStatus(t, "a refresh token of ours", revoke(granted.RefreshToken), 200, "")
	}
	for range 100 {
		wantStatus(t, "a guess", revoke("guess"), 200, "")
	}
	wantStatus(t, "one more", revoke("guess"), 429, "rate_limited")
}
