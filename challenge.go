package stepkey

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/ceremony"
)

// ChallengeLifetime is how long a ceremony may take. WebAuthn L3 §15.1
// recommends 5 to 10 minutes, so that nobody is cut off while finding a key.
const ChallengeLifetime = 5 * time.Minute

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

func challengeKey(challenge []byte, purpose Purpose, a Account) ChallengeKey {
	return ChallengeKey{
		Digest: sha256.Sum256(challenge), Purpose: purpose,
		UserID: a.User.ID, SessionID: a.Session.ID,
	}
}

// takeChallenge uses up the challenge that a response answers. It is final before
// anything about the response is verified.
func (s *Service) takeChallenge(
	ctx context.Context, clientDataJSON []byte, purpose Purpose, a Account,
) (key ChallengeKey, state []byte, err error) {
	challenge, err := ceremony.Challenge(clientDataJSON)
	if err != nil {
		explainCause(ctx, err, a.User.ID)
		return ChallengeKey{}, nil, ErrInvalidRequest
	}
	key = challengeKey(challenge, purpose, a)
	state, err = s.challenges.Take(ctx, key)
	return key, state, err
}

// spendChallenge is part of each transaction to which a challenge led. Where
// challenges are kept apart, a fail-over or a restored snapshot may bring back one
// that was taken; the transaction is what happens once.
func (s *Service) spendChallenge(ctx context.Context, tx Tx, key ChallengeKey, now time.Time) error {
	if !s.challengesApart {
		return nil
	}
	// Twice its lifetime: a clock over there may be behind.
	first, err := tx.SpendChallenge(ctx, key.Digest, now.Add(2*ChallengeLifetime))
	if err == nil && !first {
		return ErrChallengeExpired
	}
	return err
}
