package throttle

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

type accountKey struct{}

// WithAccount returns a context for operations of one user, which take turns.
func WithAccount(ctx context.Context, userID uuid.UUID) context.Context {
	return context.WithValue(ctx, accountKey{}, userID)
}

// turnKey is the account that ctx is for, or otherwise if there is none.
func turnKey(ctx context.Context, otherwise any) any {
	if id, ok := ctx.Value(accountKey{}).(uuid.UUID); ok {
		return id
	}
	return otherwise
}

// Store returns s with operations of one account taking turns. Transactions of no account, such
// as an import, do not wait.
func (t *Turns) Store(s storage.Store) storage.Store { return turnStore{s, t} }

// Challenges does the same for c, and reports whether c is apart from s: not the store that keeps
// the accounts. Then TakeWithAccount takes two steps. A challenge without a user, for logging in
// with a passkey alone, has a row of its own that nobody else waits for, and takes no turn.
func (t *Turns) Challenges(c storage.Challenges, s storage.Store) (_ storage.AccountChallenges, apart bool) {
	together, ok := c.(storage.AccountChallenges)
	if ok && any(c) == any(s) {
		return turnChallenges{together, t}, false
	}
	return turnChallenges{challengesApart{c, s}, t}, true
}

// Limiter does the same for l. Without an account a charge goes by its last bucket, which is
// the one that most clients share.
func (t *Turns) Limiter(l storage.Limiter) storage.Limiter { return turnLimiter{l, t} }

// inTurn runs fn when the turn of its key has come.
func inTurn[T any](ctx context.Context, t *Turns, key any, fn func() (T, error)) (T, error) {
	leave, err := t.take(ctx, key)
	if err != nil {
		var none T
		return none, err
	}
	defer leave()
	return fn()
}

type turnStore struct {
	storage.Store
	turns *Turns
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

func (s turnStore) Elevate(ctx context.Context, e storage.Elevation) (generation int64, err error) {
	return inTurn(ctx, s.turns, e.UserID, func() (int64, error) { return s.Store.Elevate(ctx, e) })
}

func (s turnStore) Consent(ctx context.Context, v storage.Verified) error {
	leave, err := s.turns.take(ctx, v.UserID)
	if err != nil {
		return err
	}
	defer leave()
	return s.Store.Consent(ctx, v)
}

func (s turnStore) RefreshSession(ctx context.Context, id uuid.UUID) (storage.Session, error) {
	return inTurn(ctx, s.turns, turnKey(ctx, id), func() (storage.Session, error) { return s.Store.RefreshSession(ctx, id) })
}

func (s turnStore) RotateSession(ctx context.Context, r storage.Rotation) (storage.Rotated, error) {
	return inTurn(ctx, s.turns, turnKey(ctx, r.SessionID), func() (storage.Rotated, error) { return s.Store.RotateSession(ctx, r) })
}

func (s turnStore) Sessions(
	ctx context.Context, userID uuid.UUID, now, idleSince time.Time, before *storage.SessionPlace, limit int,
) ([]storage.Session, error) {
	return inTurn(ctx, s.turns, userID, func() ([]storage.Session, error) { return s.Store.Sessions(ctx, userID, now, idleSince, before, limit) })
}

func (s turnStore) EventByID(ctx context.Context, userID, id uuid.UUID) (storage.Event, error) {
	return inTurn(ctx, s.turns, userID, func() (storage.Event, error) { return s.Store.EventByID(ctx, userID, id) })
}

func (s turnStore) Events(ctx context.Context, userID uuid.UUID, before *storage.EventPlace, limit int) ([]storage.Event, error) {
	return inTurn(ctx, s.turns, userID, func() ([]storage.Event, error) { return s.Store.Events(ctx, userID, before, limit) })
}

func (s turnStore) Email(ctx context.Context, userID uuid.UUID, now time.Time) (storage.EmailState, error) {
	return inTurn(ctx, s.turns, userID, func() (storage.EmailState, error) { return s.Store.Email(ctx, userID, now) })
}

func (s turnStore) RecoveryCodes(ctx context.Context, userID uuid.UUID) (left int, createdAt *time.Time, err error) {
	leave, err := s.turns.take(ctx, userID)
	if err != nil {
		return 0, nil, err
	}
	defer leave()
	return s.Store.RecoveryCodes(ctx, userID)
}

func (s turnStore) RefusedCeremonies(ctx context.Context, userID uuid.UUID) ([]storage.RefusedCeremony, error) {
	return inTurn(ctx, s.turns, userID, func() ([]storage.RefusedCeremony, error) { return s.Store.RefusedCeremonies(ctx, userID) })
}

func (s turnStore) RecordRefusedCeremony(ctx context.Context, r storage.RefusedCeremony) error {
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

type turnChallenges struct {
	storage.AccountChallenges
	turns *Turns
}

func (c turnChallenges) Put(ctx context.Context, key storage.ChallengeKey, state []byte, ttl time.Duration) error {
	if key.UserID == uuid.Nil {
		return c.AccountChallenges.Put(ctx, key, state, ttl)
	}
	leave, err := c.turns.take(ctx, key.UserID)
	if err != nil {
		return err
	}
	defer leave()
	return c.AccountChallenges.Put(ctx, key, state, ttl)
}

func (c turnChallenges) Take(ctx context.Context, key storage.ChallengeKey) ([]byte, error) {
	if key.UserID == uuid.Nil {
		return c.AccountChallenges.Take(ctx, key)
	}
	leave, err := c.turns.take(ctx, key.UserID)
	if err != nil {
		return nil, err
	}
	defer leave()
	return c.AccountChallenges.Take(ctx, key)
}

func (c turnChallenges) TakeWithAccount(
	ctx context.Context, key storage.ChallengeKey, now time.Time,
) (a storage.Account, state []byte, err error) {
	leave, err := c.turns.take(ctx, key.UserID)
	if err != nil {
		return a, nil, err
	}
	defer leave()
	return c.AccountChallenges.TakeWithAccount(ctx, key, now)
}

// challengesApart takes a challenge after it has read the account from another store.
type challengesApart struct {
	storage.Challenges
	store storage.Store
}

func (c challengesApart) TakeWithAccount(
	ctx context.Context, key storage.ChallengeKey, now time.Time,
) (storage.Account, []byte, error) {
	a, err := c.store.Account(ctx, key.UserID, key.SessionID, now)
	if err != nil {
		return a, nil, err
	}
	state, err := c.Take(ctx, key)
	return a, state, err
}

type turnLimiter struct {
	storage.Limiter
	turns *Turns
}

func (l turnLimiter) Charge(ctx context.Context, charges ...storage.Charge) (time.Duration, error) {
	return inTurn(ctx, l.turns, turnKey(ctx, charges[len(charges)-1].Bucket), func() (time.Duration, error) { return l.Limiter.Charge(ctx, charges...) })
}
