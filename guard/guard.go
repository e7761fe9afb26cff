package guard

import (
	"context"
	"net/http"
	"slices"
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

	// Refuse writes a refusal. The default is [WriteRefusal], which also answers where
	// Refuse writes nothing: net/http would send 200. It must not call the guarded
	// handler.
	Refuse func(http.ResponseWriter, *http.Request, Refusal)

	// Clock tells the age of a proof. nil means time.Now. Give it the clock that
	// the verifier has.
	Clock func() time.Time

	// Ended is asked on every request whether the token's session has ended. It has to
	// be given, unless DangerIgnoreEndedSessions is set.
	Ended EndedSessions

	// DangerIgnoreEndedSessions accepts the tokens of an ended session until they
	// expire: for up to [token.Lifetime] after a sign-out, a changed password or a
	// detected theft. It has no effect where Ended is given.
	DangerIgnoreEndedSessions bool

	// Spender remembers which action tokens were used. nil means
	// [NewMemorySpender] with [DefaultSpenderCapacity], which suffices where one
	// process answers all requests.
	Spender ActionSpender
}

// EndedSessions knows which sessions have ended. Implementations are safe for
// concurrent use and answer from memory, since every request waits for them.
type EndedSessions interface {
	// Ended reports whether the session of a valid access token has ended. An error
	// means that it cannot be known; the request is then refused.
	Ended(token.Claims) (bool, error)
}

// LoweredSessions knows which passkeys have been deleted since they were verified in a session that
// goes on. An [EndedSessions] may implement it; a stepkey.Service does. Then a token at level full is
// refused, where that level is needed, once its passkey is gone.
type LoweredSessions interface {
	// Lowered reports whether the passkey that was verified at that time (the claim passkey_time) in
	// the session has been deleted. An error means that it cannot be known; the request is then
	// refused.
	Lowered(sessionID string, verifiedAt int64) (bool, error)
}

// Guard makes middleware. It is safe for concurrent use.
type Guard struct {
	verifier *token.Verifier
	options  Options
}

// New returns a Guard that checks tokens with verifier. It panics without a verifier, and
// without Options.Ended unless the options say that this is intended: a guard that was
// set up by half would let through what it must refuse.
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

// RequireLogin lets through whoever signed in. A token at level recovery does
// not suffice.
func (g *Guard) RequireLogin(next http.Handler) http.Handler {
	return g.require(token.LevelPassword, 0, next)
}

// RequireEnrolment lets through whoever may begin to add a passkey: whoever signed in
// and, unlike [Guard.RequireLogin], a token at level recovery. That one is for somebody
// who has lost all passkeys, and good for this alone. What is guarded has to look at the
// level itself.
func (g *Guard) RequireEnrolment(next http.Handler) http.Handler {
	return g.protect(next, func(_ *http.Request, claims token.Claims) *Refusal {
		if claims.Level.Satisfies(token.LevelRecovery) {
			return nil
		}
		return g.checkLevel(claims, token.LevelPassword, 0)
	})
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

// RequireHardware lets through whoever verified, in this session, a passkey that
// is known to be bound to a piece of hardware: level full, and hwk among the
// methods (RFC 8176). Stepkey writes hwk only for keys that cannot be synced and
// whose maker is among the attestation roots that the service was given. Without
// such roots there are none, and this guard lets nobody through.
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

// checkNotLowered refuses a token at level full whose passkey is gone.
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

// protect lets a request through that bears a valid token of a live session and
// against which check has nothing.
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

type verifiedKey struct{}

// FromContext returns the claims that a guard put there, and false where no
// guard stands before the handler.
func FromContext(ctx context.Context) (token.Claims, bool) {
	verified, ok := VerifiedFromContext(ctx)
	return verified.Claims(), ok
}

// VerifiedFromContext is [FromContext] for code that acts on the caller's behalf, such as
// stepkey.Service.Caller: nothing but a guard can have made the result.
func VerifiedFromContext(ctx context.Context) (token.Verified, bool) {
	verified, ok := ctx.Value(verifiedKey{}).(token.Verified)
	return verified, ok
}
