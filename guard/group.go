package guard

import (
	"net/http"

	"github.com/stepkey/stepkey/token"
)

// RequireGroup requires a signed-in user who is in the group. A user who is not gets 403 without a
// challenge, because no step-up changes that. Combine it with another guard for a level, as in
// g.RequireGroup("ops")(g.RequireFull(next)).
//
// A removal from the group takes effect when the guard learns of it, within seconds, if
// Options.Ended is set.
func (g *Guard) RequireGroup(name string) func(http.Handler) http.Handler {
	if groups, err := token.NewGroups([]string{name}); err != nil || groups == "" {
		panic("guard: RequireGroup needs the name of a group")
	}
	return func(next http.Handler) http.Handler {
		return g.protect(next, func(_ *http.Request, claims token.Claims) *Refusal {
			if refusal := g.checkLevel(claims, token.LevelPassword, 0); refusal != nil {
				return refusal
			}
			if !claims.InGroup(name) {
				return &Refusal{Status: http.StatusForbidden, Cause: ErrNotInGroup}
			}
			return nil
		})
	}
}
