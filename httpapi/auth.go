package httpapi

import (
	"net/http"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/token"
)

// newAccount is the body of sign-up.
type newAccount struct {
	Username   *string `json:"username"`
	Password   *string `json:"password"`
	Invitation string  `json:"invitation"`
	Email      string  `json:"email"`
}

// credentials is the body of sign-in. Pointers distinguish a missing member from an empty one.
type credentials struct {
	Username *string             `json:"username"`
	Password *string             `json:"password"`
	Refresh  stepkey.RefreshMode `json:"refresh"`
}

// tokenAnswer is the original's {"accessToken"} with members added.
type tokenAnswer struct {
	AccessToken  string      `json:"accessToken"`
	TokenType    string      `json:"tokenType"`
	ExpiresIn    int64       `json:"expiresIn"`
	Level        token.Level `json:"authLevel"`
	RefreshToken string      `json:"refreshToken,omitzero"`
}

// writeGrant answers with tokens.
func (a *api) writeGrant(w http.ResponseWriter, status int, g stepkey.Grant) {
	writeJSON(w, status, a.tokensOf(w, g))
}

// tokensOf returns the part of an answer with tokens, and sets their cookies. A refresh token goes into the cookie or into the
// body, as the client requested at login, and never into both.
func (a *api) tokensOf(w http.ResponseWriter, g stepkey.Grant) tokenAnswer {
	answer := tokenAnswer{
		AccessToken: g.AccessToken, TokenType: "Bearer",
		ExpiresIn: g.Claims.ExpiresAt - g.Claims.IssuedAt, Level: g.Claims.Level,
	}
	switch g.RefreshMode {
	case stepkey.RefreshBody:
		answer.RefreshToken = g.RefreshToken
	case stepkey.RefreshCookie:
		a.cookies.setRefresh(w, g.RefreshToken, g.RefreshUntil.Sub(a.service.Now()))
	}
	if g.DeviceToken != "" {
		a.cookies.setDevice(w, g.Claims.Subject, g.DeviceToken, g.DeviceUntil.Sub(a.service.Now()))
	}
	return answer
}

// decodeCredentials checks only the form of the body, before any user is looked
// up, so that the answer to a malformed body reveals nothing about users.
func decodeCredentials(w http.ResponseWriter, r *http.Request) (credentials, error) {
	body, err := decodeWithPassword[credentials](w, r)
	if err == nil && (body.Username == nil || body.Password == nil) {
		err = stepkey.ErrInvalidRequest
	}
	return body, err
}

// decodeWithPassword refuses a query before anything else: passwords in a URL end up in logs.
func decodeWithPassword[T any](w http.ResponseWriter, r *http.Request) (body T, err error) {
	if r.URL.RawQuery != "" {
		return body, stepkey.ErrInvalidRequest
	}
	return decode[T](w, r, maxCredentialsBody)
}

func (a *api) signUp(w http.ResponseWriter, r *http.Request) error {
	body, err := decodeWithPassword[newAccount](w, r)
	if err != nil {
		return err
	}
	if body.Username == nil || body.Password == nil {
		return stepkey.ErrInvalidRequest
	}
	_, err = a.service.SignUp(r.Context(), stepkey.SignUpRequest{
		Username: *body.Username, Password: *body.Password, Invitation: body.Invitation, Email: body.Email, Client: a.clientOf(r),
	})
	if err != nil {
		return err
	}
	writeSuccess(w, http.StatusCreated)
	return nil
}

func (a *api) logIn(w http.ResponseWriter, r *http.Request) error {
	devices := a.cookies.devicesOf(r)
	if err := a.service.AdmitLogIn(devices); err != nil {
		return err
	}
	body, err := decodeCredentials(w, r)
	if err != nil {
		return err
	}
	// If foreign pages could set this cookie, they could sign people in as
	// somebody else.
	if body.Refresh == stepkey.RefreshCookie && !a.ownPage(r) {
		return problemCrossSite
	}
	granted, err := a.service.LogIn(r.Context(), stepkey.LogInRequest{
		Username: *body.Username, Password: *body.Password, Refresh: body.Refresh, Client: a.clientOf(r),
		Devices: devices, Replaces: a.cookies.refreshOf(r),
	})
	if err != nil {
		return err
	}
	a.writeGrant(w, http.StatusCreated, granted)
	return nil
}
