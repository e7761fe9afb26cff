package guard

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stepkey/stepkey/token"
)

// Options change how a Guard refuses.
type Options struct {
	// StepUpStatus answers a token whose level or age does not suffice: 403,
	// which is the default and what the original answers, or 401, which RFC 9470
	// prefers.
	StepUpStatus int

	// Refuse writes a refusal. The default writes headers and a problem document
	// (RFC 9457). It must not call the guarded handler.
	Refuse func(http.ResponseWriter, *http.Request, Refusal)

	// Clock tells the age of a proof. nil means time.Now. Give it the clock that
	// the verifier has.
	Clock func() time.Time
}

// Guard makes middleware. It is safe for concurrent use.
type Guard struct {
	verifier *token.Verifier
	options  Options
}

// New returns a Guard that checks tokens with verifier.
func New(verifier *token.Verifier, options Options) *Guard {
	if options.StepUpStatus == 0 {
		options.StepUpStatus = http.StatusForbidden
	}
	if options.Refuse == nil {
		options.Refuse = WriteRefusal
	}
	if options.Clock == nil {
		options.Clock = time.Now
	}
	return &Guard{verifier: verifier, options: options}
}

// RequireLogin lets through whoever signed in. A token at level recovery does
// not suffice.
func (g *Guard) RequireLogin(next http.Handler) http.Handler {
	return g.require(token.LevelPassword, 0, next)
}

// RequireFull lets through whoever verified a passkey in this session.
func (g *Guard) RequireFull(next http.Handler) http.Handler {
	return g.require(token.LevelFull, 0, next)
}

// MaxAge lets through whoever verified a passkey in this session not longer
// than age ago. Ages count in whole seconds; age must be positive.
func (g *Guard) MaxAge(age time.Duration) func(http.Handler) http.Handler {
	if age <= 0 {
		panic("guard: MaxAge needs a positive age")
	}
	return func(next http.Handler) http.Handler { return g.require(token.LevelFull, age, next) }
}

func (g *Guard) require(level token.Level, maxAge time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := g.authenticate(r)
		if err != nil {
			g.options.Refuse(w, r, Refusal{Status: http.StatusUnauthorized, Cause: err})
			return
		}
		if !g.suffices(claims, level, maxAge) {
			g.options.Refuse(w, r, Refusal{Status: g.options.StepUpStatus, Level: level, MaxAge: maxAge})
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), claimsKey{}, claims)))
	})
}

func (g *Guard) authenticate(r *http.Request) (token.Claims, error) {
	raw, ok := bearer(r)
	if !ok {
		return token.Claims{}, ErrNoToken
	}
	return g.verifier.Verify(r.Context(), raw)
}

func (g *Guard) suffices(claims token.Claims, level token.Level, maxAge time.Duration) bool {
	if !claims.Level.Satisfies(level) {
		return false
	}
	if maxAge == 0 {
		return true
	}
	age, ok := claims.PasskeyAge(g.options.Clock())
	return ok && age <= maxAge
}

// bearer returns the one bearer token of a request. Two Authorization headers
// are refused: proxies and servers disagree on which of them counts.
func bearer(r *http.Request) (string, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, raw, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return "", false
	}
	return raw, true
}

type claimsKey struct{}

// FromContext returns the claims that a guard put there, and false where no
// guard stands before the handler.
func FromContext(ctx context.Context) (token.Claims, bool) {
	claims, ok := ctx.Value(claimsKey{}).(token.Claims)
	return claims, ok
}
