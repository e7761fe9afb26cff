package httpapi

import (
	"errors"
	"net/http"

	"github.com/stepkey/stepkey"
)

type emailBody struct {
	Email *string `json:"email"`
}

// emailAnswer is the state of an account's address. Absent addresses are null.
type emailAnswer struct {
	Available bool    `json:"available"`
	Email     *string `json:"email"`
	Pending   *string `json:"pending"`
}

// emailOffAnswer is the answer of a service without e-mail.
type emailOffAnswer struct {
	Available bool `json:"available"`
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// email answers with 200 even if the service sends no e-mail: pages call it to find
// out, and a browser reports every other status as an error.
func (a *api) email(w http.ResponseWriter, r *http.Request, c caller) error {
	state, err := a.service.Email(r.Context(), c.Caller)
	if errors.Is(err, stepkey.ErrEmailOff) {
		writeJSON(w, http.StatusOK, emailOffAnswer{})
		return nil
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, emailAnswer{
		Available: true, Email: orNull(state.Address), Pending: orNull(state.Pending),
	})
	return nil
}

// requestEmail answers before the mail is sent, so the answer does not say
// whether sending works.
func (a *api) requestEmail(w http.ResponseWriter, r *http.Request, c caller) error {
	body, err := decode[emailBody](w, r, maxCredentialsBody)
	if err != nil {
		return err
	}
	if body.Email == nil {
		return stepkey.ErrInvalidRequest
	}
	return accept(w, a.service.RequestEmail(r.Context(), c.Caller, *body.Email, c.client))
}

func (a *api) removeEmail(w http.ResponseWriter, r *http.Request, c caller) error {
	return succeed(w, a.service.RemoveEmail(r.Context(), c.Caller))
}

func (a *api) confirmEmail(w http.ResponseWriter, r *http.Request) error {
	link, err := decodeLink(w, r)
	if err != nil {
		return err
	}
	return succeed(w, a.service.ConfirmEmail(r.Context(), link, a.clientOf(r)))
}
