package httpapi

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

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
	granted, err := a.service.FinishPasskeyLogIn(r.Context(), stepkey.PasskeyLogIn{
		Response: body.AssertionResponse, Refresh: body.Refresh, Client: a.clientOf(r),
		Replaces: a.cookies.refreshOf(r),
	})
	if err != nil {
		return err
	}
	a.writeGrant(w, http.StatusCreated, granted)
	return nil
}

// pathAccount is the page where people see and change what their account has.
const pathAccount = "/account"

// passkeyEndpointsMaxAge is how long password managers go on with the addresses.
const passkeyEndpointsMaxAge = time.Hour

type passkeyEndpoints struct {
	Enroll string `json:"enroll"`
	Manage string `json:"manage"`
}

// passkeyEndpoints tells password managers where people add and manage passkeys (W3C
// "A Well-Known URL for Relying Party Passkey Endpoints"). Without pages there is no such
// place.
func (a *api) passkeyEndpoints(w http.ResponseWriter, r *http.Request) error {
	if a.pages == nil {
		return problemNotFound
	}
	page := a.service.PublicURL() + pathAccount
	content, err := json.Marshal(passkeyEndpoints{Enroll: page, Manage: page})
	if err != nil {
		return err
	}
	cacheControl := fmt.Sprintf("public, max-age=%d", int(passkeyEndpointsMaxAge.Seconds()))
	writeCacheable(w, r, "application/json", cacheControl, content)
	return nil
}

// changePasswordPage is where password managers send people (W3C "A Well-Known URL for
// Changing Passwords"). Without pages there is no such place.
func (a *api) changePasswordPage(w http.ResponseWriter, r *http.Request) error {
	if a.pages == nil {
		return problemNotFound
	}
	w.Header().Set("Location", pathAccount+"#password")
	w.WriteHeader(http.StatusFound)
	return nil
}
