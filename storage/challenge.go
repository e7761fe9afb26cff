package storage

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// MaxChallenges is how many challenges a session may have outstanding. A further
// one takes the place of the oldest, so that a forgotten tab never blocks.
const MaxChallenges = 5

// Purpose is the ceremony that a challenge is for.
type Purpose string

// The purposes.
const (
	PurposeRegistration Purpose = "registration"
	PurposeStepUp       Purpose = "step_up"
	PurposeLogIn        Purpose = "log_in"
)

// ChallengeKey is what has to agree for a challenge to be taken. The challenge
// itself is 32 random bytes that come back inside clientDataJSON; the store
// knows it by its SHA-256, so that who reads the store cannot answer in its
// name.
type ChallengeKey struct {
	Digest    [sha256.Size]byte
	Purpose   Purpose
	UserID    uuid.UUID
	SessionID uuid.UUID
}

// Challenges keeps the outstanding challenges. Its clock decides what has
// expired.
//
// An implementation is safe for concurrent use by several instances and passes
// storetest.TestChallenges. It never drops an outstanding challenge other than
// by the cap of [MaxChallenges] per session: a full store refuses with
// [ErrUnavailable].
type Challenges interface {
	// Put keeps state under key for ttl. Once it has returned, at most
	// MaxChallenges of the session's challenges can be taken; the newest stay.
	Put(ctx context.Context, key ChallengeKey, state []byte, ttl time.Duration) error

	// Take removes the challenge and returns its state, both in one atomic step
	// that is final when Take returns: of any number of callers with one key
	// exactly one gets it. It returns ErrChallengeExpired if there is none under
	// exactly this key, or if its time is over.
	Take(ctx context.Context, key ChallengeKey) ([]byte, error)
}
