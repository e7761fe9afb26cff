package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
)

// QueueMail implements stepkey.MailTx.
func (t *tx) QueueMail(ctx context.Context, m stepkey.QueuedMail) error {
	_, err := t.ExecContext(ctx, `
		INSERT INTO {outbox} (id, user_id, recipient, kind, sealed, created_at, expires_at, next_try_at, tries)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $6, 0)`,
		m.ID, orNull(m.UserID), m.To, string(m.Kind), m.Sealed, m.CreatedAt, m.ExpiresAt)
	return err
}

// ClaimMail implements stepkey.MailStore. Rows that another instance is claiming at
// this moment are left to it; MATERIALIZED has them chosen once, as the limit wants it.
func (s *Store) ClaimMail(ctx context.Context, now, until time.Time, limit int) ([]stepkey.QueuedMail, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.db.write.QueryContext(ctx, `
		WITH due AS MATERIALIZED (
			SELECT id FROM {outbox} WHERE next_try_at <= $1 ORDER BY next_try_at, id LIMIT $3`+s.dialect.skip+`)
		UPDATE {outbox} SET next_try_at = $2, tries = tries + 1
		WHERE id IN (SELECT id FROM due)
		RETURNING id, user_id, recipient, kind, sealed, created_at, expires_at, tries`, now, until, limit)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var claimed []stepkey.QueuedMail
	for rows.Next() {
		var m stepkey.QueuedMail
		var userID uuid.NullUUID
		err := rows.Scan(&m.ID, &userID, &m.To, &m.Kind, &m.Sealed, &m.CreatedAt, &m.ExpiresAt, &m.Tries)
		if err != nil {
			return nil, s.translate(err)
		}
		m.UserID, m.CreatedAt, m.ExpiresAt = userID.UUID, m.CreatedAt.UTC(), m.ExpiresAt.UTC()
		claimed = append(claimed, m)
	}
	return claimed, s.translate(rows.Err())
}

// PutOffMail implements stepkey.MailStore.
func (s *Store) PutOffMail(ctx context.Context, id uuid.UUID, tries int, until time.Time) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	_, err := s.db.write.ExecContext(ctx,
		`UPDATE {outbox} SET next_try_at = $1 WHERE id = $2 AND tries = $3`, until, id, tries)
	return s.translate(err)
}

// DeleteMail implements stepkey.MailTx.
func (t *tx) DeleteMail(ctx context.Context, id uuid.UUID) (bool, error) {
	return changed(ctx, t, `DELETE FROM {outbox} WHERE id = $1`, id)
}
