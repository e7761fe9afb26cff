package main

import (
	"context"
	"fmt"
	"net/http"
)

// visitor is a user of a population in one round.
type visitor struct {
	town   *town
	number int
	client *http.Client
	full   string // access token

	renewal string // refresh token
}

func (v *visitor) call(ctx context.Context, token, method, path string, body []byte) (answer, error) {
	return send(ctx, v.client, v.town.service.url, token, method, path, body)
}

// visit is what visitors do.
type visit struct {
	name     string
	visitors int  // of each connection, 0 for all
	times    int  // for each visitor, 0 for once
	alone    bool // on one connection: the service computes one hash at a time on two CPUs
	do       func(context.Context, *visitor) error
}

// visits are in the order in which visitors can do them.
var visits = []visit{
	{name: "sign-in with a passkey alone (options + verify)", do: signInByPasskey},
	{name: "login with the password, one hash included", alone: true, visitors: logins, do: signInByPassword},
	{name: "guarded route", times: guardedEach, do: gets("/users/histories")},
	{name: "introspection", times: 5, do: introspect},
	{name: "account reads (passkeys, sessions, events)", do: gets("/passkeys", "/auth/sessions", "/account/events")},
	{name: "step-up (options + verify)", do: stepUp},
	{name: "refresh", do: refresh},
}

func signInByPasskey(ctx context.Context, v *visitor) error {
	options, err := v.call(ctx, "", "POST", "/passkeys/login/options", []byte(`{}`))
	if err != nil {
		return err
	}
	assertion, err := v.town.template.assert(v.town.service.url, options.Body, v.number, map[string]any{"refresh": "body"})
	if err != nil {
		return err
	}
	a, err := v.call(ctx, "", "POST", "/passkeys/login/verify", assertion)
	if err != nil {
		return err
	}
	return v.keep(a)
}

// keep takes the tokens out of an answer.
func (v *visitor) keep(a answer) (err error) {
	if v.full, err = accessToken(a); err != nil {
		return err
	}
	kept := &person{renewal: v.renewal}
	err = kept.keep(a)
	v.renewal = kept.renewal
	return err
}

func signInByPassword(ctx context.Context, v *visitor) error {
	_, err := v.call(ctx, "", "POST", "/auth/login", fmt.Appendf(nil, `{"username":%q,"password":%q}`, nameOf(v.number), password))
	return err
}

func gets(paths ...string) func(context.Context, *visitor) error {
	return func(ctx context.Context, v *visitor) error {
		for _, path := range paths {
			if _, err := v.call(ctx, v.full, "GET", path, nil); err != nil {
				return err
			}
		}
		return nil
	}
}

func introspect(ctx context.Context, v *visitor) error {
	_, err := sendIntrospection(ctx, v.client, v.town.service.url, v.full)
	return err
}

func stepUp(ctx context.Context, v *visitor) error {
	options, err := v.call(ctx, v.full, "GET", "/passkeys/authenticate/options", nil)
	if err != nil {
		return err
	}
	assertion, err := v.town.template.assert(v.town.service.url, options.Body, v.number, nil)
	if err != nil {
		return err
	}
	a, err := v.call(ctx, v.full, "POST", "/passkeys/authenticate/verify", assertion)
	if err != nil {
		return err
	}
	return v.keep(a)
}

func refresh(ctx context.Context, v *visitor) error {
	a, err := v.call(ctx, "", "POST", "/auth/refresh", fmt.Appendf(nil, `{"refreshToken":%q}`, v.renewal))
	if err != nil {
		return err
	}
	return v.keep(a)
}
