package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stepkey/stepkey/token"
)

// ErrNoToken is the cause of a refusal for want of a bearer token.
var ErrNoToken = errors.New("guard: no bearer token")

// Refusal is why a request does not reach its handler.
type Refusal struct {
	// Status is the answer's status: 401 where no valid token came, and
	// Options.StepUpStatus where its level or age does not suffice.
	Status int

	// Level and MaxAge are what the route needs. Level is empty where no valid
	// token came; MaxAge is zero where any age would do.
	Level  token.Level
	MaxAge time.Duration

	// Cause is why the token was refused, for logs. It never goes to the client.
	Cause error
}

// StepUp reports whether the holder is known and only has to verify a passkey.
func (r Refusal) StepUp() bool { return r.Level != token.LevelNone }

// Challenge is the value for WWW-Authenticate (RFC 6750 §3, RFC 9470 §3).
func (r Refusal) Challenge() string {
	switch {
	case !r.StepUp() && errors.Is(r.Cause, ErrNoToken):
		return `Bearer`
	case !r.StepUp():
		return `Bearer error="invalid_token"`
	case r.MaxAge > 0:
		return fmt.Sprintf(`Bearer error="insufficient_user_authentication", acr_values="%s", max_age=%d`,
			r.Level, int(r.MaxAge.Seconds()))
	default:
		return fmt.Sprintf(`Bearer error="insufficient_user_authentication", acr_values="%s"`, r.Level)
	}
}

// WriteRefusal is the default of Options.Refuse: the challenge in the header
// and a problem document (RFC 9457) as the body.
func WriteRefusal(w http.ResponseWriter, _ *http.Request, refusal Refusal) {
	code, detail := "unauthorized", "Sign in, then try again."
	if refusal.StepUp() {
		code, detail = "step_up_required", "Verify a passkey, then try again."
	}
	w.Header().Set("WWW-Authenticate", refusal.Challenge())
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(refusal.Status)
	// Nothing can be done for a client that has gone away.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"title":  http.StatusText(refusal.Status),
		"status": refusal.Status,
		"detail": detail,
		"code":   code,
	})
}
