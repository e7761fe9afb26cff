package httpapi

import (
	"net/http"

	"github.com/stepkey/stepkey"
)

const confirmationPath = "/auth/confirmation"

// confirmationBody is the body of a request for another link. The address is a pointer like the others.
type confirmationBody struct {
	Username *string `json:"username"`
	Password *string `json:"password"`
	Email    *string `json:"email"`
}

// resendConfirmation answers alike whether or not the account waits for an address; see
// ResendConfirmation.
func (a *api) resendConfirmation(w http.ResponseWriter, r *http.Request) error {
	body, err := decodeWithPassword[confirmationBody](w, r)
	if err != nil {
		return err
	}
	if body.Username == nil || body.Password == nil || body.Email == nil {
		return stepkey.ErrInvalidRequest
	}
	return accept(w, a.service.ResendConfirmation(r.Context(), stepkey.ConfirmationRequest{
		Username: *body.Username, Password: *body.Password, Email: *body.Email, Client: a.clientOf(r),
		Devices: a.cookies.devicesOf(r),
	}))
}

// confirmationOff answers in place of the route, in no document, as signUpClosed does.
func confirmationOff(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, r, problemConfirmationOff)
}
