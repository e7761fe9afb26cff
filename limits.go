package stepkey

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/clientip"
	"github.com/stepkey/stepkey/storage"
)

// The limits, except those on attempts at one account, which are in attempts.go. The
// reasons for them are in docs/limits.md. A bucket holds Burst and gets one back every Every, so a window
// lets through at most Burst + Window/Every. Where docs/limits.md says "N in any hour",
// the two are chosen so that N is that maximum, whenever the hour begins. The test
// TestDocumentedLimits measures each of them.

// Failed logins, per address and per network. A success is refunded, so an office
// behind one address does not look like a crowd of attackers.
func logInAddressLimit() storage.Limit { return storage.Limit{Burst: 20, Every: 6 * time.Second} }
func logInNetworkLimit() storage.Limit {
	return storage.Limit{Burst: 200, Every: 600 * time.Millisecond}
}

// Sign-ups: 5 in any hour and 20 in any day per address, 50 in any hour per network.
// Names that are taken count as well, because the answer reveals that.
func signUpHourLimit() storage.Limit    { return storage.Limit{Burst: 5, Every: 61 * time.Minute} }
func signUpDayLimit() storage.Limit     { return storage.Limit{Burst: 8, Every: 117 * time.Minute} }
func signUpNetworkLimit() storage.Limit { return storage.Limit{Burst: 30, Every: 175 * time.Second} }

// Challenges per session: 30 in any five minutes. At once it is enough to add all the
// passkeys that an account may have.
func optionsLimit() storage.Limit { return storage.Limit{Burst: 25, Every: 58 * time.Second} }

// Challenges for signing in with a passkey alone, per address and per network. Every
// open sign-in page asks for one every few minutes, in an office for many people; the
// limit bounds what the store has to keep meanwhile.
func logInOptionsAddressLimit() storage.Limit { return storage.Limit{Burst: 100, Every: time.Second} }
func logInOptionsNetworkLimit() storage.Limit {
	return storage.Limit{Burst: 1000, Every: 100 * time.Millisecond}
}

// Failed passkey sign-ins, per address and per network. A success is refunded.
func passkeyLogInAddressLimit() storage.Limit {
	return storage.Limit{Burst: 20, Every: 6 * time.Second}
}
func passkeyLogInNetworkLimit() storage.Limit {
	return storage.Limit{Burst: 200, Every: 600 * time.Millisecond}
}

// Failed passkey responses and recovery-code attempts, per session: 10 in any quarter
// of an hour. One more failed response ends the session: a person whose key does not
// work has given up long before.
func verificationLimit() storage.Limit { return storage.Limit{Burst: 10, Every: 16 * time.Minute} }

// Recorded refusals of passkey responses, per user: 30 in any five minutes. Further ones
// are only logged, so that a flood of them does not write to the store.
func refusedCeremonyLimit() storage.Limit { return storage.Limit{Burst: 25, Every: 58 * time.Second} }

// Requested mails: 3 in any hour per address, user name or account, whether there is such
// a user or not, and 10 in any hour per client address. Each purpose has its own buckets,
// which accountchange.go names. And one notice in any hour about a failed passkey after the
// right password.
func mailAddressLimit() storage.Limit { return storage.Limit{Burst: 3, Every: 61 * time.Minute} }
func mailClientLimit() storage.Limit  { return storage.Limit{Burst: 7, Every: 16 * time.Minute} }
func passkeyFailedNoticeLimit() storage.Limit {
	return storage.Limit{Burst: 1, Every: 61 * time.Minute}
}

// Renamed passkeys, per session: 30 in any five minutes, more than an account can have, so
// that renaming to and fro does not fill the record of events. Exports, which read all of an
// account: 10 in any hour.
func renameLimit() storage.Limit { return storage.Limit{Burst: 25, Every: 58 * time.Second} }
func exportLimit() storage.Limit { return storage.Limit{Burst: 7, Every: 16 * time.Minute} }

// AttackFailures is the default of Config.AttackFailures.
const AttackFailures = 300

// An attack is assumed while more logins fail, everywhere together, than
// Config.AttackFailures a minute. Then each address may fail a quarter as often.
const (
	attackLasts   = time.Minute
	attackDivisor = 4
)

// RateLimitedError says that the client has tried too often, and how long it has to
// wait.
type RateLimitedError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *RateLimitedError) Error() string {
	return fmt.Sprintf("stepkey: too many tries, wait %s", e.RetryAfter)
}

// limits asks the Limiter. Without one it allows everything.
type limits struct {
	limiter  Limiter
	key      []byte // of bucket names
	refused  *refusals
	budgets  *budgets
	failures storage.Limit // of all logins together
	attack   atomic.Int64  // until when an attack is assumed, in microseconds since 1970
	log      *slog.Logger
}

func newLimits(c Config, key []byte) *limits {
	return &limits{
		limiter: c.Limiter, key: key, refused: newRefusals(maxRefusals), budgets: newBudgets(maxBudgets), log: c.Log,
		failures: storage.Limit{Burst: c.AttackFailures, Every: time.Minute / time.Duration(c.AttackFailures)},
	}
}

// bucket names one bucket of a scope. Whose it is stands there as a keyed hash:
// who reads the store reads neither names nor addresses.
func (l *limits) bucket(scope, whose string) string {
	digest := l.digest(scope, whose)
	return scope + ":" + hex.EncodeToString(digest[:16])
}

// one is a charge of one from a bucket.
func (l *limits) one(scope, whose string, limit storage.Limit) storage.Charge {
	return storage.Charge{Bucket: l.bucket(scope, whose), Limit: limit, Cost: 1}
}

func (l *limits) digest(scope, whose string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(scope + "\x00" + whose))
	return [sha256.Size]byte(mac.Sum(nil))
}

// accountKey is whose attempts are counted together from unknown devices.
func (l *limits) accountKey(name string) storage.AttemptKey { return l.digest("account", name) }

// deviceKey is the same for a known device, and sessionKey for the current password that a
// session asks for.
func (l *limits) deviceKey(d device) storage.AttemptKey {
	return l.digest("device", string(d.nonce[:]))
}

func (l *limits) sessionKey(id uuid.UUID) storage.AttemptKey {
	return l.digest("session", string(id[:]))
}

// charge takes charges, or returns a RateLimitedError. A refusal is remembered for a
// few seconds by this instance, so that who keeps coming costs nothing.
func (l *limits) charge(ctx context.Context, now time.Time, charges ...storage.Charge) error {
	if l.limiter == nil {
		return nil
	}
	if wait := l.refused.wait(charges, now); wait > 0 {
		return &RateLimitedError{RetryAfter: wait}
	}
	wait, err := l.limiter.Charge(ctx, charges...)
	if err != nil || wait == 0 {
		return err
	}
	l.refused.remember(charges, now, wait)
	return &RateLimitedError{RetryAfter: wait}
}

// refund gives charges back. That it fails is no reason to refuse somebody whose
// password was right.
func (l *limits) refund(ctx context.Context, charges []storage.Charge) {
	if l.limiter == nil || len(charges) == 0 {
		return
	}
	if err := l.limiter.Refund(context.WithoutCancel(ctx), charges...); err != nil {
		l.log.WarnContext(ctx, "attempts not given back", "error", err)
	}
}

func (l *limits) logInCharges(c Client, now time.Time) []storage.Charge {
	cost := 1
	if l.underAttack(now) {
		cost = attackDivisor
	}
	return []storage.Charge{
		{Bucket: l.bucket("login-address", clientip.Address(c.IP).String()), Limit: logInAddressLimit(), Cost: cost},
		l.one("login-network", clientip.Network(c.IP).String(), logInNetworkLimit()),
	}
}

func (l *limits) signUpCharges(c Client) []storage.Charge {
	address := clientip.Address(c.IP).String()
	return []storage.Charge{
		l.one("signup-hour", address, signUpHourLimit()),
		l.one("signup-day", address, signUpDayLimit()),
		l.one("signup-network", clientip.Network(c.IP).String(), signUpNetworkLimit()),
	}
}

func (l *limits) chargeOptions(ctx context.Context, a storage.Account, now time.Time) error {
	return l.charge(ctx, now, l.one("options", a.Session.ID.String(), optionsLimit()))
}

func (l *limits) chargeRecoveryCode(ctx context.Context, a storage.Account, now time.Time) error {
	return l.charge(ctx, now, l.one("recovery-code", a.Session.ID.String(), verificationLimit()))
}

func (l *limits) chargeVerification(ctx context.Context, a storage.Account, now time.Time) error {
	return l.charge(ctx, now, l.one("verification", a.Session.ID.String(), verificationLimit()))
}

func (l *limits) chargeRename(ctx context.Context, sessionID uuid.UUID, now time.Time) error {
	return l.charge(ctx, now, l.one("rename", sessionID.String(), renameLimit()))
}

func (l *limits) chargeExport(ctx context.Context, sessionID uuid.UUID, now time.Time) error {
	return l.charge(ctx, now, l.one("export", sessionID.String(), exportLimit()))
}

func (l *limits) chargeRefusedCeremony(ctx context.Context, userID uuid.UUID, now time.Time) error {
	return l.charge(ctx, now, l.one("refused-ceremony", userID.String(), refusedCeremonyLimit()))
}

func (l *limits) chargeAnonymousOptions(ctx context.Context, c Client, now time.Time) error {
	return l.charge(ctx, now,
		l.one("login-options-address", clientip.Address(c.IP).String(), logInOptionsAddressLimit()),
		l.one("login-options-network", clientip.Network(c.IP).String(), logInOptionsNetworkLimit()))
}

func (l *limits) passkeyLogInCharges(c Client) []storage.Charge {
	return []storage.Charge{
		l.one("passkey-login-address", clientip.Address(c.IP).String(), passkeyLogInAddressLimit()),
		l.one("passkey-login-network", clientip.Network(c.IP).String(), passkeyLogInNetworkLimit()),
	}
}

// countFailure counts a failed login of anybody's. That it cannot be counted changes
// nothing for who failed.
func (l *limits) countFailure(ctx context.Context, now time.Time) {
	if l.limiter == nil || l.underAttack(now) {
		return
	}
	wait, err := l.limiter.Charge(ctx, storage.Charge{Bucket: "login-all", Limit: l.failures, Cost: 1})
	if err != nil || wait == 0 {
		return
	}
	l.attack.Store(now.Add(attackLasts).UnixMicro())
	l.log.WarnContext(ctx, "login failure rate is high: per-address limits tightened for one minute")
}

func (l *limits) underAttack(now time.Time) bool { return now.UnixMicro() < l.attack.Load() }
