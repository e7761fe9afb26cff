package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/stepkey/stepkey/storage"
)

// Put implements storage.Challenges. It only adds. Take deletes all but a session's newest
// challenges before it looks for one, which works with any number of parallel calls of
// Put.
func (s *Store) Put(ctx context.Context, key storage.ChallengeKey, state []byte, ttl time.Duration) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	now := s.Now()
	_, err := s.lossy.ExecContext(ctx, `
		INSERT INTO {challenges} (digest, purpose, user_id, session_id, state, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		key.Digest[:], string(key.Purpose), key.UserID, key.SessionID, state, now, now.Add(ttl))
	return s.translate(err)
}

// Take implements storage.Challenges. The deletion is committed when it returns, whatever
// becomes of the ceremony.
func (s *Store) Take(ctx context.Context, key storage.ChallengeKey) ([]byte, error) {
	if !s.dialect.WritesInWith {
		state, err := s.takeInTwo(ctx, key)
		return state, s.translate(expiredIfMissing(err))
	}
	var state []byte
	err := s.retried(ctx, func(ctx context.Context) error {
		return s.lossy.QueryRowContext(ctx, `WITH `+taking("$1", "")+` SELECT state FROM taken`,
			takeArgs(s.Now(), key)...).Scan(&state)
	})
	return state, s.translate(expiredIfMissing(err))
}

// takeInTwo is Take in two statements. They need no transaction: each take first deletes all but
// the newest challenges, so only the newest can be taken.
func (s *Store) takeInTwo(ctx context.Context, key storage.ChallengeKey) (state []byte, err error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	_, err = s.lossy.ExecContext(ctx, `
		DELETE FROM {challenges} WHERE session_id = $2 AND digest NOT IN (`+newest("$1", "$3")+`)`,
		s.Now(), key.SessionID, storage.MaxChallenges)
	if err != nil {
		return nil, err
	}
	err = s.lossy.QueryRowContext(ctx, `
		DELETE FROM {challenges} WHERE session_id = $1 AND user_id = $2 AND digest = $3 AND purpose = $4
		RETURNING state`,
		key.SessionID, key.UserID, key.Digest[:], string(key.Purpose)).Scan(&state)
	return state, err
}

// TakeWithAccount implements storage.AccountChallenges.
func (s *Store) TakeWithAccount(
	ctx context.Context, key storage.ChallengeKey, now time.Time,
) (storage.Account, []byte, error) {
	if !s.dialect.WritesInWith {
		a, err := s.Account(ctx, key.UserID, key.SessionID, now)
		if err != nil {
			return a, nil, err
		}
		state, err := s.Take(ctx, key)
		return a, state, err
	}
	query := `WITH ` + taking("$7", `AND EXISTS (
			SELECT 1 FROM {sessions} s WHERE s.id = $2 AND s.user_id = $3 AND `+isLive+`)`) + `
		SELECT ` + accountColumns + `, (SELECT state FROM taken), EXISTS (SELECT 1 FROM taken)` + fromAccount
	var a storage.Account
	var state []byte
	var taken bool
	err := s.retried(ctx, func(ctx context.Context) (err error) {
		a, err = account(ctx, s.lossy, query, append(takeArgs(now, key), s.Now()), &state, &taken)
		return err
	})
	if err == nil && !taken {
		err = storage.ErrChallengeExpired
	}
	return a, state, s.translate(err)
}

// deleteChallenges deletes the challenges of user $1. Challenges have an index by session and none by
// user, which would make each of them dearer for the sake of rare deletions. A challenge expires
// long before the row of its session is deleted.
const deleteChallenges = `DELETE FROM {challenges} WHERE user_id = $1 AND session_id IN (SELECT id FROM {sessions} WHERE user_id = $1)`

// newest selects the challenges of session $2 that can be taken at a time: the newest unexpired
// ones, up to the limit.
func newest(now, limit string) string {
	return `SELECT digest FROM {challenges} WHERE session_id = $2 AND expires_at > ` + now + `
		ORDER BY created_at DESC, digest LIMIT ` + limit
}

// taking returns the part of a WITH that deletes all but the newest $6 challenges of session $2.
// If the condition holds, it also deletes the one of user $3 with digest $4 and purpose $5, and
// taken returns it.
func taking(now, condition string) string {
	return `
		newest AS MATERIALIZED (` + newest(now, "$6") + `),
		crowded_out AS (
			DELETE FROM {challenges} WHERE session_id = $2 AND digest NOT IN (SELECT digest FROM newest)),
		taken AS (
			DELETE FROM {challenges} WHERE session_id = $2 AND user_id = $3 AND digest = $4 AND purpose = $5
			       AND digest IN (SELECT digest FROM newest) ` + condition + `
			RETURNING state)`
}

// takeArgs are the arguments of taking; $1 is a time.
func takeArgs(at time.Time, key storage.ChallengeKey) []any {
	return []any{at, key.SessionID, key.UserID, key.Digest[:], string(key.Purpose), storage.MaxChallenges}
}

// expiredIfMissing turns "no rows" into the error for a missing challenge.
func expiredIfMissing(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return storage.ErrChallengeExpired
	}
	return err
}

// SpendChallenge implements storage.Tx. The INSERT of a second transaction waits at
// the unique index until the first one ends.
func (t *tx) SpendChallenge(ctx context.Context, c *storage.SpentChallenge) error {
	if c == nil {
		return nil
	}
	first, err := changed(ctx, t,
		`INSERT INTO {used_challenges} (digest, expires_at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING`,
		c.Digest[:], c.Until)
	if err == nil && !first {
		return storage.ErrChallengeExpired
	}
	return err
}
