package httpapi

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
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
func (a *api) signedIn(require func(http.Handler) http.Handler) func(http.Handler) budgeted {
	return func(next http.Handler) budgeted {
		return budgeted{budget: perSession, Handler: require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			claims, _ := guard.FromContext(r.Context())
			if err := a.service.AdmitSession(claims.SessionID); err != nil {
				a.fail(w, r, err)
				return
			}
			if id, err := uuid.Parse(claims.Subject); err == nil {
				r = r.WithContext(stepkey.WithAccount(r.Context(), id))
			}
			next.ServeHTTP(w, r)
		}))}
	}
}

// anonymous wraps what needs no access token.
func (a *api) anonymous(next http.HandlerFunc) budgeted {
	return a.admitted(perAddress, a.service.AdmitClient, next)
}

func (a *api) admitted(b budget, admit func(stepkey.Client) error, next http.HandlerFunc) budgeted {
	return budgeted{budget: b, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := admit(stepkey.Client{IP: a.clientIP(r)}); err != nil {
			a.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})}
}

// fromMemory is for what costs nothing.
func fromMemory(h http.Handler) budgeted { return budgeted{h, fixed} }
