package httpapi

import (
	"net/http"

	"github.com/stepkey/stepkey"
)

// passkeyLogInBody is an assertion, and how the client keeps its refresh token.
type passkeyLogInBody struct {
	assertionBody
	Refresh stepkey.RefreshMode `json:"refresh"`
}

func (a *api) passkeyLogInOptions(w http.ResponseWriter, r *http.Request) error {
	options, err := a.service.BeginPasskeyLogIn(r.Context(), a.clientOf(r))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, options)
	return nil
}

func (a *api) passkeyLogInVerify(w http.ResponseWriter, r *http.Request) error {
	body, err := decode[passkeyLogInBody](w, r, maxPasskeyBody)
	if err != nil {
		return err
	}
	// As with a password: a foreign page must not sign people in as somebody else.
	if body.Refresh == stepkey.RefreshCookie && !a.ownPage(r) {
		return problemCrossSite
	}
	granted, err := a.service.FinishPasskeyLogIn(r.Context(), stepkey.PasskeyLogInRequest{
		Response: body.AssertionResponse, Refresh: body.Refresh, Client: a.clientOf(r),
		Replaces: a.cookies.refreshOf(r),
	})
	if err != nil {
		return err
	}
	a.writeGrant(w, http.StatusCreated, granted)
	return nil
}
