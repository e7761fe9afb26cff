package stepup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/keptform"
	"github.com/stepkey/stepkey/internal/passkeyname"
	"github.com/stepkey/stepkey/internal/requestkind"
	"github.com/stepkey/stepkey/internal/useragent"
)

// Require passes requests that meet the purpose and answers the rest. An unknown name panics.
// Mount it inside the middleware that loads the session, and outside any that reads forms or
// checks CSRF tokens: a posted form is then checked when it is posted again.
func (k *Kit) Require(purpose string) func(http.Handler) http.Handler {
	k.purpose(purpose)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if k.Admit(w, r, purpose) {
				next.ServeHTTP(w, r)
			}
		})
	}
}

// RequireAction passes one request per verification in which these form or JSON fields and their
// values were shown, within a minute after it. The rule of the purpose has to accept a passkey.
// An unknown purpose, and field names that cannot be shown, panic.
func (k *Kit) RequireAction(purpose string, fields ...string) func(http.Handler) http.Handler {
	k.checkAction(purpose, fields)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if k.admit(w, r, k.purpose(purpose), fields, true) {
				next.ServeHTTP(w, r)
			}
		})
	}
}

func (k *Kit) checkAction(purpose string, fields []string) {
	if err := checkActionFields(fields); err != nil {
		panic(err)
	}
	if len(withPasskey(k.purpose(purpose).Rule)) == 0 {
		panic(fmt.Sprintf("stepup: the rule of %q accepts no passkey, which alone can confirm an action", purpose))
	}
}

// withPasskey returns the alternatives that ask for a passkey.
func withPasskey(r Rule) Rule {
	return slices.DeleteFunc(slices.Clone(r), func(list []Need) bool {
		return !slices.ContainsFunc(list, func(n Need) bool { return n.Factor == Passkey })
	})
}

// Admit is Require or, with fields, RequireAction for middleware of other types. It reports
// whether the request may go on; if not, it has answered it.
func (k *Kit) Admit(w http.ResponseWriter, r *http.Request, purpose string, fields ...string) bool {
	if len(fields) > 0 {
		k.checkAction(purpose, fields)
	}
	return k.admit(w, r, k.purpose(purpose), fields, len(fields) > 0)
}

func (k *Kit) admit(w http.ResponseWriter, r *http.Request, p Purpose, fields []string, isAction bool) bool {
	v, err := k.visitor(r)
	if err != nil {
		k.unavailable(w, r, err)
		return false
	}
	now := k.realm.Now()
	d, err := k.decide(r.Context(), v.Identity, p, now)
	if err != nil {
		k.unavailable(w, r, err)
		return false
	}
	mode := p.modeAt(now)
	var act *action
	if isAction && !d.nobody() {
		if act, err = k.confirmed(r, p, fields, &d, now); err != nil && !(keptform.IsFault(err) && d.isSpared(mode)) {
			k.refuseBody(w, r, err)
			return false
		}
	}
	passes, outcome := k.outcome(r, mode, d, now)
	k.counts.add(now, p.Name, r.Pattern, outcome, 1)
	if !passes {
		k.refuse(w, r, v, p, d, act)
	}
	return passes
}

// Check reports whether an identity meets a purpose, for requests that do not come from a browser, such
// as a gRPC method. It returns nil, a [*NeededError], stepkey.ErrUnauthorized if nobody is signed
// in, stepkey.ErrUnavailable if the database cannot be asked, or an error that names what is wrong
// with id. An unknown purpose panics.
func (k *Kit) Check(ctx context.Context, id Identity, purpose string) error {
	p := k.purpose(purpose)
	if err := id.check(); err != nil {
		return err
	}
	now := k.realm.Now()
	d, err := k.decide(ctx, id, p, now)
	if err != nil {
		return err
	}
	if d.nobody() {
		return stepkey.ErrUnauthorized
	}
	mode := p.modeAt(now)
	passes, outcome := d.meets || d.isSpared(mode), outcomePass
	switch {
	case !d.meets && mode == Shadow:
		outcome = d.wouldBe()
	case !passes:
		outcome = outcomeAsked
	}
	k.counts.add(now, p.Name, "", outcome, 1)
	if passes {
		return nil
	}
	return d.needed
}

// Proof returns the proof of a passkey in the session of r, of any age up to 12 hours, and false
// if there is none. One that is more than 5 s ahead of the clock is none.
func (k *Kit) Proof(r *http.Request) (Proof, bool) {
	v, err := k.visitor(r)
	if err != nil || v.nobody() || v.Session == "" {
		return Proof{}, false
	}
	now := k.realm.Now()
	standing, err := k.standing(r.Context(), v.Identity, now)
	if err != nil {
		return Proof{}, false
	}
	proof := passkeyProof(standing)
	if !countsAt(proof.At, now) {
		return Proof{}, false
	}
	return proof, true
}

// visitor is who makes a request, and on which device.
type visitor struct {
	Identity
	device string
}

// visitor asks the application who makes a request. A panic of Identify is an error: it says that
// the Kit stands outside the middleware that loads sessions.
func (k *Kit) visitor(r *http.Request) (v visitor, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("stepup: Config.Identify panics: mount the Kit inside the middleware that loads sessions: %v", cause)
		}
	}()
	v.device = useragent.Describe(r.UserAgent())
	if v.Identity, err = k.config.Identify(r); err != nil {
		return visitor{}, err
	}
	return v, v.check()
}

// maxAccount is how many characters of an Identity's Name are shown: an e-mail address fits.
const maxAccount = 254

// account is the name of the user as it can be shown.
func (v visitor) account() string { return passkeyname.Shown(v.Name, maxAccount) }

// visit is v as the engine takes it.
func (v visitor) visit(now time.Time) stepkey.Visit {
	var passwordAt time.Time
	for _, proof := range v.proofs(Proof{}) {
		if proof.Factor == Password && countsAt(proof.At, now) && proof.At.After(passwordAt) {
			passwordAt = proof.At
		}
	}
	return stepkey.Visit{
		User: v.User, Name: v.Name, DisplayName: v.DisplayName, Session: v.Session,
		SignedInAt: v.SignedInAt, PasswordAt: passwordAt, Client: stepkey.Client{Device: v.device},
	}
}

// decision is how a request stands to a purpose, whatever its mode is.
type decision struct {
	id       Identity
	standing stepkey.Standing
	meets    bool
	needed   *NeededError // nil if it is met
}

func (d decision) nobody() bool { return d.id.nobody() }

// isSpared reports whether a mode lets the user pass without meeting the purpose.
func (d decision) isSpared(mode Mode) bool {
	return !d.nobody() && (mode == Shadow || mode == Offered && !d.standing.UsablePasskeys)
}

// wouldBe is the outcome that Shadow counts for a request that does not meet the purpose.
func (d decision) wouldBe() string {
	if d.standing.UsablePasskeys {
		return outcomeWouldAsk
	}
	return outcomeWouldStop
}

// decide evaluates the rule of p. For nobody it is not met, and nothing is asked of the database.
func (k *Kit) decide(ctx context.Context, id Identity, p Purpose, now time.Time) (decision, error) {
	d := decision{id: id}
	if d.nobody() {
		return d, nil
	}
	standing, err := k.standing(ctx, id, now)
	if err != nil {
		return d, err
	}
	d.standing = standing
	d.evaluate(p, p.Rule, now, passkeyProof(standing))
	return d, nil
}

func (d *decision) evaluate(p Purpose, r Rule, now time.Time, passkey Proof) {
	ok, missing, expired := r.evaluate(now, d.id.proofs(passkey))
	d.meets, d.needed = ok, nil
	if !ok {
		d.needed = &NeededError{Purpose: p.Name, Missing: missing, Expired: expired, NoPasskey: !d.standing.UsablePasskeys}
	}
}

// passkeyProof is the proof that a standing holds, the zero Proof for none.
func passkeyProof(s stepkey.Standing) Proof {
	if s.FullAt == nil {
		return Proof{}
	}
	return Proof{Factor: Passkey, At: *s.FullAt, Passkey: s.FullPasskeyID.String()}
}

// standing asks the database, or memory if Config.Staleness allows it. Without a session value
// there is no proof: such values would all be one session.
func (k *Kit) standing(ctx context.Context, id Identity, now time.Time) (stepkey.Standing, error) {
	if standing, ok := k.proofs.get(id, now); ok {
		return standing, nil
	}
	moment := k.proofs.moment()
	standing, err := k.realm.Standing(ctx, visitor{Identity: id}.visit(now))
	if err != nil {
		return stepkey.Standing{}, fmt.Errorf("%w: %w", stepkey.ErrUnavailable, err)
	}
	if id.Session == "" {
		standing.FullAt = nil
	}
	k.proofs.put(id, standing, now, moment)
	return standing, nil
}

// confirmed reads the action of a request and decides d by the consent to it. The consent is used
// up only if all else that the rule asks for is there.
func (k *Kit) confirmed(r *http.Request, p Purpose, fields []string, d *decision, now time.Time) (*action, error) {
	rule := withPasskey(p.Rule)
	act, err := readAction(r, p.Name, k.config.Prefix+r.URL.RequestURI(), fields)
	if err != nil {
		d.evaluate(p, rule, now, Proof{})
		return nil, err
	}
	if d.id.Session == "" {
		d.evaluate(p, rule, now, Proof{}) // nothing can be confirmed without a session
		return &act, nil
	}
	d.evaluate(p, rule, now, Proof{Factor: Passkey, At: now})
	if !d.meets {
		return &act, nil
	}
	taken, err := k.realm.TakeConsent(r.Context(), visitor{Identity: d.id}.visit(now), act.digest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", stepkey.ErrUnavailable, err)
	}
	if !taken {
		d.evaluate(p, rule, now, Proof{})
	}
	return &act, nil
}

// outcome applies the mode of a purpose to a decision, and says what is counted.
func (k *Kit) outcome(r *http.Request, mode Mode, d decision, now time.Time) (passes bool, counted string) {
	switch {
	case d.meets:
		return true, outcomePass
	case d.nobody():
		// Shadow and Offered change what is asked of users, not whether there has to be one.
		return false, outcomeAsked
	case mode == Shadow:
		return true, d.wouldBe()
	case mode == Offered && !d.standing.UsablePasskeys:
		if k.offers(r, d, now) {
			return false, outcomeAsked
		}
		return true, outcomePass
	}
	return false, outcomeAsked
}

// offers reports whether a user without a passkey is asked to add one: on a page, since a form
// that was posted should not wait for that, and once in a session.
func (k *Kit) offers(r *http.Request, d decision, now time.Time) bool {
	if requestkind.Of(r.Method, r.Header) != requestkind.DocumentGet || d.id.Session == "" || d.standing.HasPasskeys {
		return false
	}
	if !k.mayEnrol(visitor{Identity: d.id}, now) {
		return false // the page could only ask for a new sign-in, which nobody has to make yet
	}
	declined := d.standing.OfferDeclinedAt
	if declined == nil {
		return true
	}
	since := d.id.SignedInAt
	if !countsAt(since, now) {
		since = now.Add(-maxPasskeyAge) // a remembered session is asked twice a day at most
	}
	return declined.Before(since)
}

// unavailable answers where it cannot be known who asks, or what they have proved.
func (k *Kit) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, context.Canceled) {
		k.log.ErrorContext(r.Context(), "request refused: it cannot be decided", "error", err)
	}
	k.fail(w, r, problemUnavailable)
}
