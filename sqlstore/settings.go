package sqlstore

import (
	"context"
	"database/sql"
	"errors"
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
