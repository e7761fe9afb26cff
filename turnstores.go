package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

type accountKey struct{}

// WithAccount says that what is done with the context is done for one user. Operations of one
// account wait for the same rows of the store, so a [Service] has few of them at once at its
// Store, Challenges and Limiter. The others wait in order without a connection, and beyond
// a few hundred are refused with a RateLimitedError. So parallel calls of one account do not
// slow down the others. Package httpapi calls WithAccount for every signed-in request.
func WithAccount(ctx context.Context, userID uuid.UUID) context.Context {
	return context.WithValue(ctx, accountKey{}, userID)
}

// turnKey is the account that ctx is for, or the key that stands in where there is none.
func turnKey(ctx context.Context, otherwise any) any {
	if id, ok := ctx.Value(accountKey{}).(uuid.UUID); ok {
		return id
	}
	return otherwise
}

// inTurn runs fn when the turn of its key has come.
func inTurn[T any](ctx context.Context, t *turns, key any, fn func() (T, error)) (T, error) {
	leave, err := t.take(ctx, key)
	if err != nil {
		var none T
		return none, err
	}
	defer leave()
	return fn()
}

// turnStore is a Store where operations of one account take turns. Transactions of no
// account, such as an import, do not wait.
type turnStore struct {
	Store
	turns *turns
}

func (s turnStore) InTx(ctx context.Context, fn func(storage.Tx) error) error {
	key := turnKey(ctx, nil)
	if key == nil {
		return s.Store.InTx(ctx, fn)
	}
	leave, err := s.turns.take(ctx, key)
	if err != nil {
		return err
	}
	defer leave()
	return s.Store.InTx(ctx, fn)
}

func (s turnStore) Ping(ctx context.Context) error {
	leave, err := s.turns.take(ctx, "ping")
	if err != nil {
		return err
	}
	defer leave()
	return s.Store.Ping(ctx)
}

func (s turnStore) Account(ctx context.Context, userID, sessionID uuid.UUID, now time.Time) (storage.Account, error) {
	return inTurn(ctx, s.turns, userID, func() (storage.Account, error) { return s.Store.Account(ctx, userID, sessionID, now) })
}

func (s turnStore) RefreshSession(ctx context.Context, id uuid.UUID) (Session, error) {
	return inTurn(ctx, s.turns, turnKey(ctx, id), func() (Session, error) { return s.Store.RefreshSession(ctx, id) })
}

func (s turnStore) RotateSession(ctx context.Context, r storage.Rotation) (storage.Rotated, error) {
	return inTurn(ctx, s.turns, r.UserID, func() (storage.Rotated, error) { return s.Store.RotateSession(ctx, r) })
}

func (s turnStore) Sessions(
	ctx context.Context, userID uuid.UUID, now, idleSince time.Time, before *SessionPlace, limit int,
) ([]Session, error) {
	return inTurn(ctx, s.turns, userID, func() ([]Session, error) { return s.Store.Sessions(ctx, userID, now, idleSince, before, limit) })
}

func (s turnStore) Events(ctx context.Context, userID uuid.UUID, before *EventPlace, limit int) ([]Event, error) {
	return inTurn(ctx, s.turns, userID, func() ([]Event, error) { return s.Store.Events(ctx, userID, before, limit) })
}

func (s turnStore) Email(ctx context.Context, userID uuid.UUID, now time.Time) (EmailState, error) {
	return inTurn(ctx, s.turns, userID, func() (EmailState, error) { return s.Store.Email(ctx, userID, now) })
}

func (s turnStore) RecoveryCodes(ctx context.Context, userID uuid.UUID) (left int, createdAt *time.Time, err error) {
	leave, err := s.turns.take(ctx, userID)
	if err != nil {
		return 0, nil, err
	}
	defer leave()
	return s.Store.RecoveryCodes(ctx, userID)
}

func (s turnStore) RefusedCeremonies(ctx context.Context, userID uuid.UUID) ([]RefusedCeremony, error) {
	return inTurn(ctx, s.turns, userID, func() ([]RefusedCeremony, error) { return s.Store.RefusedCeremonies(ctx, userID) })
}

func (s turnStore) RecordRefusedCeremony(ctx context.Context, r RefusedCeremony) error {
	leave, err := s.turns.take(ctx, r.UserID)
	if err != nil {
		return err
	}
	defer leave()
	return s.Store.RecordRefusedCeremony(ctx, r)
}

func (s turnStore) ReplacePasswordHash(ctx context.Context, userID uuid.UUID, old, replacement string) (bool, error) {
	return inTurn(ctx, s.turns, userID, func() (bool, error) { return s.Store.ReplacePasswordHash(ctx, userID, old, replacement) })
}

func (s turnStore) ChargeAttempt(ctx context.Context, a storage.Attempt) (storage.Attempts, error) {
	return inTurn(ctx, s.turns, turnKey(ctx, a.Key), func() (storage.Attempts, error) { return s.Store.ChargeAttempt(ctx, a) })
}

// turnChallenges is the same for Challenges. One without a user, for signing in with a
// passkey alone, has a row of its own that nobody else waits for.
type turnChallenges struct {
	Challenges
	turns *turns
}

func (c turnChallenges) Put(ctx context.Context, key storage.ChallengeKey, state []byte, ttl time.Duration) error {
	if key.UserID == uuid.Nil {
		return c.Challenges.Put(ctx, key, state, ttl)
	}
	leave, err := c.turns.take(ctx, key.UserID)
	if err != nil {
		return err
	}
	defer leave()
	return c.Challenges.Put(ctx, key, state, ttl)
}

func (c turnChallenges) Take(ctx context.Context, key storage.ChallengeKey) ([]byte, error) {
	if key.UserID == uuid.Nil {
		return c.Challenges.Take(ctx, key)
	}
	leave, err := c.turns.take(ctx, key.UserID)
	if err != nil {
		return nil, err
	}
	defer leave()
	return c.Challenges.Take(ctx, key)
}

// turnLimiter is the same for a Limiter. Without an account it goes by the last bucket,
// which is the one that most clients share.
type turnLimiter struct {
	Limiter
	turns *turns
}

func (l turnLimiter) Charge(ctx context.Context, charges ...storage.Charge) (time.Duration, error) {
	return inTurn(ctx, l.turns, turnKey(ctx, charges[len(charges)-1].Bucket), func() (time.Duration, error) { return l.Limiter.Charge(ctx, charges...) })
}
