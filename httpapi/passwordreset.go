package httpapi

import (
	"net/http"

	"github.com/stepkey/stepkey"
)

type resetRequestBody struct {
	Email    string `json:"email"`
	Username string `json:"username"`
}

// requestReset gives the same answer whether or not the account exists; see
// RequestPasswordReset.
func (a *api) requestReset(w http.ResponseWriter, r *http.Request) error {
	body, err := decode[resetRequestBody](w, r, maxCredentialsBody)
	if err != nil {
		return err
	}
	return accept(w, a.service.RequestPasswordReset(r.Context(), stepkey.ResetRequest{
		Email: body.Email, Username: body.Username, Client: a.clientOf(r), Devices: a.cookies.devicesOf(r),
	}))
}

type resetBody struct {
	Token    *string `json:"token"`
	Password *string `json:"password"`
}

func (a *api) resetPassword(w http.ResponseWriter, r *http.Request) error {
	body, err := decode[resetBody](w, r, maxCredentialsBody)
	if err != nil {
		return err
	}
	if body.Token == nil || body.Password == nil {
		return stepkey.ErrInvalidRequest
	}
	return succeed(w, a.service.ResetPassword(r.Context(), *body.Token, *body.Password, a.clientOf(r)))
}
