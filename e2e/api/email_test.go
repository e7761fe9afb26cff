package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/e2e/inbox"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
)

// E-mail against a mail server that speaks SMTP, and against one that does not answer.

// mailbox is the mail server of one test.
type mailbox struct {
	*inbox.Server
	t *testing.T
}

func newMailbox(t *testing.T) *mailbox {
	t.Helper()
	return newMailboxOf(t, inbox.Options{})
}

func newMailboxOf(t *testing.T, options inbox.Options) *mailbox {
	t.Helper()
	server, err := inbox.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return &mailbox{server, t}
}

// settings have a server send there.
func (b *mailbox) settings() []string {
	return []string{"SMTP_URL=smtp://" + b.Address, "STEPKEY_MAIL_FROM=no-reply@example.com"}
}

func (b *mailbox) wait(to, subject string) inbox.Mail {
	b.t.Helper()
	m, err := b.Wait(to, subject)
	if err != nil {
		b.t.Fatal(err)
	}
	return m
}

// token waits for a mail and returns the token of its link to a page of the server.
func (b *mailbox) token(to, subject, origin, page string) string {
	b.t.Helper()
	token, err := b.wait(to, subject).Token(origin, page)
	if err != nil {
		b.t.Fatal(err)
	}
	return token
}

// onEachDatabaseWithMail is onEachDatabase with a mail server for each.
func onEachDatabaseWithMail(t *testing.T, test func(t *testing.T, c *client, box *mailbox)) {
	for _, backend := range backends {
		t.Run(backend.name, func(t *testing.T) {
			t.Parallel()
			box := newMailbox(t)
			test(t, newClient(t, start(t, append(backend.settings(t), box.settings()...)...)), box)
		})
	}
}

// forged is a request that says to come for another host.
func forged(r *http.Request) {
	r.Host = "evil.example"
	r.Header.Set("X-Forwarded-Host", "evil.example")
	r.Header.Set("Forwarded", "host=evil.example")
}

func object(pairs ...string) map[string]any {
	o := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		o[pairs[i]] = pairs[i+1]
	}
	return o
}

// withEmail makes somebody with a confirmed address.
func (c *client) withEmail(box *mailbox) (username, address string) {
	c.t.Helper()
	username = c.newUser()
	address = username + "@example.net"
	c.do("POST", "/account/email", object("email", address), bearer(c.logIn(username)), forged).want(c.t, http.StatusAccepted)
	link := box.token(address, "Confirm your e-mail address", c.origin, "/confirm-email")
	c.do("POST", "/account/email/verify", object("token", link), forged).want(c.t, http.StatusOK)
	box.wait(address, "Your e-mail address was changed")
	return username, address
}

// forgot asks for a new password and returns the token that comes.
func (c *client) forgot(box *mailbox, username, address string) string {
	c.t.Helper()
	c.do("POST", "/recovery/password", object("username", username), forged).want(c.t, http.StatusAccepted)
	return box.token(address, "Set a new password", c.origin, "/reset-password")
}

func (c *client) finishReset(link, password string) answer {
	c.t.Helper()
	return c.do("POST", "/recovery/password/finish", object("token", link, "password", password))
}

func TestResetByEmail(t *testing.T) {
	onEachDatabaseWithMail(t, func(t *testing.T, c *client, box *mailbox) {
		username, address := c.withEmail(box)
		token := c.logIn(username)
		device := c.enrol(token)
		box.wait(address, "A passkey was added")
		full := c.stepUp(token, device)

		link := c.forgot(box, username, address)
		for _, method := range []string{"GET", "HEAD"} { // what scanners of mails do
			for _, path := range []string{"/reset-password", "/reset-password?token=" + link} {
				c.do(method, path, nil).want(t, http.StatusOK)
			}
			c.do(method, "/recovery/password/finish", nil).want(t, http.StatusMethodNotAllowed)
		}
		c.finishReset(link, "short").wantProblem(t, 400, "password_too_short")
		const newPassword = "another gentle walrus"
		done := c.finishReset(link, newPassword).want(t, http.StatusOK)
		if got := strings.TrimSpace(string(done.body)); got != `{"success":true}` || done.header.Get("Set-Cookie") != "" {
			t.Errorf("it answers %s and sets %q", got, done.header.Get("Set-Cookie"))
		}
		c.finishReset(link, newPassword).wantProblem(t, 400, "link_expired")
		for what, old := range map[string]string{"password": token, "full": full} {
			c.do("GET", "/users/profile", nil, bearer(old)).wantProblem(t, 401, "unauthorized")
			if t.Failed() {
				t.Errorf("at level %s", what)
			}
		}
		c.do("POST", "/auth/login", credentials(username, testPassword)).wantProblem(t, 401, "unauthorized")
		again := c.do("POST", "/auth/login", credentials(username, newPassword)).accessToken(t)
		c.do("GET", "/users/histories", nil, bearer(again)).wantProblem(t, 403, "step_up_required")
		c.do("GET", "/users/histories", nil, bearer(c.stepUp(again, device))).want(t, http.StatusOK)

		notice := box.wait(address, "Your password was reset")
		for _, wanted := range []string{"“" + username + "”", "UTC", "Network: 127.0.0.0/24"} {
			if !strings.Contains(notice.Text, wanted) && !strings.Contains(strings.ReplaceAll(notice.Text, "::/48", "127.0.0.0/24"), wanted) {
				t.Errorf("no %q in\n%s", wanted, notice.Text)
			}
		}
		notMe, err := notice.Token(c.origin, "/not-me")
		if err != nil {
			t.Fatal(err)
		}
		c.do("POST", "/recovery/freeze", object("token", notMe)).want(t, http.StatusOK)
		c.do("GET", "/users/profile", nil, bearer(again)).wantProblem(t, 401, "unauthorized")
		c.do("POST", "/recovery/freeze", object("token", notMe)).wantProblem(t, 400, "link_expired")
		box.wait(address, "Your account was secured")
	})
}

func TestLinksAreForOnePurposeAndAccount(t *testing.T) {
	onEachDatabaseWithMail(t, func(t *testing.T, c *client, box *mailbox) {
		mira, miras := c.withEmail(box)
		noor, noors := c.withEmail(box)
		token := c.logIn(mira)
		c.do("POST", "/account/email", object("email", "new-"+miras), bearer(token)).want(t, http.StatusAccepted)
		confirm := box.token("new-"+miras, "Confirm", c.origin, "/confirm-email")
		reset := c.forgot(box, mira, miras)
		for path, link := range map[string]string{
			"/account/email/verify": reset, "/recovery/password/finish": confirm, "/recovery/freeze": reset,
		} {
			c.do("POST", path, object("token", link, "password", testPassword)).wantProblem(t, 400, "link_expired")
		}
		newer := c.forgot(box, mira, miras)
		c.finishReset(reset, testPassword).wantProblem(t, 400, "link_expired") // replaced
		theirs := c.forgot(box, noor, noors)
		c.finishReset(theirs, "another gentle walrus").want(t, http.StatusOK)
		c.logIn(mira) // hers is as it was

		c.do("GET", "/account/email", nil, bearer(token)).want(t, http.StatusOK)
		c.do("DELETE", "/account/email", nil, bearer(token)).want(t, http.StatusOK)
		box.wait(miras, "Your e-mail address was removed")
		c.finishReset(newer, testPassword).wantProblem(t, 400, "link_expired")
		c.do("POST", "/account/email/verify", object("token", confirm)).wantProblem(t, 400, "link_expired")
	})
}

func TestOf50ResetsAtOnceOneSucceeds(t *testing.T) {
	onEachDatabaseWithMail(t, func(t *testing.T, c *client, box *mailbox) {
		username, address := c.withEmail(box)
		link := c.forgot(box, username, address)
		answers := make(chan string, 50)
		for range 50 {
			go func() {
				a, err := c.insist("POST", "/recovery/password/finish", object("token", link, "password", testPassword+"!"))
				if err != nil {
					answers <- err.Error()
					return
				}
				answers <- fmt.Sprint(a.status, " ", a.code())
			}()
		}
		counted := map[string]int{}
		for range 50 {
			counted[<-answers]++
		}
		if counted["200 "] != 1 || counted["400 link_expired"] != 49 {
			t.Errorf("%v, want one success and 49 times link_expired", counted)
		}
		box.wait(address, "Your password was reset")
		for _, m := range box.Mails() {
			t.Errorf("and a mail %q", m.Subject)
		}
	})
}

// Who asks learns nothing from the answer.
func TestForgottenPasswordAnswersAlike(t *testing.T) {
	onEachDatabaseWithMail(t, func(t *testing.T, c *client, box *mailbox) {
		username, address := c.withEmail(box)
		without := c.newUser()
		answers := map[string]bool{}
		for _, body := range []map[string]any{
			object("username", username), object("username", without), object("username", "nobody"),
			object("email", address), object("email", "nobody@example.net"),
		} {
			a := c.do("POST", "/recovery/password", body).want(t, http.StatusAccepted)
			a.header.Del("Date")
			a.header.Del("X-Request-Id")
			answers[fmt.Sprint(a.status, a.header, string(a.body))] = true
			if body["username"] == username || body["email"] == address {
				// At once, because a newer link takes the place of one that still waits to be sent.
				box.wait(address, "Set a new password")
			}
		}
		if len(answers) != 1 {
			t.Errorf("%d different answers: %v", len(answers), answers)
		}
		// Later mails would have come by now.
		c.do("POST", "/recovery/password", object("username", username))
		box.wait(address, "Set a new password")
		for _, m := range box.Mails() {
			t.Errorf("and a mail %q to %s", m.Subject, m.Recipients)
		}
	})
}

// A notice is not lost with the mail server, nor with the process.
func TestNoticeSurvivesDeadServerAndCrash(t *testing.T) {
	for _, backend := range []struct {
		name    string
		setting func(*testing.T) string
	}{
		{"SQLite", func(t *testing.T) string { return "STEPKEY_DATA=" + t.TempDir() }},
		{"PostgreSQL", func(t *testing.T) string { return "DATABASE_URL=" + pgtest.NewDatabase(t) }},
	} {
		t.Run(backend.name, func(t *testing.T) {
			t.Parallel()
			box := newMailbox(t)
			settings := append([]string{backend.setting(t), "STEPKEY_SECRET=" + "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw="}, box.settings()...)
			s := start(t, settings...)
			c := newClient(t, s)
			username, address := c.withEmail(box)
			if err := box.Stop(); err != nil {
				t.Fatal(err)
			}
			c.enrol(c.logIn(username))
			for end := time.Now().Add(patience.Long); !strings.Contains(s.log.String(), "mail not sent"); time.Sleep(20 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("it does not say that a mail was not sent")
				}
			}
			if strings.Contains(s.log.String(), address) {
				t.Error("the log holds the address")
			}
			s.kill(t)
			next := start(t, settings...)
			if err := box.Restart(); err != nil {
				t.Fatal(err)
			}
			if _, err := box.wait(address, "A passkey was added").Token(next.origin, "/not-me"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWithoutMailServer(t *testing.T) {
	c := newClient(t, start(t))
	token := c.signedIn()
	a := c.do("GET", "/account/email", nil, bearer(token)).want(t, http.StatusOK)
	if got := strings.TrimSpace(string(a.body)); got != `{"available":false}` {
		t.Errorf("GET /account/email: %s", got)
	}
	for _, method := range []string{"POST", "DELETE"} {
		c.do(method, "/account/email", object("email", "mira@example.net"), bearer(token)).wantProblem(t, 404, "email_off")
	}
	c.do("POST", "/recovery/password", object("username", "mira")).wantProblem(t, 404, "email_off")
}
