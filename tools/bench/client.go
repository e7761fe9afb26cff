package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

const password = "correct horse battery staple"

// person is a user of the service with a passkey, a signed-in session and one
// keep-alive connection of its own. Not safe for concurrent use.
type person struct {
	url    string // of the service; also the origin of the page
	name   string
	client *http.Client
	device *authenticator.Authenticator
	login  string // access token of level password
	full   string // access token of level full

	renewal string // refresh token of another session
}

// newPerson signs up, signs in, registers a passkey and steps up.
func newPerson(ctx context.Context, url, name string) (*person, error) {
	p := &person{
		url: url, name: name, client: oneConnection(),
		device: authenticator.New(authenticator.Config{Algorithms: []int64{authenticator.ES256}, CounterStep: 1}),
	}
	if _, err := p.call(ctx, "", "POST", "/auth/signup", p.credentials()); err != nil {
		return nil, err
	}
	login, err := p.logIn(ctx)
	if err != nil {
		return nil, err
	}
	if p.login, err = accessToken(login); err != nil {
		return nil, err
	}
	if err := p.enrol(ctx); err != nil {
		return nil, err
	}
	steps, err := p.stepUp(ctx)
	if err != nil {
		return nil, err
	}
	if p.full, err = accessToken(steps.verified); err != nil {
		return nil, err
	}
	kept, err := p.call(ctx, "", "POST", "/auth/login",
		fmt.Appendf(nil, `{"username":%q,"password":%q,"refresh":"body"}`, p.name, password))
	if err != nil {
		return nil, err
	}
	return p, p.keep(kept)
}

// oneConnection returns a client that keeps one connection open.
func oneConnection() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1, DisableCompression: true}}
}

func (p *person) credentials() []byte {
	return fmt.Appendf(nil, `{"username":%q,"password":%q}`, p.name, password)
}

// logIn signs in with the password.
func (p *person) logIn(ctx context.Context) (answer, error) {
	return p.call(ctx, "", "POST", "/auth/login", p.credentials())
}

// enrol registers a passkey.
func (p *person) enrol(ctx context.Context) error {
	options, err := p.call(ctx, p.login, "GET", "/passkeys/register/options", nil)
	if err != nil {
		return err
	}
	registration, err := p.device.Create(p.url, options.Body)
	if err != nil {
		return err
	}
	_, err = p.call(ctx, p.login, "POST", "/passkeys/register/verify", registration)
	return err
}

// exchange is what passed in one step-up.
type exchange struct {
	options, verified answer
	assertion         []byte
}

// stepUp goes through one whole step-up.
func (p *person) stepUp(ctx context.Context) (exchange, error) {
	options, err := p.call(ctx, p.login, "GET", "/passkeys/authenticate/options", nil)
	if err != nil {
		return exchange{}, err
	}
	assertion, err := p.device.Get(p.url, options.Body)
	if err != nil {
		return exchange{}, err
	}
	verified, err := p.call(ctx, p.login, "POST", "/passkeys/authenticate/verify", assertion)
	return exchange{options: options, verified: verified, assertion: assertion}, err
}

// refresh takes new tokens for the refresh token, and keeps the new one.
func (p *person) refresh(ctx context.Context) (answer, error) {
	a, err := p.call(ctx, "", "POST", "/auth/refresh", p.renewalBody())
	if err != nil {
		return answer{}, err
	}
	return a, p.keep(a)
}

func (p *person) renewalBody() []byte { return fmt.Appendf(nil, `{"refreshToken":%q}`, p.renewal) }

// keep takes the refresh token out of an answer.
func (p *person) keep(a answer) error {
	var body struct{ RefreshToken string }
	if err := json.Unmarshal(a.Body, &body); err != nil {
		return err
	}
	if body.RefreshToken == "" {
		return fmt.Errorf("no refresh token in the answer")
	}
	p.renewal = body.RefreshToken
	return nil
}

// call sends one request to the service; an answer other than 2xx is an error.
func (p *person) call(ctx context.Context, token, method, path string, body []byte) (answer, error) {
	return send(ctx, p.client, p.url, token, method, path, body)
}

// introspect asks about the access token of level full.
func (p *person) introspect(ctx context.Context) (answer, error) {
	return sendIntrospection(ctx, p.client, p.url, p.full)
}

// sendIntrospection asks about a token, as another service does. That the token is not active is an error.
func sendIntrospection(ctx context.Context, client *http.Client, url, token string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, "POST", url+"/auth/introspect", strings.NewReader("token="+token))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+introspectionSecret)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := exchanged(client, request)
	if err == nil && !strings.HasPrefix(string(a.Body), `{"active":true`) {
		err = fmt.Errorf("introspection says that the token is not active: %s", a.Body)
	}
	return a, err
}

// send sends one request and reads the whole answer.
func send(ctx context.Context, client *http.Client, url, token, method, path string, body []byte) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, url+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return exchanged(client, request)
}

// exchanged sends a request and reads the whole answer.
func exchanged(client *http.Client, request *http.Request) (answer, error) {
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	if response.StatusCode/100 != 2 {
		return answer{}, fmt.Errorf("%s %s: %s: %s", request.Method, request.URL.Path, response.Status, strings.TrimSpace(string(text)))
	}
	response.Header.Del("Date") // every net/http server adds it
	return answer{Status: response.StatusCode, Header: response.Header, Body: text}, nil
}

// accessToken takes the token out of an answer.
func accessToken(a answer) (string, error) {
	var body struct{ AccessToken string }
	if err := json.Unmarshal(a.Body, &body); err != nil {
		return "", err
	}
	if body.AccessToken == "" {
		return "", fmt.Errorf("no accessToken in %q", a.Body)
	}
	return body.AccessToken, nil
}
