package httpapi

import (
	"net/http"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/token"
)

// credentials is what signing up and signing in take. Pointers tell a member that
// is missing from an empty one.
type credentials struct {
	Username *string `json:"username"`
	Password *string `json:"password"`
}

type success struct {
	Success bool `json:"success"`
}

// tokenAnswer is the original's {"accessToken"} with members added.
type tokenAnswer struct {
	AccessToken string      `json:"accessToken"`
	TokenType   string      `json:"tokenType"`
	ExpiresIn   int64       `json:"expiresIn"`
	Level       token.Level `json:"authLevel"`
}

func answerOf(t stepkey.AccessToken) tokenAnswer {
	return tokenAnswer{
		AccessToken: t.Token, TokenType: "Bearer",
		ExpiresIn: t.Claims.ExpiresAt - t.Claims.IssuedAt, Level: t.Claims.Level,
	}
}

// decodeCredentials looks at the shape only, and before anybody is looked up, so
// that a wrong shape tells nothing about who exists.
func decodeCredentials(w http.ResponseWriter, r *http.Request) (username, password string, err error) {
	// Passwords in a URL end up in logs. Whoever tries is told at once.
	if r.URL.RawQuery != "" {
		return "", "", stepkey.ErrInvalidRequest
	}
	body, err := decode[credentials](w, r, maxCredentialsBody)
	if err != nil {
		return "", "", err
	}
	if body.Username == nil || body.Password == nil {
		return "", "", stepkey.ErrInvalidRequest
	}
	return *body.Username, *body.Password, nil
}

func (a *api) signUp(w http.ResponseWriter, r *http.Request) {
	username, password, err := decodeCredentials(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if _, err := a.service.SignUp(r.Context(), username, password); err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, success{true})
}

func (a *api) logIn(w http.ResponseWriter, r *http.Request) {
	username, password, err := decodeCredentials(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	granted, err := a.service.LogIn(r.Context(), username, password)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, answerOf(granted))
}
