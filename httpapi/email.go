package httpapi

import (
	"errors"
	"net/http"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
)

type emailBody struct {
	Email *string `json:"email"`
}

// emailAnswer has null for an address that there is not.
type emailAnswer struct {
	Available bool    `json:"available"`
	Email     *string `json:"email"`
	Pending   *string `json:"pending"`
}

// emailOffAnswer is for where no e-mail is sent.
type emailOffAnswer struct {
	Available bool `json:"available"`
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// email answers with 200 also where no e-mail is sent: a page asks to learn that, and a
// browser shows every other status as an error.
func (a *api) email(w http.ResponseWriter, r *http.Request) {
	claims, _ := guard.FromContext(r.Context())
	state, err := a.service.Email(r.Context(), claims)
	switch {
	case errors.Is(err, stepkey.ErrEmailOff):
		writeJSON(w, http.StatusOK, emailOffAnswer{})
	case err != nil:
		a.fail(w, r, err)
	default:
		writeJSON(w, http.StatusOK, emailAnswer{
			Available: true, Email: orNull(state.Address), Pending: orNull(state.Pending),
		})
	}
}

// requestEmail answers before the mail is sent: how that goes is nothing that the
// answer could say.
func (a *api) requestEmail(w http.ResponseWriter, r *http.Request) {
	body, err := decode[emailBody](w, r, maxCredentialsBody)
	if err == nil && body.Email == nil {
		err = stepkey.ErrInvalidRequest
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	claims, _ := guard.FromContext(r.Context())
	a.accept(w, r, a.service.RequestEmail(r.Context(), claims, *body.Email, a.clientOf(r)))
}

func (a *api) removeEmail(w http.ResponseWriter, r *http.Request) {
	claims, _ := guard.FromContext(r.Context())
	a.succeed(w, r, a.service.RemoveEmail(r.Context(), claims))
}

type linkBody struct {
	Token *string `json:"token"`
}

// decodeLink reads the token of a link, which is not looked at further than that it is
// there: one of another form is as unknown as any.
func decodeLink(w http.ResponseWriter, r *http.Request) (string, error) {
	body, err := decode[linkBody](w, r, maxCredentialsBody)
	if err == nil && body.Token == nil {
		err = stepkey.ErrInvalidRequest
	}
	if err != nil {
		return "", err
	}
	return *body.Token, nil
}

func (a *api) confirmEmail(w http.ResponseWriter, r *http.Request) {
	link, err := decodeLink(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.succeed(w, r, a.service.ConfirmEmail(r.Context(), link, a.clientOf(r)))
}

func (a *api) freeze(w http.ResponseWriter, r *http.Request) {
	link, err := decodeLink(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.succeed(w, r, a.service.Freeze(r.Context(), link, a.clientOf(r)))
}

type resetRequestBody struct {
	Email    string `json:"email"`
	Username string `json:"username"`
}

// requestReset answers alike whoever is meant; see RequestPasswordReset.
func (a *api) requestReset(w http.ResponseWriter, r *http.Request) {
	body, err := decode[resetRequestBody](w, r, maxCredentialsBody)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.accept(w, r, a.service.RequestPasswordReset(r.Context(), stepkey.ResetRequest{
		Email: body.Email, Username: body.Username, Client: a.clientOf(r), Devices: a.cookies.devicesOf(r),
	}))
}

type resetBody struct {
	Token    *string `json:"token"`
	Password *string `json:"password"`
}

func (a *api) resetPassword(w http.ResponseWriter, r *http.Request) {
	body, err := decode[resetBody](w, r, maxCredentialsBody)
	if err == nil && (body.Token == nil || body.Password == nil) {
		err = stepkey.ErrInvalidRequest
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.succeed(w, r, a.service.ResetPassword(r.Context(), *body.Token, *body.Password, a.clientOf(r)))
}

// succeed answers for what has been done, accept for what will be.
func (a *api) succeed(w http.ResponseWriter, r *http.Request, err error) {
	a.answer(w, r, http.StatusOK, err)
}

func (a *api) accept(w http.ResponseWriter, r *http.Request, err error) {
	a.answer(w, r, http.StatusAccepted, err)
}

func (a *api) answer(w http.ResponseWriter, r *http.Request, status int, err error) {
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, status, success{true})
}
