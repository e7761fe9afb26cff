package httpapi

import (
	"errors"
	"io"
	"net/http"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
)

// handler answers a request or returns an error. In that case it has written nothing.
type handler func(w http.ResponseWriter, r *http.Request) error

// caller is the user on whose behalf a request acts, as the guard verified it, and the device
// that it came from.
type caller struct {
	stepkey.Caller
	client stepkey.Client
}

// callerHandler is a handler that needs a caller.
type callerHandler func(w http.ResponseWriter, r *http.Request, c caller) error

// answer returns an http.Handler that writes h's errors as problem documents.
func (a *api) answer(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

// withCaller returns a handler that calls h with the caller that the guard
// verified.
func (a *api) withCaller(h callerHandler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, err := a.callerOf(r)
		if err != nil {
			return err
		}
		from := a.clientOf(r)
		return h(w, r.WithContext(stepkey.WithClient(r.Context(), from)), caller{who, from})
	}
}

func (a *api) callerOf(r *http.Request) (stepkey.Caller, error) {
	verified, _ := guard.VerifiedFromContext(r.Context())
	return a.service.Caller(verified)
}

// fail answers with the problem that err means, and logs an internal fault. A refusal by overload is none, and a
// line for each would double the log of a flood.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p problem
	decided := errors.As(err, &p)
	if !decided {
		p = problemOf(err)
	}
	if p.code == problemPasswordTooShort.code {
		p.detail = tooShort(a.service.MinPasswordLength())
	}
	if !decided && p.status >= http.StatusInternalServerError && p.code != problemOverloaded.code {
		a.log.ErrorContext(r.Context(), "request failed",
			"request", requestID(r.Context()), "route", r.Pattern, "error", err)
	}
	writeProblem(w, r, p)
}

// success is the answer to a request that was carried out and of which nothing else is to be said.
const success = `{"success":true}`

// succeed confirms that the request was carried out, unless err is not nil.
func succeed(w http.ResponseWriter, err error) error { return confirm(w, http.StatusOK, err) }

// accept confirms that the request will be carried out, unless err is not nil.
func accept(w http.ResponseWriter, err error) error { return confirm(w, http.StatusAccepted, err) }

func confirm(w http.ResponseWriter, status int, err error) error {
	if err != nil {
		return err
	}
	writeSuccess(w, status)
	return nil
}

func writeSuccess(w http.ResponseWriter, status int) {
	w.Header()["Content-Type"] = jsonContent
	w.WriteHeader(status)
	// A failed write means that the client is gone.
	_, _ = io.WriteString(w, success)
}
