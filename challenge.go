package stepkey

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// ChallengeLifetime is how long a ceremony may take. WebAuthn L3 §15.1
// recommends 5 to 10 minutes, so that nobody is cut off while finding a key.
const ChallengeLifetime = 5 * time.Minute

func challengeKey(challenge []byte, purpose Purpose, userID, sessionID uuid.UUID) storage.ChallengeKey {
	return storage.ChallengeKey{
		Digest: sha256.Sum256(challenge), Purpose: purpose, UserID: userID, SessionID: sessionID,
	}
}

// answered is a challenge that was taken: the account that it was made for, and the state of the
// ceremony.
type answered struct {
	storage.Account
	key   storage.ChallengeKey
	state []byte
}

// takeChallenge uses up the challenge of a response and returns the account that it was made for.
// That is committed before the response is verified, so an invalid response burns the challenge
// too. A session at level recovery cannot answer the challenge of a step-up.
func (s *Service) takeChallenge(
	ctx context.Context, c Caller, clientDataJSON []byte, purpose Purpose, now time.Time,
) (got answered, err error) {
	if err := s.check(c, now); err != nil {
		return answered{}, err
	}
	challenge, malformed := ceremony.Challenge(clientDataJSON)
	if malformed == nil {
		got.key = challengeKey(challenge, purpose, c.userID, c.sessionID)
		got.Account, got.state, err = s.challenges.TakeWithAccount(ctx, got.key, now)
	} else {
		got.Account, err = s.store.Account(ctx, c.userID, c.sessionID, now)
	}
	if got.Session.Level() == token.LevelRecovery && purpose == PurposeStepUp {
		return answered{}, ErrUnauthorized
	}
	if err == nil && malformed != nil {
		explainCause(ctx, malformed, c.userID)
		return answered{}, ErrInvalidRequest
	}
	return got, unauthorizedIfMissing(err)
}

// spent returns the challenge of key as the transaction that it authorizes records it. If another
// store keeps the challenges, a failover or a restored snapshot may bring back one that was
// taken. It is nil if the store keeps them itself.
func (s *Service) spent(key storage.ChallengeKey, now time.Time) *storage.SpentChallenge {
	if !s.challengesApart {
		return nil
	}
	// Twice its lifetime: a clock over there may be behind.
	return &storage.SpentChallenge{Digest: key.Digest, Until: now.Add(2 * ChallengeLifetime)}
}
