package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
	"github.com/stepkey/stepkey/storage"
)

const invitationColumns = `id, address, language, created_at, expires_at`

func scanInvitation(row engine.Row) (i storage.Invitation, err error) {
	err = row.Scan(&i.ID, &i.Address, &i.Language, &i.CreatedAt, &i.ExpiresAt)
	i.CreatedAt, i.ExpiresAt = i.CreatedAt.UTC(), i.ExpiresAt.UTC()
	return i, err
}

// PutInvitation implements storage.InvitationTx.
func (t *tx) PutInvitation(ctx context.Context, i storage.Invitation, digest storage.LinkDigest) error {
	_, err := t.ExecContext(ctx, `INSERT INTO {invitations} (id, digest, address, language, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		i.ID, digest[:], i.Address, i.Language, i.CreatedAt, i.ExpiresAt)
	return err
}

// TakeInvitation implements storage.InvitationTx. Under PostgreSQL, the second caller waits for
// the row and then finds it gone.
func (t *tx) TakeInvitation(ctx context.Context, digest storage.LinkDigest, now time.Time) (storage.Invitation, error) {
	i, err := scanInvitation(t.QueryRowContext(ctx,
		`DELETE FROM {invitations} WHERE digest = $1 AND expires_at > $2 RETURNING `+invitationColumns, digest[:], now))
	return i, notFound(err)
}

// RevokeInvitation implements storage.InvitationTx.
func (t *tx) RevokeInvitation(ctx context.Context, id uuid.UUID) (bool, error) {
	return changed(ctx, t, `DELETE FROM {invitations} WHERE id = $1`, id)
}

// Invitation implements storage.InvitationStore.
func (s *Store) Invitation(ctx context.Context, digest storage.LinkDigest, now time.Time) (storage.Invitation, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	i, err := scanInvitation(s.read.QueryRowContext(ctx,
		`SELECT `+invitationColumns+` FROM {invitations} WHERE digest = $1 AND expires_at > $2`, digest[:], now))
	return i, s.translate(err)
}

// Invitations implements storage.InvitationStore.
func (s *Store) Invitations(ctx context.Context, now time.Time, after uuid.UUID, limit int) ([]storage.Invitation, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.read.QueryContext(ctx,
		`SELECT `+invitationColumns+` FROM {invitations} WHERE expires_at > $1 AND id > $2 ORDER BY id LIMIT $3`, now, after, limit)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var list []storage.Invitation
	for rows.Next() {
		i, err := scanInvitation(rows)
		if err != nil {
			return nil, s.translate(err)
		}
		list = append(list, i)
	}
	return list, s.translate(rows.Err())
}
