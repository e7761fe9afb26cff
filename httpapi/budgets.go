package httpapi

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
)

// budget says which limit applies to the calls of a route.
type budget int

// The budgets. docs/limits.md has their numbers.
const (
	// perSession is for signed-in calls.
	perSession budget = iota + 1

	// perAddress is for calls without a session.
	perAddress

	// readiness is for the checks of load balancers, per address.
	readiness

	// perGuess is for introspection. Its handler counts wrong secrets per address; services
	// with the right secret may introspect a token on every request.
	perGuess

	// fixed is for answers from memory, which need no query and no signature.
	fixed
)

// budgeted is a handler with its budget. Every handler of a route is one.
type budgeted struct {
	http.Handler
	budget budget
}

// signedIn wraps a handler behind a guard. It counts calls per session and makes the
// operations of one user take turns.
func (a *api) signedIn(require func(http.Handler) http.Handler) func(callerHandler) budgeted {
	alone := a.tokenAlone(require)
	return func(next callerHandler) budgeted {
		return alone(func(w http.ResponseWriter, r *http.Request, c caller) error {
			c.client = a.clientOf(r)
			ctx := stepkey.WithClient(r.Context(), c.client)
			if id, err := uuid.Parse(c.Claims().Subject); err == nil {
				ctx = stepkey.WithAccount(ctx, id)
			}
			return next(w, r.WithContext(ctx), c)
		})
	}
}

// tokenAlone is signedIn for handlers that need nothing but the token: they neither ask the store nor record events,
// and so need not know the client's device, network and language.
func (a *api) tokenAlone(require func(http.Handler) http.Handler) func(callerHandler) budgeted {
	return func(next callerHandler) budgeted {
		admitted := func(w http.ResponseWriter, r *http.Request) error {
			who, err := a.callerOf(r)
			if err != nil {
				return err
			}
			if err := a.service.AdmitSession(who.Claims().SessionID); err != nil {
				return err
			}
			return next(w, r, caller{Caller: who})
		}
		return budgeted{require(a.answer(admitted)), perSession}
	}
}

// anonymous wraps a handler that needs no access token.
func (a *api) anonymous(next handler) budgeted {
	return a.admitted(perAddress, a.service.AdmitClient, next)
}

func (a *api) admitted(b budget, admit func(stepkey.Client) error, next handler) budgeted {
	return budgeted{a.answer(func(w http.ResponseWriter, r *http.Request) error {
		if err := admit(stepkey.Client{IP: a.clientIP(r)}); err != nil {
			return err
		}
		return next(w, r.WithContext(stepkey.WithClient(r.Context(), a.clientOf(r))))
	}), b}
}

// fromMemory wraps a handler that answers from memory.
func (a *api) fromMemory(h handler) budgeted { return budgeted{a.answer(h), fixed} }
