package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// SetEmail implements storage.MailTx. The lock is a separate statement, as in
// LockAccount.
func (t *tx) SetEmail(ctx context.Context, userID uuid.UUID, address string, at time.Time) (before string, err error) {
	if _, err := t.LockUser(ctx, userID); err != nil {
		return "", err
	}
	err = t.QueryRowContext(ctx, `SELECT address FROM {emails} WHERE user_id = $1`, userID).Scan(&before)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	if address == "" {
		_, err = t.ExecContext(ctx, `DELETE FROM {emails} WHERE user_id = $1`, userID)
		return before, err
	}
	_, err = t.ExecContext(ctx, `
		INSERT INTO {emails} (user_id, address, folded, confirmed_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id) DO UPDATE
		SET address = excluded.address, folded = excluded.folded, confirmed_at = excluded.confirmed_at`,
		userID, address, storage.FoldAddress(address), at)
	if err != nil {
		return "", err
	}
	_, err = t.ExecContext(ctx, `
		UPDATE {users} SET awaits_address_since = NULL WHERE id = $1 AND awaits_address_since IS NOT NULL`, userID)
	return before, err
}

// Email implements storage.MailStore.
func (s *Store) Email(ctx context.Context, userID uuid.UUID, now time.Time) (storage.EmailState, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var state storage.EmailState
	err := s.read.QueryRowContext(ctx, `
		SELECT COALESCE((SELECT address FROM {emails} WHERE user_id = $1), ''),
		       COALESCE((SELECT address FROM {mail_links}
		                 WHERE user_id = $1 AND purpose = 'verify_email' AND expires_at > $2), '')`, userID, now).
		Scan(&state.Address, &state.Pending)
	return state, s.translate(err)
}

// Addressees implements storage.MailTx.
func (t *tx) Addressees(ctx context.Context, which storage.AddresseesOf) ([]storage.Addressee, error) {
	condition, arg := `e.folded = $1`, any(storage.FoldAddress(which.Address))
	switch {
	case which.UserID != uuid.Nil:
		condition, arg = `u.id = $1`, which.UserID
	case which.CanonicalName != "":
		condition, arg = `u.canonical_name = $1`, which.CanonicalName
	}
	rows, err := t.QueryContext(ctx, `
		SELECT u.id, u.username, u.disabled_at IS NULL, u.password_version, e.address, u.language
		FROM {users} u JOIN {emails} e ON e.user_id = u.id
		WHERE `+condition+` ORDER BY e.confirmed_at, u.id LIMIT $2`, arg, storage.MaxAddressees)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []storage.Addressee
	for rows.Next() {
		var a storage.Addressee
		if err := rows.Scan(&a.UserID, &a.Username, &a.Active, &a.PasswordVersion, &a.Address, &a.Language); err != nil {
			return nil, err
		}
		found = append(found, a)
	}
	return found, rows.Err()
}
