package stepkey

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/storage"
)

// ChallengeLifetime is how long a ceremony may take. WebAuthn L3 §15.1
// recommends 5 to 10 minutes, so that nobody is cut off while finding a key.
const ChallengeLifetime = 5 * time.Minute

func challengeKey(challenge []byte, purpose Purpose, a storage.Account) storage.ChallengeKey {
	return storage.ChallengeKey{
		Digest: sha256.Sum256(challenge), Purpose: purpose,
		UserID: a.User.ID, SessionID: a.Session.ID,
	}
}

// takeChallenge uses up the challenge that a response answers. It is final before
// anything about the response is verified.
func (s *Service) takeChallenge(
	ctx context.Context, clientDataJSON []byte, purpose Purpose, a storage.Account,
) (key storage.ChallengeKey, state []byte, err error) {
	challenge, err := ceremony.Challenge(clientDataJSON)
	if err != nil {
		explainCause(ctx, err, a.User.ID)
		return storage.ChallengeKey{}, nil, ErrInvalidRequest
	}
	key = challengeKey(challenge, purpose, a)
	state, err = s.challenges.Take(ctx, key)
	return key, state, err
}

// spendChallenge is part of each transaction to which a challenge led. Where
// challenges are kept apart, a fail-over or a restored snapshot may bring back one
// that was taken; the transaction is what happens once.
func (s *Service) spendChallenge(ctx context.Context, tx storage.Tx, key storage.ChallengeKey, now time.Time) error {
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
