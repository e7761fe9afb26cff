package httpapi

import (
	"net/http"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
)

// passwordBody is what a change of password takes. CurrentPassword may be missing.
type passwordBody struct {
	CurrentPassword *string `json:"currentPassword"`
	NewPassword     *string `json:"newPassword"`
}

// changePassword answers with the tokens of the session that goes on.
func (a *api) changePassword(w http.ResponseWriter, r *http.Request) {
	body, err := decode[passwordBody](w, r, maxCredentialsBody)
	if err == nil && body.NewPassword == nil {
		err = stepkey.ErrInvalidRequest
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	claims, _ := guard.FromContext(r.Context())
	granted, err := a.service.ChangePassword(r.Context(), claims, stepkey.ChangePassword{
		Current: body.CurrentPassword, New: *body.NewPassword,
	})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.writeGrant(w, http.StatusOK, granted)
}
