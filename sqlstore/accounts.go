package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
	"github.com/stepkey/stepkey/storage"
)

// selectAccount reads session, user and passkeys in one query, one row for each
// passkey.
const selectAccount = `SELECT ` + accountColumns + fromAccount

// accountColumns are the columns that scanAccount reads.
const accountColumns = `
	       u.id, u.username, u.canonical_name, u.password_hash, u.password_version, u.handle, u.created_at,
	       u.password_by_mail, u.password_by_mail_at, u.password_stopped, u.recovery_started_at, u.recovery_ready_at,
	       u.realm, u.external_key, u.display_name, u.allow_until, u.group_names, u.own_claims, u.attributes_version, u.language,
	       ` + sessionColumns + `,
	       ` + passkeyColumns

// fromAccount selects the session $2 of user $3, if it is live at $1, with each of the
// user's passkeys.
const fromAccount = `
	FROM {sessions} s
	JOIN {users} u ON u.id = s.user_id
	LEFT JOIN {passkeys} p ON p.user_id = u.id
	WHERE s.id = $2 AND s.user_id = $3 AND ` + live + `
	ORDER BY p.created_at, p.id`

// Account implements storage.Store.
func (s *Store) Account(ctx context.Context, userID, sessionID uuid.UUID, now time.Time) (storage.Account, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	a, err := account(ctx, s.read, selectAccount, []any{now, sessionID, userID})
	return a, s.translate(err)
}

// LockAccount implements storage.Tx. The lock is a separate statement: a
// statement that waits for a lock continues with the rows of other tables that
// it read before the wait.
func (t *tx) LockAccount(ctx context.Context, userID, sessionID uuid.UUID, now time.Time) (storage.Account, error) {
	if _, err := t.LockUser(ctx, userID); err != nil {
		return storage.Account{}, err
	}
	a, err := account(ctx, t, selectAccount, []any{now, sessionID, userID})
	return a, notFound(err)
}

// account runs a query whose columns are accountColumns, followed by those that are read into
// further.
func account(ctx context.Context, q engine.Queryer, query string, args []any, further ...any) (storage.Account, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return storage.Account{}, err
	}
	defer rows.Close()
	var a storage.Account
	found := false
	for rows.Next() {
		found = true
		if err := scanAccount(rows, &a, further); err != nil {
			return storage.Account{}, err
		}
	}
	if err := rows.Err(); err != nil {
		return storage.Account{}, err
	}
	if !found {
		return storage.Account{}, sql.ErrNoRows
	}
	return a, nil
}

// scanAccount reads one row, and adds its passkey, if there is one, to a.
func scanAccount(rows engine.Rows, a *storage.Account, further []any) error {
	u, s := &a.User, &a.Session
	var p passkeyRow
	var recovery recoveryRow
	targets := []any{
		&u.ID, &u.Username, &u.CanonicalName, &u.PasswordHash, &u.PasswordVersion, &u.Handle, &u.CreatedAt,
		&u.PasswordByMail, &u.PasswordByMailAt, &u.PasswordStopped, &recovery.startedAt, &recovery.readyAt,
		&u.Realm, (*keyColumn)(&u.ExternalKey), &u.DisplayName, &u.AllowUntil,
		&u.Attributes.Groups, &u.Attributes.Claims, &u.Attributes.Version, &u.Language,
	}
	targets = append(targets, sessionTargets(s)...)
	targets = append(append(targets, p.targets()...), further...)
	if err := rows.Scan(targets...); err != nil {
		return err
	}
	u.CreatedAt, u.PasswordByMailAt, u.Recovery = u.CreatedAt.UTC(), utc(u.PasswordByMailAt), recovery.pending()
	u.AllowUntil = utc(u.AllowUntil)
	inUTC(s)
	if !p.id.Valid {
		return nil
	}
	passkey, err := p.passkey(u.ID)
	a.Passkeys = append(a.Passkeys, passkey)
	return err
}

// passkeyRow is a passkey from an outer join: all its columns are NULL, or none
// of the required ones.
type passkeyRow struct {
	id, aaguid            uuid.NullUUID
	credentialID          []byte
	publicKey             []byte
	algorithm, signCount  sql.NullInt64
	flags                 sql.NullInt16
	transports, name      sql.NullString
	createdAt, lastUsedAt *time.Time
	usableFrom            *time.Time
	attested              sql.NullBool
}

// passkeyColumns are the columns of a passkeyRow.
const passkeyColumns = `p.id, p.credential_id, p.public_key, p.algorithm, p.aaguid, p.sign_count, p.flags,
	       p.transports, p.name, p.created_at, p.last_used_at, p.attested, p.usable_from`

func (r *passkeyRow) targets() []any {
	return []any{
		&r.id, &r.credentialID, &r.publicKey, &r.algorithm, &r.aaguid, &r.signCount, &r.flags,
		&r.transports, &r.name, &r.createdAt, &r.lastUsedAt, &r.attested, &r.usableFrom,
	}
}

func (r passkeyRow) passkey(userID uuid.UUID) (storage.Passkey, error) {
	p := storage.Passkey{
		ID: r.id.UUID, UserID: userID, Name: r.name.String,
		CreatedAt: r.createdAt.UTC(), LastUsedAt: utc(r.lastUsedAt), UsableFrom: utc(r.usableFrom),
	}
	p.Credential.ID, p.Credential.PublicKey = r.credentialID, r.publicKey
	p.Credential.Algorithm, p.Credential.AAGUID = r.algorithm.Int64, r.aaguid.UUID
	p.Credential.SignCount, p.Credential.Flags = uint32(r.signCount.Int64), byte(r.flags.Int16)
	p.Credential.Attested = r.attested.Bool
	if err := json.Unmarshal([]byte(r.transports.String), &p.Credential.Transports); err != nil {
		return p, fmt.Errorf("sqlstore: transports of passkey %s: %w", p.ID, err)
	}
	return p, nil
}

// utc removes the zone that a driver added to a time. The time stays the same
// but prints differently.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
