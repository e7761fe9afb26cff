package httpapi

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/token"
)

// extensionOutputs must be an object if it is present. We request no
// extensions, so its content is ignored (WebAuthn L3 §7.1 step 28).
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

// actionAnswer is the answer to a step-up for an action. The client sends the
// token in the header Stepkey-Action of the request that carries out the
// action.
type actionAnswer struct {
	ActionToken string `json:"actionToken"`
	ExpiresIn   int64  `json:"expiresIn"`
}

type registrationAnswer struct {
	Success bool          `json:"success"`
	Passkey passkeyAnswer `json:"passkey"`

	// The tokens at level full of a first passkey, nil where the level has not changed.
	*tokenAnswer
}

type passkeyAnswer struct {
	ID   string `json:"id"`
	Name string `json:"name"`

	// UsableFrom is present if the passkey does not work yet: it was added through recovery, or as the first one
	// after a reset by e-mail.
	UsableFrom *time.Time `json:"usableFrom,omitzero"`
}

func (a *api) registrationOptions(w http.ResponseWriter, r *http.Request, c caller) error {
	options, err := a.service.BeginRegistration(r.Context(), c.Caller)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, options)
	return nil
}

func (a *api) registrationVerify(w http.ResponseWriter, r *http.Request, c caller) error {
	body, err := decode[registrationBody](w, r, maxPasskeyBody)
	if err != nil {
		return err
	}
	added, err := a.service.FinishRegistration(r.Context(), c.Caller, body.RegistrationResponse, body.DeviceName)
	if err != nil {
		return err
	}
	answer := registrationAnswer{
		Success: true, Passkey: passkeyAnswer{ID: added.ID.String(), Name: added.Name, UsableFrom: added.UsableFrom},
	}
	if added.Grant != nil {
		tokens := a.tokensOf(w, *added.Grant)
		answer.tokenAnswer = &tokens
	}
	writeJSON(w, http.StatusCreated, answer)
	return nil
}

// stepUpOptionsBody is the optional body of a POST. The original sends none.
type stepUpOptionsBody struct {
	Action *token.Action `json:"action"`
}

func (a *api) stepUpOptions(w http.ResponseWriter, r *http.Request, c caller) error {
	var body stepUpOptionsBody
	if r.Method == http.MethodPost && r.ContentLength != 0 {
		var err error
		if body, err = decode[stepUpOptionsBody](w, r, maxPasskeyBody); err != nil {
			return err
		}
	}
	options, err := a.service.BeginStepUp(r.Context(), c.Caller, body.Action)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, options)
	return nil
}

func (a *api) stepUpVerify(w http.ResponseWriter, r *http.Request, c caller) error {
	body, err := decode[assertionBody](w, r, maxPasskeyBody)
	if err != nil {
		return err
	}
	granted, err := a.service.FinishStepUp(r.Context(), c.Caller, body.AssertionResponse)
	if err != nil {
		return err
	}
	if granted.ActionToken != "" {
		writeJSON(w, http.StatusCreated, actionAnswer{
			ActionToken: granted.ActionToken, ExpiresIn: int64(token.ActionLifetime.Seconds()),
		})
		return nil
	}
	a.writeGrant(w, http.StatusCreated, granted)
	return nil
}
