package guard

import (
	"errors"
	"net/http"

	"github.com/stepkey/stepkey/token"
)

// ActionHeader is the request header that an action token comes in, once and
// without a scheme. The access token stays in Authorization.
const ActionHeader = "Stepkey-Action"

// Causes of a refusal for lack of consent to an action, in addition to the
// errors of package token.
var (
	ErrNoAction         = errors.New("guard: not one action token")
	ErrActionSubject    = errors.New("guard: the action token is another user's")
	ErrActionSession    = errors.New("guard: the action token is another session's")
	ErrActionName       = errors.New("guard: the action token is for another action")
	ErrActionParameters = errors.New("guard: the action token is for other parameters")
	ErrActionSpent      = errors.New("guard: the action token was used before")
)

// RequireAction requires the user's consent to exactly this request, given with a
// passkey: an access token at level password or higher in Authorization, and in
// [ActionHeader] an action token of the same session, for the action called name
// and the parameters that parameters reads from the request. An action token that
// fits is spent in Options.Spender, whatever becomes of the request; one that
// does not fit is not spent.
//
// parameters returns everything that the handler will act on, and nothing else:
// the user has not consented to a parameter that is left out. It must bound
// what it reads, and if it reads the body, it must restore r.Body for the
// handler. If it returns an error, or parameters that [token.Action.Check]
// rejects, the answer is 400.
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

// checkAction reads the parameters before it verifies the token. Reading may
// take as long as a slow body; between verifying and spending, nothing waits
// for the client.
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
