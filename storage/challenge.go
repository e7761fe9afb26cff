package storage

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// MaxChallenges is how many outstanding challenges a session may have. A further one replaces
// the oldest, so that a forgotten tab never blocks.
const MaxChallenges = 5

// Purpose is the ceremony that a challenge is for.
type Purpose string

// The purposes.
const (
	PurposeRegistration Purpose = "registration"
	PurposeStepUp       Purpose = "step_up"
	PurposeLogIn        Purpose = "log_in"
)

// ChallengeKey has to match in all members for a challenge to be taken. The challenge itself
// is 32 random bytes that come back inside clientDataJSON. The store knows only its SHA-256,
// so that a leaked store contains no challenge that could be answered.
type ChallengeKey struct {
	Digest    [sha256.Size]byte
	Purpose   Purpose
	UserID    uuid.UUID
	SessionID uuid.UUID
}

// Challenges keeps the outstanding challenges. Its own clock decides which have expired.
//
// An implementation is safe for concurrent use by several instances and passes
// storetest.TestChallenges. It drops an outstanding challenge for no other reason than
// [MaxChallenges]: a full store refuses with [ErrUnavailable].
type Challenges interface {
	// Put keeps state under key for ttl. Once it has returned, at most MaxChallenges of the
	// session's challenges can be taken, the newest ones.
	Put(ctx context.Context, key ChallengeKey, state []byte, ttl time.Duration) error

	// Take removes the challenge and returns its state, in one atomic step that is final when
	// Take returns: of any number of callers with the same key, exactly one gets it. It
	// returns ErrChallengeExpired if there is no challenge under exactly this key, or if it
	// has expired.
	Take(ctx context.Context, key ChallengeKey) ([]byte, error)
}

// AccountChallenges is a [Challenges] that keeps the accounts as well, so that a challenge and its
// account can be had in one round trip. It passes storetest.TestAccountChallenges.
type AccountChallenges interface {
	Challenges

	// TakeWithAccount returns the account of the key's user and session as SessionStore.Account
	// does, and then takes the challenge as Take does. It takes nothing and returns ErrNotFound if
	// the session is not live at now. If there is no challenge to take it returns the account and
	// ErrChallengeExpired.
	TakeWithAccount(ctx context.Context, key ChallengeKey, now time.Time) (Account, []byte, error)
}

// SpentChallenge is a challenge that led to a change, remembered so that it leads to no other one
// if a restored copy of the Challenges holds it again.
type SpentChallenge struct {
	Digest [sha256.Size]byte
	Until  time.Time // how long it is remembered at least
}

// ChallengeTx is the part of a [Tx] about challenges.
type ChallengeTx interface {
	// SpendChallenge remembers c, or returns ErrChallengeExpired if it was spent before. Of several
	// transactions one commits; the others wait for it. With nil it does nothing.
	SpendChallenge(ctx context.Context, c *SpentChallenge) error
}

// ActionStore is the part of a [Store] about consent to actions.
type ActionStore interface {
	// Consent stores a verified response that leaves the session as it is, all of it or nothing.
	// Of several responses with one counter, one is stored, and of several with one spent
	// challenge.
	Consent(ctx context.Context, v Verified) error

	// SpendAction remembers the id of an action token at least until that time, and reports
	// whether it was new. Of any number of callers, one is told so.
	SpendAction(ctx context.Context, id string, until time.Time) (first bool, err error)
}
