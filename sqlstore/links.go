package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// PutLink implements storage.MailTx. The unique index leaves links of LinkFreeze out.
func (t *tx) PutLink(ctx context.Context, l storage.Link) error {
	_, err := t.ExecContext(ctx, `
		INSERT INTO {mail_links} (digest, purpose, user_id, address, password_version, expires_at, asked_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (user_id, purpose) WHERE purpose <> 'freeze' DO UPDATE
		SET digest = excluded.digest, address = excluded.address,
		    password_version = excluded.password_version, expires_at = excluded.expires_at, asked_by = excluded.asked_by`,
		l.Digest[:], string(l.Purpose), l.UserID, l.Address,
		sql.NullInt64{Int64: int64(l.PasswordVersion), Valid: l.PasswordVersion != 0}, l.ExpiresAt, l.AskedBy)
	return err
}

// linkHolds is the condition for a live link, on a row of mail_links and its row of users.
// $1 is the digest, $2 the purpose, $3 the time. A link proves a mailbox, so one that acts
// for the owner is live only while the account has the address that it was sent to: a
// change of address also invalidates a link that is being made at the same time.
const linkHolds = `l.digest = $1 AND l.purpose = $2 AND l.expires_at > $3
	  AND u.disabled_at IS NULL AND (l.password_version IS NULL OR l.password_version = u.password_version)
	  AND (l.purpose NOT IN ('reset_password', 'finish_recovery')
	       OR EXISTS (SELECT 1 FROM {emails} e WHERE e.user_id = u.id AND e.address = l.address))`

// TakeLink implements storage.MailTx. In PostgreSQL, a second caller waits for the row
// and then finds it gone.
func (t *tx) TakeLink(
	ctx context.Context, digest storage.LinkDigest, purpose storage.LinkPurpose, now time.Time,
) (storage.Link, error) {
	l := storage.Link{Digest: digest, Purpose: purpose}
	var version sql.NullInt64
	err := t.QueryRowContext(ctx, `
		DELETE FROM {mail_links} AS l
		WHERE l.digest = $1 AND EXISTS (SELECT 1 FROM {users} u WHERE u.id = l.user_id AND `+linkHolds+`)
		RETURNING user_id, address, password_version, expires_at`, digest[:], string(purpose), now).
		Scan(&l.UserID, &l.Address, &version, &l.ExpiresAt)
	l.PasswordVersion, l.ExpiresAt = int(version.Int64), l.ExpiresAt.UTC()
	return l, notFound(err)
}

// LinkOwner implements storage.MailStore.
func (s *Store) LinkOwner(
	ctx context.Context, digest storage.LinkDigest, purpose storage.LinkPurpose, now time.Time,
) (storage.User, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	u, err := scanUser(s.read.QueryRowContext(ctx, `
		SELECT `+userColumns+` FROM {mail_links} l JOIN {users} u ON u.id = l.user_id WHERE `+linkHolds,
		digest[:], string(purpose), now))
	return u, s.translate(err)
}

// DropLinkAskedBy implements storage.MailTx.
func (t *tx) DropLinkAskedBy(ctx context.Context, userID uuid.UUID, purpose storage.LinkPurpose, device []byte) error {
	_, err := t.ExecContext(ctx,
		`DELETE FROM {mail_links} WHERE user_id = $1 AND purpose = $2 AND asked_by = $3`, userID, string(purpose), device)
	return err
}

// DropLinks implements storage.MailTx.
func (t *tx) DropLinks(ctx context.Context, userID uuid.UUID, purposes ...storage.LinkPurpose) error {
	in, args := inList(purposes, userID)
	_, err := t.ExecContext(ctx, `DELETE FROM {mail_links} WHERE user_id = $1 AND purpose IN `+in, args...)
	return err
}
