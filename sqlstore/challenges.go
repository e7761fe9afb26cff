package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"time"

	"github.com/stepkey/stepkey/storage"
)

// Put implements storage.Challenges.
//
// The two statements need no transaction. A challenge becomes known when Put
// returns, and every Put cuts the session down to the newest after its own row
// is there; so of the challenges that anybody knows, never more than the cap can
// be taken.
func (s *Store) Put(ctx context.Context, key storage.ChallengeKey, state []byte, ttl time.Duration) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	now := s.Now()
	_, err := s.write.ExecContext(ctx, `
		INSERT INTO {challenges} (digest, purpose, user_id, session_id, state, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		key.Digest[:], string(key.Purpose), key.UserID, key.SessionID, state, now, now.Add(ttl))
	if err != nil {
		return s.translate(err)
	}
	_, err = s.write.ExecContext(ctx, `
		DELETE FROM {challenges} WHERE session_id = $1 AND digest NOT IN (
			SELECT digest FROM {challenges} WHERE session_id = $1 AND expires_at > $2
			ORDER BY created_at DESC, digest LIMIT $3)`,
		key.SessionID, now, storage.MaxChallenges)
	return s.translate(err)
}

// Take implements storage.Challenges. The one statement is committed when it
// returns, whatever becomes of the ceremony. A challenge whose time is over is
// removed as well, and then refused.
func (s *Store) Take(ctx context.Context, key storage.ChallengeKey) ([]byte, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var state []byte
	var expiresAt time.Time
	err := s.write.QueryRowContext(ctx, `
		DELETE FROM {challenges} WHERE digest = $1 AND purpose = $2 AND user_id = $3 AND session_id = $4
		RETURNING state, expires_at`,
		key.Digest[:], string(key.Purpose), key.UserID, key.SessionID).Scan(&state, &expiresAt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, storage.ErrChallengeExpired
	}
	if err != nil {
		return nil, s.translate(err)
	}
	if !s.Now().Before(expiresAt) {
		return nil, storage.ErrChallengeExpired
	}
	return state, nil
}

// SpendChallenge implements storage.Tx. The INSERT of a second transaction waits at
// the unique index until the first one is done.
func (t *tx) SpendChallenge(ctx context.Context, digest [sha256.Size]byte, until time.Time) (bool, error) {
	return changed(ctx, t,
		`INSERT INTO {used_challenges} (digest, expires_at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING`,
		digest[:], until)
}
