package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// PinSetting implements storage.Tx. The INSERT of a second transaction waits at
// the unique index until the first one ends; only then does it read.
func (t *tx) PinSetting(ctx context.Context, name, value string) (string, error) {
	_, err := t.ExecContext(ctx,
		`INSERT INTO {settings} (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, value)
	if err != nil {
		return "", err
	}
	var stored string
	err = t.QueryRowContext(ctx, `SELECT value FROM {settings} WHERE name = $1`, name).Scan(&stored)
	return stored, err
}

// AddSigningKey implements storage.Tx.
func (t *tx) AddSigningKey(ctx context.Context, k storage.SealedKey) error {
	_, err := t.ExecContext(ctx,
		`INSERT INTO {signing_keys} (id, sealed, created_at, activates_at) VALUES ($1, $2, $3, $4)`,
		k.ID, k.Sealed, k.CreatedAt, k.ActivatesAt)
	return err
}

// RevokeSigningKey implements storage.Tx.
func (t *tx) RevokeSigningKey(ctx context.Context, id string, at time.Time) error {
	revoked, err := changed(ctx, t,
		`UPDATE {signing_keys} SET revoked_at = COALESCE(revoked_at, $1) WHERE id = $2`, at, id)
	if err == nil && !revoked {
		return storage.ErrNotFound
	}
	return err
}

// SigningKeys implements storage.Store.
func (s *Store) SigningKeys(ctx context.Context) ([]storage.SealedKey, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.read.QueryContext(ctx,
		`SELECT id, sealed, created_at, activates_at, revoked_at FROM {signing_keys} ORDER BY activates_at DESC, id`)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var keys []storage.SealedKey
	for rows.Next() {
		var k storage.SealedKey
		if err := rows.Scan(&k.ID, &k.Sealed, &k.CreatedAt, &k.ActivatesAt, &k.RevokedAt); err != nil {
			return nil, s.translate(err)
		}
		k.CreatedAt, k.ActivatesAt, k.RevokedAt = k.CreatedAt.UTC(), k.ActivatesAt.UTC(), utc(k.RevokedAt)
		keys = append(keys, k)
	}
	return keys, s.translate(rows.Err())
}

// SpendAction implements storage.Store.
func (s *Store) SpendAction(ctx context.Context, id string, until time.Time) (bool, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	first, err := changed(ctx, s.write,
		`INSERT INTO {spent_actions} (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, id, until)
	return first, s.translate(err)
}

// RecordEvent implements storage.Tx.
func (t *tx) RecordEvent(ctx context.Context, e storage.Event) error {
	return t.RecordEvents(ctx, []storage.Event{e})
}

// RecordEvents implements storage.Tx.
func (t *tx) RecordEvents(ctx context.Context, events []storage.Event) error {
	for chunk := range slices.Chunk(events, chunkRows) {
		var args []any
		for _, e := range chunk {
			args = append(args, e.ID, string(e.Kind), e.At, e.UserID, orNull(e.SessionID), orNull(e.PasskeyID), e.Reason)
		}
		_, err := t.ExecContext(ctx, `
			INSERT INTO {events} (id, kind, at, user_id, session_id, passkey_id, reason)
			VALUES `+placeholders(len(chunk), 7), args...)
		if err != nil {
			return err
		}
	}
	for _, e := range events {
		if err := t.noteSignIn(ctx, e); err != nil {
			return err
		}
		if err := t.trimEvents(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// noteSignIn stores the time of a sign-in in the user's row, where it outlives the
// event.
func (t *tx) noteSignIn(ctx context.Context, e storage.Event) error {
	if e.Kind != storage.EventSignedIn {
		return nil
	}
	_, err := t.ExecContext(ctx, `UPDATE {users} SET last_sign_in_at = $1
		WHERE id = $2 AND (last_sign_in_at IS NULL OR last_sign_in_at < $1)`, e.At, e.UserID)
	return err
}

// Events implements storage.Store. The first condition on the time is for the index, which
// does not contain ids; the second one orders events of the same time.
func (s *Store) Events(
	ctx context.Context, userID uuid.UUID, before *storage.EventPlace, limit int,
) ([]storage.Event, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	condition, args := `user_id = $1`, []any{userID, limit}
	if before != nil {
		condition += ` AND at <= $3 AND (at < $3 OR id > $4)`
		args = append(args, before.At, before.ID)
	}
	rows, err := s.read.QueryContext(ctx, `
		SELECT id, kind, at, user_id, session_id, passkey_id, reason FROM {events}
		WHERE `+condition+` ORDER BY at DESC, id LIMIT $2`, args...)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var events []storage.Event
	for rows.Next() {
		var e storage.Event
		var session, passkey uuid.NullUUID
		if err := rows.Scan(&e.ID, &e.Kind, &e.At, &e.UserID, &session, &passkey, &e.Reason); err != nil {
			return nil, s.translate(err)
		}
		e.At, e.SessionID, e.PasskeyID = e.At.UTC(), session.UUID, passkey.UUID
		events = append(events, e)
	}
	return events, s.translate(rows.Err())
}

// orNull stores the zero id as NULL.
func orNull(id uuid.UUID) uuid.NullUUID { return uuid.NullUUID{UUID: id, Valid: id != uuid.Nil} }

// notFound turns "no rows" into the project's kind inside a transaction, whose
// other errors InTx translates.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return storage.ErrNotFound
	}
	return err
}
