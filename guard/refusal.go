package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stepkey/stepkey/token"
)

// Causes of a refusal, in addition to the errors of package token.
var (
	ErrNoToken        = errors.New("guard: no bearer token")
	ErrSessionEnded   = errors.New("guard: the session has ended")
	ErrPasskeyDeleted = errors.New("guard: the passkey has been deleted since it was verified")
	ErrNotInGroup     = errors.New("guard: not in the group")
	ErrNotHardware    = errors.New("guard: the passkey is not known to be bound to hardware")
)

// Refusal describes why a request does not reach its handler.
type Refusal struct {
	// Status is the status of the answer: 401 without a valid token,
	// Options.StepUpStatus if its level, age or proof does not suffice, 400 if the
	// parameters of an action cannot be read from the request, 403 for a user who is not in
	// the group, and 503 if a
	// dependency does not answer.
	Status int

	// Level and MaxAge are what the route needs. Level is empty if there was no
	// valid token or the level is not the reason; MaxAge is zero if any age would
	// do.
	Level  token.Level
	MaxAge time.Duration

	// Action is the name of the action that the route needs consent to, and empty
	// if the refusal has another reason.
	Action string

	// Cause is why the request was refused, for logs. It is never sent to the
	// client.
	Cause error
}

// StepUp reports whether the token is valid and its holder only has to verify a
// passkey.
func (r Refusal) StepUp() bool { return r.Level != token.LevelNone }

// Challenge is the value for WWW-Authenticate (RFC 6750 §3, RFC 9470 §3). It is
// empty if no other token would help.
func (r Refusal) Challenge() string {
	switch {
	case r.Status == http.StatusServiceUnavailable, r.Status == http.StatusBadRequest, errors.Is(r.Cause, ErrNotInGroup):
		return ""
	case !r.StepUp() && (errors.Is(r.Cause, ErrNoToken) || errors.Is(r.Cause, ErrNoAssertion)):
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

// unavailable refuses a request that cannot be decided. It fails closed, but not
// with 401: a client must not sign its user out for it.
func unavailable(cause error) *Refusal {
	return &Refusal{Status: http.StatusServiceUnavailable, Cause: cause}
}

// refused sets the cause of a refused token, or returns a 503 if the keys could
// not be fetched.
func refused(err error, refusal Refusal) *Refusal {
	var e *token.Error
	if errors.As(err, &e) && e.Reason == token.ReasonUnknownKey && e.Unwrap() != nil && !errors.Is(err, token.ErrUnknownKey) {
		return unavailable(err)
	}
	refusal.Cause = err
	return &refusal
}

// problem is the body of a refusal (RFC 9457).
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Action string `json:"action,omitempty"`
}

func problemOf(r Refusal) problem {
	p := problem{Title: http.StatusText(r.Status), Status: r.Status}
	switch {
	case r.Status == http.StatusServiceUnavailable:
		p.Code, p.Detail = "unavailable", "Something this service depends on does not answer. Try again in a few seconds."
	case r.Status == http.StatusBadRequest:
		p.Code, p.Detail = "invalid_request", "The request does not match this route."
	case r.Action != "":
		p.Code, p.Detail, p.Action = "action_required", "Confirm this action with a passkey, then try again.", r.Action
	case errors.Is(r.Cause, ErrNotInGroup):
		p.Code, p.Detail = "forbidden", "Your account is not allowed to do this. Ask an administrator for access."
	case errors.Is(r.Cause, ErrNotHardware):
		p.Code, p.Detail = "hardware_required", "Verify a passkey that is bound to hardware, then try again."
	case r.StepUp():
		p.Code, p.Detail = "step_up_required", "Verify a passkey, then try again."
	default:
		p.Code, p.Detail = "unauthorized", "Sign in, then try again."
	}
	return p
}

// refuse always writes a refusal. If Options.Refuse writes nothing, net/http would answer
// 200, and clients would believe that the request was carried out.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, refusal Refusal) {
	watched := &watchedWriter{ResponseWriter: w}
	g.options.Refuse(watched, r, refusal)
	if !watched.wrote {
		WriteRefusal(w, r, refusal)
	}
}

// watchedWriter records whether an answer was begun.
type watchedWriter struct {
	http.ResponseWriter
	wrote bool
}

func (w *watchedWriter) WriteHeader(status int) {
	w.wrote = w.wrote || status >= http.StatusOK // 1xx is no answer yet
	w.ResponseWriter.WriteHeader(status)
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(p)
}

// FlushError is what [http.ResponseController] calls. Flushing sends the header.
func (w *watchedWriter) FlushError() error {
	w.wrote = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for [http.ResponseController].
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteRefusal is the default of Options.Refuse: the challenge in the header
// and a problem document (RFC 9457) as the body.
func WriteRefusal(w http.ResponseWriter, _ *http.Request, refusal Refusal) {
	if challenge := refusal.Challenge(); challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if refusal.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(refusal.Status)
	// A failed write means that the client is gone.
	_ = json.NewEncoder(w).Encode(problemOf(refusal))
}
