package httpapi

import (
	"net/http"
	"time"

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
		Current: body.CurrentPassword, New: *body.NewPassword, Client: a.clientOf(r),
	})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.writeGrant(w, http.StatusOK, granted)
}

func (a *api) deleteAccount(w http.ResponseWriter, r *http.Request) {
	claims, _ := guard.FromContext(r.Context())
	if err := a.service.DeleteAccount(r.Context(), claims); err != nil {
		a.fail(w, r, err)
		return
	}
	a.cookies.clearRefresh(w)
	writeJSON(w, http.StatusOK, success{true})
}

type exportAnswer struct {
	User struct {
		ID        string    `json:"id"`
		Username  string    `json:"username"`
		CreatedAt time.Time `json:"createdAt"`
		Email     *string   `json:"email"`
	} `json:"user"`
	Passkeys []exportedPasskey `json:"passkeys"`
	Sessions []sessionAnswer   `json:"sessions"`
	Events   []eventAnswer     `json:"events"`
	Refused  []exportedRefusal `json:"refusedCeremonies"`
}

type exportedRefusal struct {
	Ceremony stepkey.Purpose `json:"ceremony"`
	Reason   string          `json:"reason"`
	Times    int64           `json:"times"`
	LastAt   time.Time       `json:"lastAt"`
}

type exportedPasskey struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Model      string     `json:"aaguid"`
	Transports []string   `json:"transports"`
	Hardware   bool       `json:"hardwareBound"`
	CreatedAt  time.Time  `json:"createdAt"`
	LastUsedAt *time.Time `json:"lastUsedAt"`
}

// export answers with what is known of the user.
func (a *api) export(w http.ResponseWriter, r *http.Request) {
	claims, _ := guard.FromContext(r.Context())
	e, err := a.service.AccountData(r.Context(), claims)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer := exportAnswer{
		Refused:  []exportedRefusal{},
		Passkeys: []exportedPasskey{}, Sessions: sessionAnswers(e.Sessions, claims.SessionID), Events: eventAnswers(e.Events),
	}
	answer.User.ID, answer.User.Username, answer.User.CreatedAt = e.User.ID.String(), e.User.Username, e.User.CreatedAt
	answer.User.Email = orNull(e.Email.Address)
	for _, p := range e.Passkeys {
		answer.Passkeys = append(answer.Passkeys, exportedPasskey{
			ID: p.ID.String(), Name: p.Name, Model: p.Credential.AAGUID.String(),
			Transports: append([]string{}, p.Credential.Transports...), Hardware: p.Credential.HardwareBound(),
			CreatedAt: p.CreatedAt, LastUsedAt: p.LastUsedAt,
		})
	}
	for _, c := range e.RefusedCeremonies {
		answer.Refused = append(answer.Refused, exportedRefusal{c.Ceremony, c.Reason, c.Times, c.LastAt})
	}
	w.Header().Set("Content-Disposition", `attachment; filename="account.json"`)
	writeJSON(w, http.StatusOK, answer)
}
