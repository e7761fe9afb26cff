package httpapi

import "testing"

// A page learns that there is no session without a status that browsers show as an error. Everything
// else is answered as ever.
func TestRefreshIfPresent(t *testing.T) {
	h := newHandler(newService(t), Options{})
	send(h, "POST", "/auth/signup", `{"username":"mira","password":"correct horse battery"}`)
	const ifPresent = `{"ifPresent":true}`
	wantStatus(t, "nothing presented", send(h, "POST", "/auth/refresh", ifPresent, "Origin", page), 204, "")
	wantStatus(t, "not asked for", send(h, "POST", "/auth/refresh", `{}`, "Origin", page), 401, "unauthorized")
	wantStatus(t, "not wanted", send(h, "POST", "/auth/refresh", `{"ifPresent":false}`, "Origin", page), 401, "unauthorized")
	wantStatus(t, "a bad token", send(h, "POST", "/auth/refresh", `{"ifPresent":true,"refreshToken":"no"}`), 401, "unauthorized")

	r := logInWith(h, "cookie", "Origin", page)
	for _, cookie := range r.Cookies() {
		if cookie.Name == cookiesFor([]string{page}).refresh {
			jar := cookie.Name + "=" + cookie.Value
			wantStatus(t, "of another site", send(h, "POST", "/auth/refresh", ifPresent, "Origin", "https://evil.example", "Cookie", jar), 403, "cross_site")
			wantStatus(t, "a cookie", send(h, "POST", "/auth/refresh", ifPresent, "Origin", page, "Cookie", jar), 200, "")
			return
		}
	}
	t.Error("no refresh cookie")
}
