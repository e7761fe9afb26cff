package throttle

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/clientip"
	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/storage"
)

// Attempts counts consecutive wrong passwords. A storage.Store does.
type Attempts interface {
	ChargeAttempt(ctx context.Context, a storage.Attempt) (storage.Attempts, error)
	RefundAttempt(ctx context.Context, a storage.Attempt) error
}

// Config holds the parts of a [Throttle]. All but Limiter are required.
type Config struct {
	// Limiter counts what all instances share. Nil turns off all limits, budgets and
	// bounds.
	Limiter  storage.Limiter
	Attempts Attempts
	Gate     *password.Gate

	// Key is the key of the hashes that name buckets.
	Key []byte

	// AttackFailures is how many failed logins a minute, of all clients together, count as
	// an attack.
	AttackFailures int

	// Refuse makes the error for a client that has to wait.
	Refuse func(wait time.Duration) error
	Log    *slog.Logger
}

// Throttle applies the limits. It is safe for concurrent use.
type Throttle struct {
	limiter  storage.Limiter // nil for no limits
	attempts Attempts
	gate     *password.Gate
	key      []byte
	refuse   func(wait time.Duration) error
	log      *slog.Logger

	refusals *refusals
	budgets  *budgets
	failures storage.Limit // of all logins together
	attack   atomic.Int64  // until when an attack is assumed, in microseconds since 1970
}

// New makes a Throttle.
func New(c Config) *Throttle {
	return &Throttle{
		limiter: c.Limiter, attempts: c.Attempts, gate: c.Gate, key: c.Key, refuse: c.Refuse, log: c.Log,
		refusals: newRefusals(maxRefusals), budgets: newBudgets(maxBudgets), failures: Failures(c.AttackFailures),
	}
}

// Charge takes one from a rule's bucket of a session or user, or refuses.
func (t *Throttle) Charge(ctx context.Context, rule Rule, id uuid.UUID, now time.Time) error {
	return t.charge(ctx, now, t.one(rule, id.String()))
}

// ChargeSignUp counts a sign-up, or refuses it. The caller calls refund if the service could
// not do its part.
func (t *Throttle) ChargeSignUp(ctx context.Context, c storage.Client, now time.Time) (refund func(), err error) {
	address := addressOf(c)
	return t.chargeRefundable(ctx, now,
		t.one(signUpHour, address), t.one(signUpDay, address), t.one(signUpNetwork, networkOf(c)))
}

// ChargePasskeyLogIn counts a login with a passkey alone as failed, or refuses it. The caller
// calls refund unless it did fail.
func (t *Throttle) ChargePasskeyLogIn(ctx context.Context, c storage.Client, now time.Time) (refund func(), err error) {
	return t.chargeRefundable(ctx, now, t.one(passkeyLogInAddress, addressOf(c)), t.one(passkeyLogInNetwork, networkOf(c)))
}

// ChargeLogInOptions counts a challenge for logging in with a passkey alone, or refuses it.
func (t *Throttle) ChargeLogInOptions(ctx context.Context, c storage.Client, now time.Time) error {
	return t.charge(ctx, now, t.one(logInOptionsAddress, addressOf(c)), t.one(logInOptionsNetwork, networkOf(c)))
}

// AccountKey is the key under which attempts at an account from unknown devices are counted.
// name is the canonical name; one that nobody has is counted alike.
func (t *Throttle) AccountKey(name string) storage.AttemptKey { return t.digest("account", name) }

// SessionKey is the key under which attempts at the current password are counted that a
// signed-in user makes.
func (t *Throttle) SessionKey(id uuid.UUID) storage.AttemptKey {
	return t.digest("session", string(id[:]))
}

func (t *Throttle) deviceKey(d Device) storage.AttemptKey { return t.digest("device", d.ID) }

// one is a charge of one from a rule's bucket. Its name has whose it is as a keyed hash, so
// that the store reveals neither names nor addresses.
func (t *Throttle) one(rule Rule, whose string) storage.Charge {
	digest := t.digest(rule.bucket, whose)
	return storage.Charge{Bucket: rule.bucket + ":" + hex.EncodeToString(digest[:16]), Limit: rule.limit, Cost: 1}
}

func (t *Throttle) digest(scope, whose string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, t.key)
	mac.Write([]byte(scope + "\x00" + whose))
	return [sha256.Size]byte(mac.Sum(nil))
}

func (t *Throttle) charge(ctx context.Context, now time.Time, charges ...storage.Charge) error {
	wait, err := t.take(ctx, now, charges)
	if err == nil && wait > 0 {
		err = t.refuse(wait)
	}
	return err
}

func (t *Throttle) chargeRefundable(ctx context.Context, now time.Time, charges ...storage.Charge) (refund func(), err error) {
	if err := t.charge(ctx, now, charges...); err != nil {
		return nil, err
	}
	return func() { t.refund(ctx, charges) }, nil
}

// take takes all of charges and returns zero, or takes nothing and returns how long the client
// has to wait. This instance remembers a refusal for a few seconds, so that a client that keeps
// coming costs no query.
func (t *Throttle) take(ctx context.Context, now time.Time, charges []storage.Charge) (wait time.Duration, err error) {
	if t.limiter == nil {
		return 0, nil
	}
	if wait := t.refusals.wait(charges, now); wait > 0 {
		return wait, nil
	}
	wait, err = t.limiter.Charge(ctx, charges...)
	if err == nil && wait > 0 {
		t.refusals.remember(charges, now, wait)
	}
	return wait, err
}

// refund gives charges back. A failure to do so is only logged: it must not refuse a client
// whose password was right.
func (t *Throttle) refund(ctx context.Context, charges []storage.Charge) {
	if t.limiter == nil || len(charges) == 0 {
		return
	}
	if err := t.limiter.Refund(context.WithoutCancel(ctx), charges...); err != nil {
		t.log.WarnContext(ctx, "attempts not refunded", "error", err)
	}
}

func addressOf(c storage.Client) string { return clientip.Address(c.IP).String() }

func networkOf(c storage.Client) string { return clientip.Network(c.IP).String() }
