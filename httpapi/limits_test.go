package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/memstore"
)

func limited(t *testing.T) http.Handler {
	t.Helper()
	return newHandler(newServiceWith(t, func(c *stepkey.Config) {
		c.DangerNoLimits, c.Limiter = false, memstore.NewLimiter(0, nil)
	}), Options{})
}

func deviceCookieIn(t *testing.T, r *http.Response) *http.Cookie {
	t.Helper()
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, "stepkey-device-3000-") {
			return c
		}
	}
	t.Fatalf("no device cookie: %v", r.Header)
	return nil
}

func TestTooManyFailuresAnswer429ButToKnownDevices(t *testing.T) {
	h := limited(t)
	credentials := func(name, password string) string {
		return `{"username":"` + name + `","password":"` + password + `"}`
	}
	right, wrong := credentials("mira", "correct horse battery"), credentials("mira", "incorrect horse")
	send(h, "POST", "/auth/signup", right)
	device := deviceCookieIn(t, send(h, "POST", "/auth/login", right))
	if !device.HttpOnly || device.SameSite != http.SameSiteStrictMode || device.Path != "/" ||
		device.Domain != "" || device.MaxAge < 179*24*3600 {
		t.Errorf("device cookie: %+v", device)
	}
	for range 10 {
		wantStatus(t, "a wrong password", send(h, "POST", "/auth/login", wrong), 401, "unauthorized")
	}
	refused := send(h, "POST", "/auth/login", right)
	if after, err := strconv.Atoi(refused.Header.Get("Retry-After")); err != nil || after > 30 || after < 1 {
		t.Errorf("Retry-After is %d, %v; want up to 30", after, err)
	}
	wantStatus(t, "the eleventh", refused, 429, "rate_limited")
	known := send(h, "POST", "/auth/signin", right, "Cookie", "other=1; "+device.Name+"="+device.Value)
	if next := deviceCookieIn(t, known); next.Name != device.Name || next.MaxAge < 179*24*3600 {
		t.Errorf("the next device cookie is %s=%s", next.Name, next.Value)
	}
	wantStatus(t, "a known device", known, 201, "")
}

func TestTooShortPasswordIsToldHowLong(t *testing.T) {
	h := newHandler(newServiceWith(t, func(c *stepkey.Config) { c.MinPasswordLength, c.RPName = 15, "Pelikan Post" }), Options{})
	signUp := func(password string) *http.Response {
		return send(h, "POST", "/auth/signup", `{"username":"mira","password":"`+password+`"}`)
	}
	refused := signUp("walrus parade!")
	var body struct{ Code, Detail string }
	if err := json.NewDecoder(refused.Body).Decode(&body); err != nil || body.Code != "password_too_short" ||
		!strings.Contains(body.Detail, "at least 15 characters") {
		t.Errorf("%d %+v, %v", refused.StatusCode, body, err)
	}
	wantStatus(t, "the service's name", signUp("Pelikan Post 1234"), 400, "password_contains_username")
	wantStatus(t, "fifteen", signUp("walrus parade 1"), 201, "")
}

func TestTooManySignUpsAnswer429(t *testing.T) {
	h := limited(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		body := `{"username":"` + name + `","password":"correct horse battery"}`
		wantStatus(t, name, send(h, "POST", "/auth/signup", body), 201, "")
	}
	refused := send(h, "POST", "/auth/signup", `{"username":"f","password":"correct horse battery"}`)
	// 61 minutes from the first of the five, which a busy machine takes a while for.
	if after, err := strconv.Atoi(refused.Header.Get("Retry-After")); err != nil || after > 3660 || after < 3000 {
		t.Errorf("Retry-After is %d, %v; want 61 minutes", after, err)
	}
	wantStatus(t, "the sixth", refused, 429, "rate_limited")
}
