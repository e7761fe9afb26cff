package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
	"github.com/stepkey/stepkey/storage"
)

// CreateUser implements storage.Tx.
func (t *tx) CreateUser(ctx context.Context, u storage.User) error {
	added, err := changed(ctx, t, `
		INSERT INTO {users} (id, username, canonical_name, password_hash, password_version, handle, created_at, language, awaits_address_since)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (canonical_name) DO NOTHING`,
		u.ID, u.Username, u.CanonicalName, u.PasswordHash, u.PasswordVersion, u.Handle, u.CreatedAt, u.Language, u.AwaitsAddressSince)
	if err == nil && !added {
		return storage.ErrUsernameTaken
	}
	return err
}

// UserByName implements storage.Store.
func (s *Store) UserByName(ctx context.Context, canonicalName string) (storage.User, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	u, err := scanUser(s.read.QueryRowContext(ctx,
		`SELECT `+userColumns+` FROM {users} u WHERE u.canonical_name = $1`, canonicalName))
	return u, s.translate(err)
}

// UserByNameOrAddress implements storage.Store.
func (s *Store) UserByNameOrAddress(ctx context.Context, canonicalName, address string) (storage.User, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	u, err := scanUser(s.read.QueryRowContext(ctx, `
		SELECT `+userColumns+` FROM {users} u WHERE u.id = COALESCE(
			(SELECT n.id FROM {users} n WHERE n.canonical_name = $1),
			(SELECT e.user_id FROM {emails} e JOIN {users} o ON o.id = e.user_id
			 WHERE e.folded = $2 AND o.disabled_at IS NULL AND NOT EXISTS (
				SELECT 1 FROM {emails} e2 JOIN {users} o2 ON o2.id = e2.user_id
				WHERE e2.folded = $2 AND o2.disabled_at IS NULL AND e2.user_id <> e.user_id)))`, canonicalName, address))
	return u, s.translate(err)
}

// LockUser implements storage.Tx.
func (t *tx) LockUser(ctx context.Context, userID uuid.UUID) (storage.User, error) {
	u, err := scanUser(t.QueryRowContext(ctx,
		`SELECT `+userColumns+` FROM {users} u WHERE u.id = $1`+t.dialect.RowLock, userID))
	return u, notFound(err)
}

// userColumns are the columns that scanUser reads.
const userColumns = `u.id, u.username, u.canonical_name, u.password_hash, u.password_version, u.handle,
	       u.created_at, u.disabled_at, u.deleted_at, u.password_by_mail, u.password_by_mail_at, u.password_stopped,
	       u.recovery_started_at, u.recovery_ready_at, u.realm, u.external_key, u.display_name, u.allow_until,
	       u.group_names, u.own_claims, u.attributes_version, u.language, u.awaits_address_since`

func userTargets(u *storage.User, recovery *recoveryRow) []any {
	return []any{
		&u.ID, &u.Username, &u.CanonicalName, &u.PasswordHash, &u.PasswordVersion, &u.Handle,
		&u.CreatedAt, &u.DisabledAt, &u.DeletedAt, &u.PasswordByMail, &u.PasswordByMailAt, &u.PasswordStopped,
		&recovery.startedAt, &recovery.readyAt, &u.Realm, (*keyColumn)(&u.ExternalKey), &u.DisplayName, &u.AllowUntil,
		&u.Attributes.Groups, &u.Attributes.Claims, &u.Attributes.Version, &u.Language, &u.AwaitsAddressSince,
	}
}

// userInUTC removes the zone that a driver added to the times.
func userInUTC(u *storage.User) {
	u.CreatedAt, u.DisabledAt, u.DeletedAt = u.CreatedAt.UTC(), utc(u.DisabledAt), utc(u.DeletedAt)
	u.PasswordByMailAt, u.AllowUntil = utc(u.PasswordByMailAt), utc(u.AllowUntil)
	u.AwaitsAddressSince = utc(u.AwaitsAddressSince)
}

func scanUser(row engine.Row) (storage.User, error) {
	var u storage.User
	var recovery recoveryRow
	err := row.Scan(userTargets(&u, &recovery)...)
	userInUTC(&u)
	u.Recovery = recovery.pending()
	return u, err
}

// ReplacePasswordHash implements storage.Store.
func (s *Store) ReplacePasswordHash(ctx context.Context, userID uuid.UUID, old, replacement string) (bool, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	replaced, err := changed(ctx, s.write,
		`UPDATE {users} SET password_hash = $1 WHERE id = $2 AND password_hash = $3`, replacement, userID, old)
	return replaced, s.translate(err)
}

// oldHash is the condition of the index users_by_old_hash. A change of the parameters of new
// hashes changes both.
const oldHash = `substr(password_hash, 1, 31) <> '$argon2id$v=19$m=19456,t=2,p=1$' AND realm = ''`

// nextOldHash returns the statement of NextOldHash, which reads only that
// index.
func nextOldHash(d engine.Dialect) string {
	return `SELECT password_hash FROM {users} WHERE ` + oldHash + ` AND password_hash` + d.ByteOrder + ` >= $1
		ORDER BY password_hash` + d.ByteOrder + ` LIMIT 1`
}

// NextOldHash implements storage.Store.
func (s *Store) NextOldHash(ctx context.Context, from string) (hash string, err error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	err = s.read.QueryRowContext(ctx, nextOldHash(s.dialect), from).Scan(&hash)
	return hash, s.translate(err)
}

// DeleteUser implements storage.Tx. The user's row stays, so that the name is taken,
// and so do the rows of the sessions, from which other instances learn that they have
// ended. The handle must be unique; the one that devices know no longer works.
func (t *tx) DeleteUser(ctx context.Context, userID uuid.UUID, hash string, at time.Time) error {
	deleted, err := changed(ctx, t, `
		UPDATE {users} SET deleted_at = $1, disabled_at = $1, username = '', language = '', password_hash = $2,
		       password_version = password_version + 1, handle = $3,
		       password_by_mail = FALSE, password_by_mail_at = NULL, password_stopped = FALSE,
		       recovery_started_at = NULL, recovery_ready_at = NULL, last_sign_in_at = NULL,
		       group_names = '', own_claims = '', awaits_address_since = NULL
		WHERE id = $4 AND deleted_at IS NULL`, at, hash, userID[:], userID)
	if err != nil {
		return err
	}
	if !deleted {
		return storage.ErrNotFound
	}
	for _, statement := range []string{
		`DELETE FROM {passkeys} WHERE user_id = $1`,
		deleteChallenges,
		`DELETE FROM {emails} WHERE user_id = $1`,
		`DELETE FROM {mail_links} WHERE user_id = $1`,
		`DELETE FROM {recovery_codes} WHERE user_id = $1`,
		`DELETE FROM {refused_ceremonies} WHERE user_id = $1`,
		`UPDATE {sessions} SET device = '', address = '' WHERE user_id = $1`,
		`UPDATE {events} SET device = '', network = '', passkey_name = '' WHERE user_id = $1`,
	} {
		if _, err := t.ExecContext(ctx, statement, userID); err != nil {
			return err
		}
	}
	return nil
}

// SetDisabled implements storage.Tx.
func (t *tx) SetDisabled(ctx context.Context, userID uuid.UUID, at *time.Time) (bool, error) {
	if at == nil {
		return changed(ctx, t, `UPDATE {users} SET disabled_at = NULL
			WHERE id = $1 AND disabled_at IS NOT NULL AND deleted_at IS NULL`, userID)
	}
	return changed(ctx, t, `UPDATE {users} SET disabled_at = $1 WHERE id = $2 AND disabled_at IS NULL`, *at, userID)
}

// SetPassword implements storage.MailTx.
func (t *tx) SetPassword(ctx context.Context, userID uuid.UUID, version int, hash string, byMailAt *time.Time) (bool, error) {
	return changed(ctx, t, `
		UPDATE {users} SET password_hash = $1, password_version = password_version + 1,
		       password_by_mail = $4, password_by_mail_at = $5, password_stopped = FALSE
		WHERE id = $2 AND password_version = $3 AND disabled_at IS NULL`, hash, userID, version, byMailAt != nil, byMailAt)
}

// SetLanguage implements storage.UserTx.
func (t *tx) SetLanguage(ctx context.Context, userID uuid.UUID, language string, verified bool) error {
	_, err := t.ExecContext(ctx, `
		UPDATE {users} SET language = $1
		WHERE id = $2 AND ($3 OR NOT EXISTS (SELECT 1 FROM {passkeys} WHERE user_id = $2))`, language, userID, verified)
	return err
}

// StopPassword implements storage.MailTx.
func (t *tx) StopPassword(ctx context.Context, userID uuid.UUID, stopped bool) (bool, error) {
	return changed(ctx, t, `UPDATE {users} SET password_stopped = $1 WHERE id = $2 AND password_stopped <> $1`, stopped, userID)
}
