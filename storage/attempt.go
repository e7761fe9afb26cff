package storage

import (
	"crypto/sha256"
	"time"
)

// How many wrong passwords it takes, and how long one then has to wait. NIST SP
// 800-63B-4 §3.2.2 allows 100 consecutive failures at most and names waits from 30
// seconds up to an hour.
const (
	// FreeAttempts may fail before the first wait.
	FreeAttempts = 10

	// FirstWait doubles with every further failure, up to MaxWait.
	FirstWait = 30 * time.Second
	MaxWait   = time.Hour

	// AttemptMemory is after how long without attempts waits start over.
	AttemptMemory = 24 * time.Hour

	// MaxAttempts may fail one after the other, over any time. After that, no
	// further one is allowed until the count is set back.
	MaxAttempts = 100
)

// AttemptKey names whose attempts are counted together: one account as seen from
// devices that we do not know, or one device that we do. It is a keyed hash, so that
// the store names nobody, and is the same for names that nobody has.
type AttemptKey [sha256.Size]byte

// Attempt is one try to prove a password, which has not been made yet.
type Attempt struct {
	Key AttemptKey
	At  time.Time

	// Known says that there is such a user. The counts of names that nobody has are
	// forgotten sooner.
	Known bool

	// Until is when the count means nothing any more, because the session or the device
	// that it belongs to has expired. It is zero for an account, whose count lasts as long
	// as the account.
	Until time.Time
}

// Attempts is what a store answers to an attempt.
type Attempts struct {
	// Charged says that the attempt may be made. It is counted as a failure already,
	// so that of attempts made at once no more pass than may.
	Charged bool

	// Failures are the consecutive ones, this one included if it was charged.
	Failures int

	// Wait is how long it is until the next attempt may be made: after this one, if
	// it was charged. It is MaxWait where only setting back the count helps.
	Wait time.Duration
}
