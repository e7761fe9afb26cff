//go:build containers

package containers_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

const password = "stairs and a keyhole"

// person uses the service through its published port, with a passkey on a device.
type person struct {
	t       *testing.T
	origin  string
	name    string
	device  *authenticator.Authenticator
	access  string
	refresh string
}

func newPerson(t *testing.T, origin, name string) *person {
	return &person{t: t, origin: origin, name: name, device: authenticator.New(authenticator.Config{})}
}

// call sends a request and returns the answer, which has to have that status.
func (p *person) call(method, path string, body any, status int, headers ...string) []byte {
	p.t.Helper()
	raw, ready := body.(json.RawMessage)
	if !ready && body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			p.t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.origin+path, bytes.NewReader(raw))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if p.access != "" {
		request.Header.Set("Authorization", "Bearer "+p.access)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if response.StatusCode != status {
		p.t.Fatalf("%s %s: %d, want %d: %s", method, path, response.StatusCode, status, answer)
	}
	return answer
}

func (p *person) signUp() {
	p.t.Helper()
	p.call("POST", "/auth/signup", map[string]string{"username": p.name, "password": password}, http.StatusCreated)
}

type tokens struct{ AccessToken, RefreshToken string }

func (p *person) take(answer []byte) {
	got := decode[tokens](answer)
	p.access = got.AccessToken
	if got.RefreshToken != "" {
		p.refresh = got.RefreshToken
	}
}

func (p *person) logIn(headers ...string) {
	p.t.Helper()
	p.access = ""
	p.take(p.call("POST", "/auth/login",
		map[string]string{"username": p.name, "password": password, "refresh": "body"}, http.StatusCreated, headers...))
}

func (p *person) addPasskey() {
	p.t.Helper()
	options := p.call("POST", "/passkeys/register/options", nil, http.StatusOK)
	answer, err := p.device.Create(p.origin, options)
	if err != nil {
		p.t.Fatal(err)
	}
	p.call("POST", "/passkeys/register/verify", json.RawMessage(answer), http.StatusCreated)
}

// stepUp verifies the passkey and goes where that alone leads.
func (p *person) stepUp() {
	p.t.Helper()
	p.call("GET", "/users/histories", nil, http.StatusForbidden)
	options := p.call("POST", "/passkeys/authenticate/options", nil, http.StatusOK)
	answer, err := p.device.Get(p.origin, options)
	if err != nil {
		p.t.Fatal(err)
	}
	p.take(p.call("POST", "/passkeys/authenticate/verify", json.RawMessage(answer), http.StatusCreated))
	p.call("GET", "/users/histories", nil, http.StatusOK)
}

// goOn has the session go on with its refresh token.
func (p *person) goOn() {
	p.t.Helper()
	p.access = ""
	p.take(p.call("POST", "/auth/refresh", map[string]string{"refreshToken": p.refresh}, http.StatusOK))
	p.call("GET", "/users/profile", nil, http.StatusOK)
}
