package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
	"github.com/stepkey/stepkey/storage"
)

// sessionColumns are the columns that scanSession reads.
const sessionColumns = `s.id, s.user_id, s.password_version, s.password_at, s.full_at, s.full_passkey_id,
	       s.created_at, s.last_seen_at, s.expires_at, s.refresh_mode, s.salt, s.generation, s.rotated_at,
	       s.raised_generation, s.full_hardware, s.device, s.address, s.recovered_by, COALESCE(s.full_passkey_id, s.last_passkey_id)`

// live is the condition for a live session, on a row of sessions and its row of
// users. Every statement that needs it uses this text; $1 is the time.
const live = `s.ended_at IS NULL AND s.expires_at > $1
	  AND u.disabled_at IS NULL AND u.password_version = s.password_version`

// isLive is live for a statement that has only the row of sessions.
const isLive = `EXISTS (SELECT 1 FROM {users} u WHERE u.id = s.user_id AND ` + live + `)`

func sessionTargets(s *storage.Session) []any {
	return []any{
		&s.ID, &s.UserID, &s.PasswordVersion, &s.PasswordAt, &s.FullAt, &s.FullPasskeyID,
		&s.CreatedAt, &s.LastSeenAt, &s.ExpiresAt, &s.Refresh, &s.Salt, &s.Generation, &s.RotatedAt,
		&s.StepUpGeneration, &s.FullHardware, &s.Client.Device, &s.Client.Network, &s.RecoveredBy, &s.LastPasskeyID,
	}
}

// inUTC removes the zone that a driver added to the times.
func inUTC(s *storage.Session) {
	s.PasswordAt, s.CreatedAt, s.LastSeenAt = s.PasswordAt.UTC(), s.CreatedAt.UTC(), s.LastSeenAt.UTC()
	s.ExpiresAt, s.RotatedAt, s.FullAt = s.ExpiresAt.UTC(), s.RotatedAt.UTC(), utc(s.FullAt)
}

// CreateSession implements storage.Tx.
func (t *tx) CreateSession(ctx context.Context, s storage.Session) error {
	_, err := t.ExecContext(ctx, `
		INSERT INTO {sessions} (id, user_id, password_version, password_at, created_at, last_seen_at, expires_at,
		                      refresh_mode, salt, generation, rotated_at, device, address,
		                      full_at, full_passkey_id, last_passkey_id, full_hardware, recovered_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16, $17)`,
		s.ID, s.UserID, s.PasswordVersion, s.PasswordAt, s.CreatedAt, s.LastSeenAt, s.ExpiresAt,
		string(s.Refresh), s.Salt, s.Generation, s.RotatedAt, s.Client.Device, s.Client.Network,
		s.FullAt, s.FullPasskeyID, s.FullHardware, string(s.RecoveredBy))
	return err
}

// AdoptPassword implements storage.Tx.
func (t *tx) AdoptPassword(ctx context.Context, s storage.Session, at time.Time) (generation int64, err error) {
	err = t.QueryRowContext(ctx, `
		UPDATE {sessions} SET password_version = $1, password_at = $2, last_seen_at = $3, rotated_at = $3,
		       generation = generation + 2, raised_generation = generation + 2
		WHERE id = $4 AND user_id = $5 AND ended_at IS NULL AND expires_at > $3
		RETURNING generation`,
		s.PasswordVersion, s.PasswordAt, at, s.ID, s.UserID).Scan(&generation)
	return generation, notFound(err)
}

// RefreshSession implements storage.Store.
func (s *Store) RefreshSession(ctx context.Context, id uuid.UUID) (storage.Session, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var session storage.Session
	err := s.read.QueryRowContext(ctx,
		`SELECT `+sessionColumns+` FROM {sessions} s WHERE s.id = $1 AND s.refresh_mode <> ''`, id).
		Scan(sessionTargets(&session)...)
	inUTC(&session)
	return session, s.translate(err)
}

// RotateSession implements storage.Store. One statement checks all conditions
// and compares and swaps the generation.
func (s *Store) RotateSession(ctx context.Context, r storage.Rotation) (storage.Rotated, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var rotated storage.Rotated
	targets := append(sessionTargets(&rotated.Session), &rotated.Username, &rotated.Attributes.Groups, &rotated.Attributes.Claims,
		&rotated.Attributes.Version, &rotated.HasPasskeys)
	err := s.write.QueryRowContext(ctx, `
		UPDATE {sessions} AS s SET generation = generation + 1, rotated_at = $1, last_seen_at = $1,
		       full_passkey_id = CASE
		           WHEN full_at > $2 AND last_seen_at > $3
		                AND EXISTS (SELECT 1 FROM {passkeys} p WHERE p.id = s.full_passkey_id)
		           THEN full_passkey_id END
		WHERE s.id = $4 AND s.refresh_mode <> '' AND s.salt = $8 AND s.generation = $5 AND s.last_seen_at > $6
		  AND (s.full_at IS NOT NULL OR s.password_at > $7
		       OR NOT EXISTS (SELECT 1 FROM {passkeys} p WHERE p.user_id = s.user_id))
		  AND `+isLive+`
		RETURNING `+changedSession+`,
		          (SELECT u.username FROM {users} u WHERE u.id = user_id),
		          (SELECT u.group_names FROM {users} u WHERE u.id = user_id),
		          (SELECT u.own_claims FROM {users} u WHERE u.id = user_id),
		          (SELECT u.attributes_version FROM {users} u WHERE u.id = user_id),
		          EXISTS (SELECT 1 FROM (SELECT user_id AS owner FROM {passkeys}) p WHERE p.owner = user_id)`,
		r.At, r.FullSince, r.FullIdleSince, r.SessionID, r.Generation, r.IdleSince, r.NoStepUpSince, r.Salt).
		Scan(targets...)
	inUTC(&rotated.Session)
	return rotated, s.translate(err)
}

// Sessions implements storage.Store.
func (s *Store) Sessions(
	ctx context.Context, userID uuid.UUID, now, idleSince time.Time, before *storage.SessionPlace, limit int,
) ([]storage.Session, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	condition, args := live+` AND s.user_id = $2 AND s.last_seen_at > $3`, []any{now, userID, idleSince, limit}
	if before != nil {
		condition += ` AND s.created_at <= $5 AND (s.created_at < $5 OR s.id > $6)`
		args = append(args, before.At, before.ID)
	}
	rows, err := s.read.QueryContext(ctx, `
		SELECT `+sessionColumns+` FROM {sessions} s JOIN {users} u ON u.id = s.user_id
		WHERE `+condition+` ORDER BY s.created_at DESC, s.id LIMIT $4`, args...)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var sessions []storage.Session
	for rows.Next() {
		var session storage.Session
		if err := rows.Scan(sessionTargets(&session)...); err != nil {
			return nil, s.translate(err)
		}
		inUTC(&session)
		sessions = append(sessions, session)
	}
	return sessions, s.translate(rows.Err())
}

// EndSessions implements storage.Tx.
func (t *tx) EndSessions(ctx context.Context, which storage.EndSessions) ([]uuid.UUID, error) {
	statement := `
		UPDATE {sessions} AS s SET ended_at = $1, end_reason = $2
		WHERE s.user_id = $3 AND ` + isLive
	args := []any{which.At, string(which.Reason), which.UserID}
	switch {
	case which.Only != uuid.Nil:
		statement, args = statement+` AND s.id = $4`, append(args, which.Only)
	case which.Keep > 0:
		kind := `<> ''`
		if which.Plain {
			kind = `= ''`
		}
		statement, args = statement+` AND s.refresh_mode `+kind+` AND s.id <> $5 AND s.id NOT IN (
			SELECT n.id FROM {sessions} n
			WHERE n.user_id = $3 AND n.refresh_mode `+kind+` AND n.ended_at IS NULL AND n.expires_at > $1 AND n.id <> $5
			ORDER BY n.full_at IS NOT NULL DESC, n.created_at DESC, n.id LIMIT $4)`, append(args, which.Keep, which.Except)
	case which.Passkey != uuid.Nil:
		statement += ` AND s.id <> $4 AND (s.full_passkey_id = $5 OR s.full_passkey_id IS NULL AND s.password_at = $6)`
		args = append(args, which.Except, which.Passkey, time.Time{})
	default:
		statement, args = statement+` AND s.id <> $4`, append(args, which.Except)
	}
	rows, err := t.QueryContext(ctx, statement+` RETURNING id`, args...)
	if err != nil {
		return nil, err
	}
	return ids(rows)
}

// LowerSessions implements storage.Tx. The generation does not change, because a refresh
// reads the level in the statement that rotates.
func (t *tx) LowerSessions(ctx context.Context, userID, passkeyID uuid.UUID, at time.Time) ([]uuid.UUID, error) {
	rows, err := t.QueryContext(ctx, `
		UPDATE {sessions} SET full_passkey_id = NULL, lowered_at = $3
		WHERE user_id = $1 AND full_passkey_id = $2 AND ended_at IS NULL
		RETURNING id`, userID, passkeyID, at)
	if err != nil {
		return nil, err
	}
	lowered, err := ids(rows)
	if err != nil {
		return nil, err
	}
	return lowered, t.deleteConsents(ctx, userID)
}

// LoweredSessions implements storage.Store.
func (s *Store) LoweredSessions(ctx context.Context, since time.Time) ([]storage.LoweredSession, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, `
		SELECT id, lowered_at, full_passkey_id IS NOT NULL FROM {sessions}
		WHERE lowered_at IS NOT NULL AND lowered_at >= $1`, since)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var lowered []storage.LoweredSession
	for rows.Next() {
		var l storage.LoweredSession
		if err := rows.Scan(&l.ID, &l.At, &l.SteppedUp); err != nil {
			return nil, s.translate(err)
		}
		l.At = l.At.UTC()
		lowered = append(lowered, l)
	}
	return lowered, s.translate(rows.Err())
}

func ids(rows engine.Rows) ([]uuid.UUID, error) {
	defer rows.Close()
	var list []uuid.UUID
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}
