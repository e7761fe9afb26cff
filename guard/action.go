package guard

import (
	"errors"
	"net/http"

	"github.com/stepkey/stepkey/token"
)

// ActionHeader is the request header that an action token comes in, once and
// without a scheme. The access token stays in Authorization.
const ActionHeader = "Stepkey-Action"

// Causes of a refusal for want of a proof for an action, beside the errors of
// package token.
var (
	ErrNoAction         = errors.New("guard: not one action token")
	ErrActionSubject    = errors.New("guard: the action token is another user's")
	ErrActionSession    = errors.New("guard: the action token is another session's")
	ErrActionName       = errors.New("guard: the action token is for another action")
	ErrActionParameters = errors.New("guard: the action token is for other parameters")
	ErrActionSpent      = errors.New("guard: the action token was used before")
)

// RequireAction lets through a request whose user consented with a passkey to
// just that: an access token at level password or better in Authorization, and
// in [ActionHeader] an action token of the same session for the action name with
// what parameters reads from the request. The action token is spent by that, in
// Options.Spender, whatever becomes of the request; one that does not fit is not.
//
// parameters reads what the handler will act on, all of it and nothing else: a
// parameter left out is one that the user has not consented to. It bounds what
// it reads, and if it reads the body it puts r.Body back for the handler. An
// error of it, or parameters that [token.Action.Check] refuses, answer 400.
//
// RequireAction panics if name is not the name of an action.
func (g *Guard) RequireAction(
	name string, parameters func(*http.Request) (map[string]string, error),
) func(http.Handler) http.Handler {
	if err := (token.Action{Name: name}).Check(); err != nil {
		panic("guard: RequireAction: " + err.Error())
	}
	return func(next http.Handler) http.Handler {
		return g.protect(next, func(r *http.Request, claims token.Claims) *Refusal {
			if refusal := g.checkLevel(claims, token.LevelPassword, 0); refusal != nil {
				return refusal
			}
			return g.checkAction(r, claims, name, parameters)
		})
	}
}

// checkAction reads the parameters, which may take as long as a body takes to
// come, before it looks at the token: between that and spending nothing waits.
func (g *Guard) checkAction(
	r *http.Request, claims token.Claims, name string, parameters func(*http.Request) (map[string]string, error),
) *Refusal {
	refusal := Refusal{Status: g.options.StepUpStatus, Level: token.LevelFull, Action: name}
	values := r.Header.Values(ActionHeader)
	if len(values) != 1 {
		refusal.Cause = ErrNoAction
		return &refusal
	}
	action := token.Action{Name: name}
	var err error
	if action.Parameters, err = parameters(r); err == nil {
		err = action.Check()
	}
	if err != nil {
		return &Refusal{Status: http.StatusBadRequest, Cause: err}
	}
	proof, err := g.verifier.VerifyAction(r.Context(), values[0])
	if err != nil {
		return refused(err, refusal)
	}
	if refusal.Cause = mismatch(proof, claims, action); refusal.Cause != nil {
		return &refusal
	}
	first, err := g.options.Spender.Spend(r.Context(), proof.ID, spentUntil(proof))
	if err != nil {
		return unavailable(err)
	}
	if !first {
		refusal.Cause = ErrActionSpent
		return &refusal
	}
	return nil
}

// mismatch says why a valid action token is not for this request, if it is not.
func mismatch(proof token.ActionClaims, claims token.Claims, action token.Action) error {
	switch {
	case proof.Subject != claims.Subject:
		return ErrActionSubject
	case proof.SessionID != claims.SessionID:
		return ErrActionSession
	case proof.Act.Name != action.Name:
		return ErrActionName
	case proof.Act.Digest != action.Digest():
		return ErrActionParameters
	default:
		return nil
	}
}
