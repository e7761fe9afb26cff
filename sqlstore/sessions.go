package sqlstore

import (
	"context"
	"time"

	"github.com/stepkey/stepkey"
)

// CreateSession implements stepkey.Tx.
func (t *tx) CreateSession(ctx context.Context, s stepkey.Session) error {
	_, err := t.ExecContext(ctx, `
		INSERT INTO sessions (id, user_id, password_version, password_at, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		s.ID, s.UserID, s.PasswordVersion, s.PasswordAt, s.CreatedAt, s.ExpiresAt)
	return err
}

// ElevateSession implements stepkey.Tx. The conditions are those of
// selectAccount: between the look and this statement the session may have ended.
func (t *tx) ElevateSession(ctx context.Context, s stepkey.Session, now time.Time) error {
	elevated, err := changed(ctx, t, `
		UPDATE sessions SET full_at = $1, full_passkey_id = $2, expires_at = $3
		WHERE id = $4 AND user_id = $5 AND ended_at IS NULL AND expires_at > $6
		  AND EXISTS (SELECT 1 FROM users u
		              WHERE u.id = sessions.user_id AND u.disabled_at IS NULL
		                AND u.password_version = sessions.password_version)`,
		s.FullAt, s.FullPasskeyID, s.ExpiresAt, s.ID, s.UserID, now)
	if err == nil && !elevated {
		return stepkey.ErrNotFound
	}
	return err
}

// keepEnded is how long the row of a session stays after its end, for whoever
// looks into what happened.
const keepEnded = 24 * time.Hour

// Sweep deletes challenges that nobody can take any more and sessions that ended
// a day ago. Correctness does not depend on it; call it every few minutes so that
// tables stay small.
func (s *Store) Sweep(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	now := s.Now()
	_, err := s.db.write.ExecContext(ctx, `DELETE FROM challenges WHERE expires_at <= $1`, now)
	if err != nil {
		return s.translate(err)
	}
	_, err = s.db.write.ExecContext(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, now.Add(-keepEnded))
	return s.translate(err)
}
