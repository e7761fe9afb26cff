package sqlstore

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
	"github.com/stepkey/stepkey/storage"
)

// UserRecords implements storage.Store. It reads users and passkeys in two queries,
// so the passkeys may be slightly newer.
func (s *Store) UserRecords(ctx context.Context, after uuid.UUID, limit int) ([]storage.UserRecord, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	records, err := s.records(ctx, `u.id > $1 AND u.deleted_at IS NULL AND u.realm = ''`, after, limit)
	return records, s.translate(err)
}

// UserRecord implements storage.Store.
func (s *Store) UserRecord(ctx context.Context, canonicalName string) (storage.UserRecord, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	records, err := s.records(ctx, `u.canonical_name = $1`, canonicalName, 1)
	if err != nil {
		return storage.UserRecord{}, s.translate(err)
	}
	if len(records) == 0 {
		return storage.UserRecord{}, storage.ErrNotFound
	}
	return records[0], nil
}

// records reads the first limit users that meet the condition with arg, in the
// order of their ids.
func (s *Store) records(ctx context.Context, condition string, arg any, limit int) ([]storage.UserRecord, error) {
	records, err := userPage(ctx, s.read, condition, arg, limit)
	if err != nil {
		return nil, err
	}
	places := make(map[uuid.UUID]int)
	for i, r := range records {
		places[r.User.ID] = i
	}
	for chunk := range slices.Chunk(records, chunkRows) {
		if err := addPasskeys(ctx, s.read, chunk, records, places); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// userPage reads addresses by subqueries. For a join, PostgreSQL may read all addresses up to those of the
// page.
func userPage(ctx context.Context, q engine.Queryer, condition string, arg any, limit int) ([]storage.UserRecord, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT `+userColumns+`, (SELECT address FROM {emails} WHERE user_id = u.id), (SELECT confirmed_at FROM {emails} WHERE user_id = u.id)
		FROM {users} u
		WHERE `+condition+` ORDER BY u.id LIMIT $2`, arg, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var records []storage.UserRecord
	for rows.Next() {
		var u storage.User
		var address sql.NullString
		var confirmedAt *time.Time
		var recovery recoveryRow
		if err := rows.Scan(append(userTargets(&u, &recovery), &address, &confirmedAt)...); err != nil {
			return nil, err
		}
		userInUTC(&u)
		u.Recovery = recovery.pending()
		r := storage.UserRecord{User: u}
		if address.Valid {
			r.Email = &storage.ConfirmedEmail{Address: address.String, ConfirmedAt: confirmedAt.UTC()}
		}
		records = append(records, r)
	}
	return records, rows.Err()
}

// addPasskeys reads the passkeys of the users in chunk into records.
func addPasskeys(
	ctx context.Context, q engine.Queryer, chunk, records []storage.UserRecord, places map[uuid.UUID]int,
) error {
	ids := make([]any, len(chunk))
	for i, r := range chunk {
		ids[i] = r.User.ID
	}
	rows, err := q.QueryContext(ctx, `
		SELECT p.user_id, `+passkeyColumns+`
		FROM {passkeys} p WHERE p.user_id IN `+placeholders(1, len(chunk))+` ORDER BY p.user_id, p.created_at, p.id`, ids...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var userID uuid.UUID
		var p passkeyRow
		if err := rows.Scan(append([]any{&userID}, p.targets()...)...); err != nil {
			return err
		}
		passkey, err := p.passkey(userID)
		if err != nil {
			return err
		}
		r := &records[places[userID]]
		r.Passkeys = append(r.Passkeys, passkey)
	}
	return rows.Err()
}

// LastSignIns implements storage.Store.
func (s *Store) LastSignIns(ctx context.Context, userIDs []uuid.UUID) (map[uuid.UUID]time.Time, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	last := make(map[uuid.UUID]time.Time)
	for chunk := range slices.Chunk(userIDs, chunkRows) {
		if err := addLastSignIns(ctx, s.read, chunk, last); err != nil {
			return nil, s.translate(err)
		}
	}
	return last, nil
}

func addLastSignIns(ctx context.Context, q engine.Queryer, userIDs []uuid.UUID, last map[uuid.UUID]time.Time) error {
	args := make([]any, len(userIDs))
	for i, id := range userIDs {
		args[i] = id
	}
	rows, err := q.QueryContext(ctx, `
		SELECT u.id, u.last_sign_in_at FROM {users} u
		WHERE u.id IN `+placeholders(1, len(userIDs))+` AND u.last_sign_in_at IS NOT NULL`, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var at time.Time
		if err := rows.Scan(&id, &at); err != nil {
			return err
		}
		last[id] = at.UTC()
	}
	return rows.Err()
}
