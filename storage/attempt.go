package storage

import (
	"context"
	"crypto/sha256"
	"time"
)

// How many wrong passwords are allowed, and the waits between them. NIST SP 800-63B-4 §3.2.2
// allows 100 consecutive failures at most and suggests waits from 30 seconds up to an hour.
const (
	// FreeAttempts may fail before the first wait.
	FreeAttempts = 10

	// FirstWait doubles with every further failure, up to MaxWait.
	FirstWait = 30 * time.Second
	MaxWait   = time.Hour

	// AttemptMemory is how long after the last attempt the waits start over.
	AttemptMemory = 24 * time.Hour

	// MaxAttempts may fail in a row, over any time. After that, none is allowed until the
	// count is reset.
	MaxAttempts = 100
)

// AttemptKey identifies attempts that are counted together: those at one account from unknown
// devices, or those on one known device. It is a keyed hash, so that the store holds no names,
// and it looks the same for names that do not exist.
type AttemptKey [sha256.Size]byte

// Attempt is one attempt at a password, before it is made.
type Attempt struct {
	Key AttemptKey
	At  time.Time

	// Known reports whether the user exists. Counts of unknown names are forgotten sooner.
	Known bool

	// Until is when the count becomes meaningless, because the session or the device that it
	// belongs to has expired. It is zero for an account, whose count lasts as long as the
	// account.
	Until time.Time
}

// Attempts is a store's answer to an attempt.
type Attempts struct {
	// Charged reports whether the attempt may be made. It already counts as a failure, so
	// that of concurrent attempts no more than allowed get through.
	Charged bool

	// Failures counts the consecutive failures, including this attempt if it was charged.
	Failures int

	// Wait is the time until the next attempt is allowed, after this one if it was charged.
	// It is MaxWait if only a reset of the count helps.
	Wait time.Duration
}

// AttemptStore is the part of a [Store] about attempts at passwords.
type AttemptStore interface {
	// ChargeAttempt counts an attempt before it is made, in one conditional statement, unless
	// its key has to wait at that time or has reached MaxAttempts. FreeAttempts are allowed
	// without a wait. After each further one there is a wait, FirstWait at first and twice as
	// long each time, up to MaxWait. After AttemptMemory without attempts the waits start
	// over, but the count of failures does not.
	ChargeAttempt(ctx context.Context, a Attempt) (Attempts, error)

	// RefundAttempt undoes the charge of an attempt at that time which was not made.
	RefundAttempt(ctx context.Context, a Attempt) error
}

// AttemptTx is the part of a [Tx] about attempts at passwords.
type AttemptTx interface {
	// ForgetAttempts resets the failures of a key, and its waits too unless keepWaits is set.
	ForgetAttempts(ctx context.Context, key AttemptKey, keepWaits bool) error
}
