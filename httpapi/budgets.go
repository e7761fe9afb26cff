package httpapi

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
)

// budget says what bounds the number of calls of a route.
type budget int

// The budgets. docs/limits.md has their numbers.
const (
	// perSession is for signed-in calls.
	perSession budget = iota + 1

	// perAddress is for calls without a session.
	perAddress

	// readiness is for load balancers, per address.
	readiness

	// perGuess is for introspection. Its handler counts wrong secrets by address; services that
	// have the right one may ask about every request of theirs.
	perGuess

	// fixed is for answers that come from memory and cost no query and no signature.
	fixed
)

// budgeted is a handler behind its budget. Every handler of a route is one.
type budgeted struct {
	http.Handler
	budget budget
}

// signedIn wraps what a guard lets through. It counts the call for its session and has the
// operations of its user take turns.
func (a *api) signedIn(require func(http.Handler) http.Handler) func(callerHandler) budgeted {
	return func(next callerHandler) budgeted {
		admitted := a.withCaller(func(w http.ResponseWriter, r *http.Request, c caller) error {
			if err := a.service.AdmitSession(c.Claims().SessionID); err != nil {
				return err
			}
			if id, err := uuid.Parse(c.Claims().Subject); err == nil {
				r = r.WithContext(stepkey.WithAccount(r.Context(), id))
			}
			return next(w, r, c)
		})
		return budgeted{require(a.answer(admitted)), perSession}
	}
}

// anonymous wraps what needs no access token.
func (a *api) anonymous(next handler) budgeted {
	return a.admitted(perAddress, a.service.AdmitClient, next)
}

func (a *api) admitted(b budget, admit func(stepkey.Client) error, next handler) budgeted {
	return budgeted{a.answer(func(w http.ResponseWriter, r *http.Request) error {
		if err := admit(stepkey.Client{IP: a.clientIP(r)}); err != nil {
			return err
		}
		return next(w, r)
	}), b}
}

// fromMemory is for what costs nothing.
func (a *api) fromMemory(h handler) budgeted { return budgeted{a.answer(h), fixed} }
