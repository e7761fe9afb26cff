package httpapi

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

// extensionOutputs has to be an object if it is there. What is in it was asked
// for by nobody and is not looked at (WebAuthn L3 §7.1 step 28).
type extensionOutputs struct {
	ClientExtensionResults map[string]jsontext.Value `json:"clientExtensionResults"`
}

type registrationBody struct {
	stepkey.RegistrationResponse
	extensionOutputs
	DeviceName string `json:"deviceName"`
}

type assertionBody struct {
	stepkey.AssertionResponse
	extensionOutputs
}

// actionAnswer is what a step-up for an action yields. The token goes into the
// header Stepkey-Action of the request that carries the action out.
type actionAnswer struct {
	ActionToken string `json:"actionToken"`
	ExpiresIn   int64  `json:"expiresIn"`
}

type registrationAnswer struct {
	Success bool          `json:"success"`
	Passkey passkeyAnswer `json:"passkey"`
}

type passkeyAnswer struct {
	ID   string `json:"id"`
	Name string `json:"name"`

	// UsableFrom is there if the passkey has to wait: it was added through recovery, or as the first one after a reset by
	// e-mail.
	UsableFrom *time.Time `json:"usableFrom,omitzero"`
}

func (a *api) registrationOptions(w http.ResponseWriter, r *http.Request) {
	claims, _ := guard.FromContext(r.Context())
	options, err := a.service.BeginRegistration(r.Context(), claims)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, options)
}

func (a *api) registrationVerify(w http.ResponseWriter, r *http.Request) {
	body, err := decode[registrationBody](w, r, maxPasskeyBody)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	claims, _ := guard.FromContext(r.Context())
	passkey, err := a.service.FinishRegistration(r.Context(), claims, body.RegistrationResponse, body.DeviceName)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, registrationAnswer{
		Success: true, Passkey: passkeyAnswer{ID: passkey.ID.String(), Name: passkey.Name, UsableFrom: passkey.UsableFrom},
	})
}

// stepUpOptionsBody may come with a POST. The original sends none.
type stepUpOptionsBody struct {
	Action *token.Action `json:"action"`
}

func (a *api) stepUpOptions(w http.ResponseWriter, r *http.Request) {
	var body stepUpOptionsBody
	if r.Method == http.MethodPost && r.ContentLength != 0 {
		var err error
		if body, err = decode[stepUpOptionsBody](w, r, maxPasskeyBody); err != nil {
			a.fail(w, r, err)
			return
		}
	}
	claims, _ := guard.FromContext(r.Context())
	options, err := a.service.BeginStepUp(r.Context(), claims, body.Action)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, options)
}

func (a *api) stepUpVerify(w http.ResponseWriter, r *http.Request) {
	body, err := decode[assertionBody](w, r, maxPasskeyBody)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	claims, _ := guard.FromContext(r.Context())
	granted, err := a.service.FinishStepUp(r.Context(), claims, body.AssertionResponse)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if granted.ActionToken != "" {
		writeJSON(w, http.StatusCreated, actionAnswer{
			ActionToken: granted.ActionToken, ExpiresIn: int64(token.ActionLifetime.Seconds()),
		})
		return
	}
	a.writeGrant(w, http.StatusCreated, granted)
}
