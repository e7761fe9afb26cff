package guard

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stepkey/stepkey/token"
)

// Options configure a Guard.
type Options struct {
	// StepUpStatus is the status for a token whose level or age does not suffice:
	// 403, the default and the original's answer, or 401, which RFC 9470 prefers.
	StepUpStatus int

	// Refuse writes a refusal. The default is [WriteRefusal], which is also called if
	// Refuse writes nothing, because net/http would then send 200. Refuse must not
	// call the guarded handler.
	Refuse func(http.ResponseWriter, *http.Request, Refusal)

	// Clock is used to compute the age of a proof. Nil means time.Now. Use the
	// verifier's clock.
	Clock func() time.Time

	// Ended reports on every request whether the token's session has ended. It is
	// required unless DangerIgnoreEndedSessions is set.
	Ended EndedSessions

	// DangerIgnoreEndedSessions accepts the tokens of an ended session until they
	// expire: for up to [token.Lifetime] after a sign-out, a changed password or a
	// detected theft. It has no effect if Ended is set.
	DangerIgnoreEndedSessions bool

	// Spender remembers which action tokens were used. Nil means
	// [NewMemorySpender] with [DefaultSpenderCapacity], which suffices if one
	// process answers all requests.
	Spender ActionSpender
}

// EndedSessions knows which sessions have ended. Implementations must be safe
// for concurrent use and answer from memory, since every request waits for
// them.
type EndedSessions interface {
	// Ended reports whether the session of a valid access token has ended. If it
	// returns an error, the request is refused.
	Ended(token.Claims) (bool, error)
}

// LoweredSessions knows which live sessions have lost level full because their passkey was deleted.
// An [EndedSessions] may implement it; stepkey.Service does. Routes that need level full then refuse
// a token once its passkey is gone.
type LoweredSessions interface {
	// Lowered reports whether the passkey that was verified in the session at that time (the claim
	// passkey_time) has been deleted. If it returns an error, the request is refused.
	Lowered(sessionID string, verifiedAt int64) (bool, error)
}

// Guard makes middleware that protects routes. It is safe for concurrent use.
type Guard struct {
	verifier *token.Verifier
	options  Options
}

// New returns a Guard that checks tokens with verifier. It panics if verifier is nil, or
// if Options.Ended is nil and DangerIgnoreEndedSessions is not set: a misconfigured guard
// would accept tokens that it must refuse.
func New(verifier *token.Verifier, options Options) *Guard {
	if verifier == nil {
		panic("guard: New needs a verifier")
	}
	if options.Ended == nil && !options.DangerIgnoreEndedSessions {
		panic("guard: Options.Ended is nil, so tokens would outlive their sessions: " +
			"give a *stepkey.Service or the result of FollowEndedSessions, or set DangerIgnoreEndedSessions")
	}
	if options.StepUpStatus == 0 {
		options.StepUpStatus = http.StatusForbidden
	}
	if options.Refuse == nil {
		options.Refuse = WriteRefusal
	}
	if options.Clock == nil {
		options.Clock = time.Now
	}
	if options.Spender == nil {
		options.Spender = newMemorySpender(DefaultSpenderCapacity, options.Clock)
	}
	return &Guard{verifier: verifier, options: options}
}

// RequireLogin requires a signed-in user. A token at level recovery does not
// suffice.
func (g *Guard) RequireLogin(next http.Handler) http.Handler {
	return g.require(token.LevelPassword, 0, next)
}

// RequireEnrolment requires a token that may begin to add a passkey: one of a signed-in
// user or, unlike [Guard.RequireLogin], one at level recovery. Level recovery is for
// users who have lost all their passkeys and allows nothing else. The guarded handler
// must check the level itself.
func (g *Guard) RequireEnrolment(next http.Handler) http.Handler {
	return g.protect(next, func(_ *http.Request, claims token.Claims) *Refusal {
		if claims.Level.Satisfies(token.LevelRecovery) {
			return nil
		}
		return g.checkLevel(claims, token.LevelPassword, 0)
	})
}

// RequireFull requires that a passkey was verified in this session.
func (g *Guard) RequireFull(next http.Handler) http.Handler {
	return g.require(token.LevelFull, 0, next)
}

// MaxAge requires that a passkey was verified in this session at most age ago.
// Ages count in whole seconds; MaxAge panics if age is not positive.
func (g *Guard) MaxAge(age time.Duration) func(http.Handler) http.Handler {
	if age <= 0 {
		panic("guard: MaxAge needs a positive age")
	}
	return func(next http.Handler) http.Handler { return g.require(token.LevelFull, age, next) }
}

// RequireHardware requires that a passkey that is known to be bound to hardware
// was verified in this session: level full, and hwk among the methods (RFC
// 8176). Stepkey writes hwk only for keys that cannot be synced and whose maker
// is among the service's attestation roots. Without such roots this guard
// refuses every request.
func (g *Guard) RequireHardware(next http.Handler) http.Handler {
	return g.protect(next, func(_ *http.Request, claims token.Claims) *Refusal {
		if refusal := g.checkLevel(claims, token.LevelFull, 0); refusal != nil {
			return refusal
		}
		if !slices.Contains(claims.Methods, "hwk") {
			return &Refusal{Status: g.options.StepUpStatus, Level: token.LevelFull, Cause: ErrNotHardware}
		}
		return nil
	})
}

func (g *Guard) require(level token.Level, maxAge time.Duration, next http.Handler) http.Handler {
	return g.protect(next, func(_ *http.Request, claims token.Claims) *Refusal {
		return g.checkLevel(claims, level, maxAge)
	})
}

// checkNotLowered refuses a token at level full whose passkey was deleted.
func (g *Guard) checkNotLowered(claims token.Claims, maxAge time.Duration) *Refusal {
	known, ok := g.options.Ended.(LoweredSessions)
	if !ok {
		return nil
	}
	lowered, err := known.Lowered(claims.SessionID, claims.PasskeyTime)
	if err != nil {
		return unavailable(err)
	}
	if lowered {
		return &Refusal{Status: g.options.StepUpStatus, Level: token.LevelFull, MaxAge: maxAge, Cause: ErrPasskeyDeleted}
	}
	return nil
}

// protect calls next if the request has a valid token of a live session and
// check returns nil.
func (g *Guard) protect(next http.Handler, check func(*http.Request, token.Claims) *Refusal) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verified, refusal := g.authenticate(r)
		if refusal == nil {
			refusal = check(r, verified.Claims())
		}
		if refusal != nil {
			g.refuse(w, r, *refusal)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), verifiedKey{}, verified)))
	})
}

func (g *Guard) authenticate(r *http.Request) (token.Verified, *Refusal) {
	raw, ok := bearer(r)
	if !ok {
		return token.Verified{}, &Refusal{Status: http.StatusUnauthorized, Cause: ErrNoToken}
	}
	verified, err := g.verifier.VerifyCaller(r.Context(), raw)
	if err != nil {
		return token.Verified{}, refused(err, Refusal{Status: http.StatusUnauthorized})
	}
	if g.options.Ended == nil {
		return verified, nil
	}
	ended, err := g.options.Ended.Ended(verified.Claims())
	if err != nil {
		return token.Verified{}, unavailable(err)
	}
	if ended {
		return token.Verified{}, &Refusal{Status: http.StatusUnauthorized, Cause: ErrSessionEnded}
	}
	return verified, nil
}

func (g *Guard) checkLevel(claims token.Claims, level token.Level, maxAge time.Duration) *Refusal {
	if !g.suffices(claims, level, maxAge) {
		return &Refusal{Status: g.options.StepUpStatus, Level: level, MaxAge: maxAge}
	}
	if level != token.LevelFull {
		return nil
	}
	return g.checkNotLowered(claims, maxAge)
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

// bearer returns the bearer token of a request. Two Authorization headers are
// refused, because proxies and servers disagree on which one counts.
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

type verifiedKey struct{}

// FromContext returns the claims that a guard stored in ctx. It returns false
// if no guard protects the handler.
func FromContext(ctx context.Context) (token.Claims, bool) {
	verified, ok := VerifiedFromContext(ctx)
	return verified.Claims(), ok
}

// VerifiedFromContext is [FromContext] for code that acts on the caller's behalf, such as
// stepkey.Service.Caller: only a guard can have made the result.
func VerifiedFromContext(ctx context.Context) (token.Verified, bool) {
	verified, ok := ctx.Value(verifiedKey{}).(token.Verified)
	return verified, ok
}
