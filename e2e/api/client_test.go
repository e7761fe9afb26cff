package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// testPassword is everybody's. The servers' logs are searched for it.
const testPassword = "gentle walrus parade"

// client talks to one server through the checking transport.
type client struct {
	t      testing.TB
	http   *http.Client
	origin string
}

func newClient(t testing.TB, s *server) *client {
	return &client{t, &http.Client{
		Transport: newTransport(t), Timeout: patience.Long,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, s.origin}
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// edit changes a request before it is sent.
type edit func(*http.Request)

func bearer(token string) edit { return header("Authorization", "Bearer "+token) }

func header(name, value string) edit {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// do sends a request. A body that is a string or bytes goes as it is,
// everything else as JSON.
func (c *client) do(method, path string, body any, edits ...edit) answer {
	c.t.Helper()
	a, err := c.try(method, path, body, edits...)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// try is do for goroutines, which must not end the test.
func (c *client) try(method, path string, body any, edits ...edit) (answer, error) {
	var raw []byte
	switch body := body.(type) {
	case nil:
	case string:
		raw = []byte(body)
	case []byte:
		raw = body
	default:
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return answer{}, err
		}
	}
	r, err := http.NewRequestWithContext(context.Background(), method, c.origin+path, bytes.NewReader(raw))
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, edit := range edits {
		edit(r)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, read}, err
}

// insist is try for requests that race for a turn to hash a password: where
// the server says that it is busy, they do as Retry-After says.
func (c *client) insist(method, path string, body any) (answer, error) {
	for {
		a, err := c.try(method, path, body)
		if err != nil || a.status != http.StatusServiceUnavailable {
			return a, err
		}
		wait, err := time.ParseDuration(a.header.Get("Retry-After") + "s")
		if err != nil {
			return a, err
		}
		time.Sleep(wait)
	}
}

// want fails the test unless the answer has this status.
func (a answer) want(t testing.TB, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// wantProblem fails the test unless the answer is this problem.
func (a answer) wantProblem(t testing.TB, status int, code string) answer {
	t.Helper()
	if a.status != status || a.code() != code {
		t.Errorf("status %d, code %q, want %d %q: %s", a.status, a.code(), status, code, a.body)
	}
	return a
}

func (a answer) code() string {
	var problem struct{ Code string }
	_ = json.Unmarshal(a.body, &problem)
	return problem.Code
}

func (a answer) decode(t testing.TB, to any) {
	t.Helper()
	if err := json.Unmarshal(a.body, to); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

func (a answer) accessToken(t testing.TB) string {
	t.Helper()
	var body struct{ AccessToken string }
	a.want(t, http.StatusCreated).decode(t, &body)
	if body.AccessToken == "" {
		t.Fatalf("no access token in %s", a.body)
	}
	return body.AccessToken
}

func credentials(username, password string) map[string]any {
	return map[string]any{"username": username, "password": password}
}

var userNumber atomic.Int64

// newName returns a user name that no other test has.
func newName() string { return fmt.Sprintf("user-%d", userNumber.Add(1)) }

// newUser signs somebody up.
func (c *client) newUser() (username string) {
	c.t.Helper()
	username = newName()
	c.do("POST", "/auth/signup", credentials(username, testPassword)).want(c.t, http.StatusCreated)
	return username
}

func (c *client) logIn(username string) (token string) {
	c.t.Helper()
	return c.do("POST", "/auth/login", credentials(username, testPassword)).accessToken(c.t)
}

// signedIn returns the token of a new user at level password.
func (c *client) signedIn() (token string) {
	c.t.Helper()
	return c.logIn(c.newUser())
}

// registerOptions and stepUpOptions begin a ceremony.
func (c *client) registerOptions(token string) []byte {
	c.t.Helper()
	return c.do("POST", "/passkeys/register/options", nil, bearer(token)).want(c.t, http.StatusOK).body
}

func (c *client) stepUpOptions(token string) []byte {
	c.t.Helper()
	return c.do("POST", "/passkeys/authenticate/options", nil, bearer(token)).want(c.t, http.StatusOK).body
}

// finishRegistration and finishStepUp send what an authenticator answered.
func (c *client) finishRegistration(token string, response []byte) answer {
	c.t.Helper()
	return c.do("POST", "/passkeys/register/verify", response, bearer(token))
}

func (c *client) finishStepUp(token string, response []byte) answer {
	c.t.Helper()
	return c.do("POST", "/passkeys/authenticate/verify", response, bearer(token))
}

// enrol adds a passkey on a new device.
func (c *client) enrol(token string) *authenticator.Authenticator {
	c.t.Helper()
	device := authenticator.New(authenticator.Config{})
	c.finishRegistration(token, c.create(device, c.registerOptions(token))).want(c.t, http.StatusCreated)
	return device
}

// stepUp verifies a passkey and returns the token at level full.
func (c *client) stepUp(token string, device *authenticator.Authenticator) string {
	c.t.Helper()
	return c.finishStepUp(token, c.get(device, c.stepUpOptions(token))).accessToken(c.t)
}

func (c *client) create(device *authenticator.Authenticator, options []byte) []byte {
	c.t.Helper()
	return must(c.t)(device.Create(c.origin, options))
}

func (c *client) get(device *authenticator.Authenticator, options []byte) []byte {
	c.t.Helper()
	return must(c.t)(device.Get(c.origin, options))
}

func must(t testing.TB) func([]byte, error) []byte {
	return func(raw []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
}
