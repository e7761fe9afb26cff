package httpapi

import (
	"context"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stepkey/stepkey"
)

// passwordBody is the body of a password change. CurrentPassword may be missing.
type passwordBody struct {
	CurrentPassword *string `json:"currentPassword"`
	NewPassword     *string `json:"newPassword"`
}

// changePassword answers with new tokens of this session.
func (a *api) changePassword(w http.ResponseWriter, r *http.Request, c caller) error {
	body, err := decode[passwordBody](w, r, maxCredentialsBody)
	if err != nil {
		return err
	}
	if body.NewPassword == nil {
		return stepkey.ErrInvalidRequest
	}
	granted, err := a.service.ChangePassword(r.Context(), c.Caller, stepkey.ChangePasswordRequest{
		Current: body.CurrentPassword, New: *body.NewPassword, Client: c.client,
	})
	if err != nil {
		return err
	}
	a.writeGrant(w, http.StatusOK, granted)
	return nil
}

func (a *api) deleteAccount(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := a.service.DeleteAccount(r.Context(), c.Caller); err != nil {
		return err
	}
	a.cookies.clearRefresh(w)
	return succeed(w, nil)
}

// exportAnswer is the answer without its member events.
type exportAnswer struct {
	User struct {
		ID        string    `json:"id"`
		Username  string    `json:"username"`
		CreatedAt time.Time `json:"createdAt"`
		Email     *string   `json:"email"`
		Language  *string   `json:"language"`

		Groups []string          `json:"groups"`
		Claims map[string]string `json:"claims"`
	} `json:"user"`
	Passkeys []exportedPasskey `json:"passkeys"`
	Sessions []sessionAnswer   `json:"sessions"`
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

// export answers with everything stored about the user. The events, of which there may be
// thousands, are read and written a page at a time, so that a slow client keeps one page in
// memory and not all.
func (a *api) export(w http.ResponseWriter, r *http.Request, c caller) error {
	e, err := a.service.ExportAccountWithoutEvents(r.Context(), c.Caller)
	if err != nil {
		return err
	}
	// The request timeout bounds only the decision. Statements have their own bound, and the server
	// bounds the writing.
	next, stop := iter.Pull2(a.service.EventPages(context.WithoutCancel(r.Context()), e.User.ID))
	defer stop()
	events, err, _ := next()
	if err != nil {
		return err
	}
	answer := exportAnswer{
		Refused:  []exportedRefusal{},
		Passkeys: []exportedPasskey{}, Sessions: a.sessionAnswers(e.Sessions, c.Claims().SessionID),
	}
	answer.User.ID, answer.User.Username, answer.User.CreatedAt = e.User.ID.String(), e.User.Username, e.User.CreatedAt
	answer.User.Email = orNull(e.Email.Address)
	answer.User.Language = orNull(e.User.Language)
	answer.User.Groups = append([]string{}, e.User.Attributes.Groups.Names()...)
	if answer.User.Claims = e.User.Attributes.Claims.Map(); answer.User.Claims == nil {
		answer.User.Claims = map[string]string{}
	}
	for _, p := range e.Passkeys {
		answer.Passkeys = append(answer.Passkeys, exportedPasskey{
			ID: p.ID.String(), Name: p.Name, Model: p.Credential.AAGUID.String(),
			Transports: append([]string{}, p.Credential.Transports...), Hardware: p.Credential.HardwareBound(),
			CreatedAt: p.CreatedAt, LastUsedAt: p.LastUsedAt,
		})
	}
	for _, refused := range e.RefusedCeremonies {
		answer.Refused = append(answer.Refused, exportedRefusal{refused.Ceremony, refused.Reason, refused.Times, refused.LastAt})
	}
	w.Header().Set("Content-Disposition", `attachment; filename="account.json"`)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	if err := answer.write(w, func(page []stepkey.Event) []eventAnswer {
		return a.eventAnswers(page, c.Claims().SessionID)
	}, events, next); err != nil {
		// A partial answer must not look like a complete one.
		a.log.WarnContext(r.Context(), "export not completely written", "request", requestID(r.Context()), "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// write writes the answer. Its member events has the events of page and of the pages after it.
func (e exportAnswer) write(
	w io.Writer, answers func([]stepkey.Event) []eventAnswer, page []stepkey.Event, next func() ([]stepkey.Event, error, bool),
) error {
	out := jsontext.NewEncoder(w)
	for _, part := range []any{
		jsontext.BeginObject, "user", e.User, "passkeys", e.Passkeys, "sessions", e.Sessions, "events", jsontext.BeginArray,
	} {
		if err := writePart(out, part); err != nil {
			return err
		}
	}
	for more := true; more; {
		for _, event := range answers(page) {
			if err := json.MarshalEncode(out, event); err != nil {
				return err
			}
		}
		var err error
		if page, err, more = next(); err != nil {
			return err
		}
	}
	for _, part := range []any{jsontext.EndArray, "refusedCeremonies", e.Refused, jsontext.EndObject} {
		if err := writePart(out, part); err != nil {
			return err
		}
	}
	return nil
}

// writePart writes a delimiter or a value. A string is a member name.
func writePart(out *jsontext.Encoder, part any) error {
	switch part := part.(type) {
	case jsontext.Token:
		return out.WriteToken(part)
	default:
		return json.MarshalEncode(out, part)
	}
}
