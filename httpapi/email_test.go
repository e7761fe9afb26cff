package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/memstore"
)

// mailbox is a Mailer that delivers to memory.
type mailbox struct{ mails []stepkey.Mail }

func (b *mailbox) Send(_ context.Context, m stepkey.Mail) error {
	b.mails = append(b.mails, m)
	return nil
}

// mailed is an API that sends mail, and somebody who is signed in to it.
type mailed struct {
	*testing.T
	http.Handler
	service *stepkey.Service
	box     mailbox
	bearer  string
}

func newMailed(t *testing.T) *mailed {
	t.Helper()
	m := &mailed{T: t}
	m.service = newServiceWith(t, func(c *stepkey.Config) {
		c.Mailer = &m.box
		c.DangerNoLimits, c.Limiter = false, memstore.NewLimiter(0, nil)
	})
	m.Handler = newHandler(m.service, Options{})
	body := `{"username":"mira","password":"correct horse battery"}`
	send(m, "POST", "/auth/signup", body)
	var granted struct{ AccessToken string }
	if err := json.NewDecoder(send(m, "POST", "/auth/login", body).Body).Decode(&granted); err != nil {
		t.Fatal(err)
	}
	m.bearer = "Bearer " + granted.AccessToken
	return m
}

// last delivers what is due and returns the token in the newest mail. Its link leads to
// the origin in the config, whichever host (example.com, in httptest) was asked.
func (m *mailed) last() string {
	m.Helper()
	for {
		n, err := m.service.DeliverMail(m.Context())
		if err != nil {
			m.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	found := regexp.MustCompile(`http://localhost:3000/[\w-]+#([\w-]{43})`).FindStringSubmatch(m.box.mails[len(m.box.mails)-1].Text)
	if found == nil {
		m.Fatal("no link")
	}
	return found[1]
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestEmailAndReset(t *testing.T) {
	m := newMailed(t)
	bearer := []string{"Authorization", m.bearer}
	email := func(want string) {
		t.Helper()
		if got := text(t, send(m, "GET", "/account/email", "", bearer...)); strings.TrimSpace(got) != want {
			t.Errorf("GET /account/email: %s, want %s", got, want)
		}
	}
	email(`{"available":true,"email":null,"pending":null}`)
	wantStatus(t, "ask", send(m, "POST", "/account/email", `{"email":"mira@example.com"}`, bearer...), 202, "")
	email(`{"available":true,"email":null,"pending":"mira@example.com"}`)
	wantStatus(t, "confirm", send(m, "POST", "/account/email/verify", fmt.Sprintf(`{"token":%q}`, m.last())), 200, "")
	email(`{"available":true,"email":"mira@example.com","pending":null}`)
	wantStatus(t, "confirm nothing", send(m, "POST", "/account/email/verify", `{"token":"x"}`), 400, "link_expired")

	wantStatus(t, "forgot", send(m, "POST", "/recovery/password", `{"username":"mira"}`), 202, "")
	finish := fmt.Sprintf(`{"token":%q,"password":%%q}`, m.last())
	wantStatus(t, "too short", send(m, "POST", "/recovery/password/finish", fmt.Sprintf(finish, "short")), 400, "password_too_short")
	done := send(m, "POST", "/recovery/password/finish", fmt.Sprintf(finish, "another long password"))
	if got := text(t, done); done.StatusCode != 200 || strings.TrimSpace(got) != `{"success":true}` || len(done.Cookies()) != 0 {
		t.Errorf("finish signs somebody in, or does not work: %d %s %v", done.StatusCode, got, done.Cookies())
	}
	wantStatus(t, "again", send(m, "POST", "/recovery/password/finish", fmt.Sprintf(finish, "another long password")), 400, "link_expired")
	wantStatus(t, "the session of before", send(m, "GET", "/users/profile", "", bearer...), 401, "unauthorized")
	wantStatus(t, "freeze", send(m, "POST", "/recovery/freeze", fmt.Sprintf(`{"token":%q}`, m.last())), 200, "")
	wantStatus(t, "freeze nothing", send(m, "POST", "/recovery/freeze", `{"token":""}`), 400, "link_expired")
}

func TestEmailShapes(t *testing.T) {
	m := newMailed(t)
	for _, test := range []struct {
		path, body string
		code       string
	}{
		{"/account/email", `{}`, "invalid_request"},
		{"/account/email", `{"email":null}`, "invalid_request"},
		{"/account/email", `{"email":["mira@example.com"]}`, "invalid_request"},
		{"/account/email", `{"email":""}`, "email_invalid"},
		{"/account/email", `{"email":"mira@example.com\r\nBcc: noor@example.com"}`, "email_invalid"},
		{"/account/email/verify", `{}`, "invalid_request"},
		{"/recovery/password", `{}`, "invalid_request"},
		{"/recovery/password", `{"email":"mira@example.com","username":"mira"}`, "invalid_request"},
		{"/recovery/password", `{"email":"mira"}`, "email_invalid"},
		{"/recovery/password", `{"username":"a b"}`, "username_invalid"},
		{"/recovery/password/finish", `{"token":"x"}`, "invalid_request"},
		{"/recovery/password/finish", `{"password":"correct horse battery"}`, "invalid_request"},
		{"/recovery/password/finish", `{"token":"x","password":"short"}`, "link_expired"},
		{"/recovery/freeze", `{}`, "invalid_request"},
	} {
		wantStatus(t, test.path+" "+test.body, send(m, "POST", test.path, test.body, "Authorization", m.bearer), 400, test.code)
	}
	for _, method := range []string{"GET", "POST", "DELETE"} {
		body := map[string]string{"POST": `{"email":"mira@example.com"}`}[method]
		wantStatus(t, method+" signed out", send(m, method, "/account/email", body), 401, "unauthorized")
	}
}

// Who is known and who is not is answered with the same bytes.
func TestResetAnswersAlike(t *testing.T) {
	m := newMailed(t)
	answers := map[string]bool{}
	for range 4 { // the fourth is refused, alike as well
		for _, body := range []string{`{"username":"mira"}`, `{"username":"nobody"}`} {
			r := send(m, "POST", "/recovery/password", body)
			r.Header.Del("X-Request-Id")
			r.Header.Del("Retry-After") // a moment later is a second less
			answers[fmt.Sprint(r.StatusCode, r.Header, text(t, r))] = true
		}
	}
	if len(answers) != 2 { // accepted, and refused
		t.Errorf("%d different answers: %v", len(answers), answers)
	}
}

func TestEmailIsOffWithoutMailer(t *testing.T) {
	h := newHandler(newService(t), Options{})
	for path, body := range map[string]string{
		"/account/email/verify": `{"token":"x"}`, "/recovery/password": `{"username":"mira"}`,
		"/recovery/password/finish": `{"token":"x","password":"correct horse battery"}`, "/recovery/freeze": `{"token":"x"}`,
	} {
		wantStatus(t, path, send(h, "POST", path, body), 404, "email_off")
	}
}
