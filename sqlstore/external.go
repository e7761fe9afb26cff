package sqlstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// noPassword is the hash of a user without a password. No password matches it.
const noPassword = "!"

// keyColumn scans the column external_key, which is NULL for users who sign in here.
type keyColumn string

// Scan implements sql.Scanner.
func (k *keyColumn) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*k = ""
	case []byte:
		*k = keyColumn(v)
	case string:
		*k = keyColumn(v)
	default:
		return fmt.Errorf("sqlstore: external_key is %T", value)
	}
	return nil
}

// standing runs for every guarded request of an application, so each table is read by an index. Its
// parameters are the time, the realm, the key and the session.
const standing = `
	SELECT u.id, u.allow_until, u.offer_declined_at, s.full_at, s.full_passkey_id,
	       EXISTS (SELECT 1 FROM {passkeys} p WHERE p.user_id = u.id),
	       EXISTS (SELECT 1 FROM {passkeys} p WHERE p.user_id = u.id AND (p.usable_from IS NULL OR p.usable_from <= $1))
	FROM {users} u
	LEFT JOIN {sessions} s ON s.id = $4 AND s.user_id = u.id AND s.full_passkey_id IS NOT NULL AND ` + live + `
	WHERE u.realm = $2 AND u.external_key = $3`

// Standing implements storage.Store.
func (s *Store) Standing(
	ctx context.Context, u storage.ExternalUser, sessionID uuid.UUID, now time.Time,
) (storage.Standing, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var found storage.Standing
	var fullPasskeyID uuid.NullUUID
	err := s.read.QueryRowContext(ctx, standing, now, u.Realm, []byte(u.Key), sessionID).Scan(
		&found.UserID, &found.AllowUntil, &found.OfferDeclinedAt, &found.FullAt, &fullPasskeyID,
		&found.HasPasskeys, &found.UsablePasskeys)
	found.AllowUntil, found.OfferDeclinedAt = utc(found.AllowUntil), utc(found.OfferDeclinedAt)
	found.FullAt, found.FullPasskeyID = utc(found.FullAt), fullPasskeyID.UUID
	return found, s.translate(err)
}

// ExternalPasskeys implements storage.Store.
func (s *Store) ExternalPasskeys(ctx context.Context, u storage.ExternalUser) ([]storage.Passkey, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, `
		SELECT p.user_id, `+passkeyColumns+`
		FROM {passkeys} p JOIN {users} u ON u.id = p.user_id
		WHERE u.realm = $1 AND u.external_key = $2 ORDER BY p.created_at, p.id`, u.Realm, []byte(u.Key))
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var passkeys []storage.Passkey
	for rows.Next() {
		var userID uuid.UUID
		var row passkeyRow
		if err := rows.Scan(append([]any{&userID}, row.targets()...)...); err != nil {
			return nil, s.translate(err)
		}
		p, err := row.passkey(userID)
		if err != nil {
			return nil, err
		}
		passkeys = append(passkeys, p)
	}
	return passkeys, s.translate(rows.Err())
}

// EnterExternal implements storage.Tx. The first statement also locks the user's row.
func (t *tx) EnterExternal(ctx context.Context, u storage.User, s storage.Session) (userID uuid.UUID, err error) {
	var version int
	err = t.QueryRowContext(ctx, `
		INSERT INTO {users} (id, username, canonical_name, password_hash, password_version, handle, created_at,
		                     realm, external_key, display_name, last_sign_in_at)
		VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (realm, external_key) WHERE external_key IS NOT NULL DO UPDATE SET
		    username = excluded.username, display_name = excluded.display_name, last_sign_in_at = excluded.last_sign_in_at
		RETURNING id, password_version`,
		u.ID, u.Username, u.CanonicalName, noPassword, u.Handle, u.CreatedAt,
		u.Realm, []byte(u.ExternalKey), u.DisplayName, s.LastSeenAt).Scan(&userID, &version)
	if err != nil {
		return uuid.Nil, err
	}
	// continued is the condition for a session that continues: it keeps its proof,
	// and its end if that is later.
	const continued = `s.expires_at > excluded.last_seen_at AND s.password_version = excluded.password_version`
	entered, err := changed(ctx, t, `
		INSERT INTO {sessions} AS s (id, user_id, password_version, password_at, created_at, last_seen_at, expires_at,
		                             refresh_mode, salt, generation, rotated_at, device, address, full_hardware, recovered_by)
		VALUES ($1, $2, $3, $4, $5, $5, $6, '', $7, 1, $5, $8, $9, FALSE, '')
		ON CONFLICT (id) DO UPDATE SET
		    full_at = CASE WHEN `+continued+` THEN s.full_at END,
		    full_passkey_id = CASE WHEN `+continued+` THEN s.full_passkey_id END,
		    recovered_by = CASE WHEN `+continued+` THEN s.recovered_by ELSE '' END,
		    expires_at = CASE WHEN `+continued+` AND (s.expires_at > excluded.expires_at OR s.recovered_by <> '') THEN s.expires_at ELSE excluded.expires_at END,
		    password_version = excluded.password_version, password_at = excluded.password_at,
		    last_seen_at = excluded.last_seen_at, device = excluded.device, address = excluded.address
		WHERE s.ended_at IS NULL AND s.user_id = excluded.user_id`,
		s.ID, userID, version, s.PasswordAt, s.LastSeenAt, s.ExpiresAt, []byte{}, s.Client.Device, s.Client.Network)
	if err == nil && !entered {
		return uuid.Nil, storage.ErrNotFound
	}
	return userID, err
}

// EndExternalProofs implements storage.Tx. Sessions of an earlier version are not live. Consents
// are deleted, because EnterExternal brings the session back to life.
func (t *tx) EndExternalProofs(ctx context.Context, u storage.ExternalUser) error {
	var userID uuid.UUID
	err := t.QueryRowContext(ctx, `UPDATE {users} SET password_version = password_version + 1
		WHERE realm = $1 AND external_key = $2 RETURNING id`, u.Realm, []byte(u.Key)).Scan(&userID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return t.deleteConsents(ctx, userID)
}

// ForgetExternal implements storage.Tx. It does not rely on ON DELETE CASCADE, which SQLite
// only honours on connections that enable it. The first statement locks the user's row. It writes,
// because SQLite refuses a transaction of an application that reads first and writes after others.
func (t *tx) ForgetExternal(ctx context.Context, u storage.ExternalUser) error {
	var userID uuid.UUID
	err := t.QueryRowContext(ctx, `UPDATE {users} SET password_version = password_version + 1
		WHERE realm = $1 AND external_key = $2 RETURNING id`, u.Realm, []byte(u.Key)).Scan(&userID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, statement := range []string{
		`DELETE FROM {consents} WHERE session_id IN (SELECT id FROM {sessions} WHERE user_id = $1)`,
		`DELETE FROM {passkeys} WHERE user_id = $1`,
		deleteChallenges,
		`DELETE FROM {recovery_codes} WHERE user_id = $1`,
		`DELETE FROM {refused_ceremonies} WHERE user_id = $1`,
		`DELETE FROM {events} WHERE user_id = $1`,
		`DELETE FROM {sessions} WHERE user_id = $1`,
		`DELETE FROM {users} WHERE id = $1`,
	} {
		if _, err := t.ExecContext(ctx, statement, userID); err != nil {
			return err
		}
	}
	return nil
}

// RecoverExternal implements storage.Tx.
func (t *tx) RecoverExternal(
	ctx context.Context, userID, sessionID uuid.UUID, by storage.RecoveryProof, at, until time.Time,
) error {
	recovered, err := changed(ctx, t, `
		UPDATE {sessions} AS s SET recovered_by = $4, full_passkey_id = NULL, expires_at = $5
		WHERE s.id = $2 AND s.user_id = $3 AND `+isLive, at, sessionID, userID, string(by), until)
	if err != nil {
		return err
	}
	if !recovered {
		return storage.ErrNotFound
	}
	_, err = t.ExecContext(ctx, `UPDATE {sessions} SET full_passkey_id = NULL, lowered_at = $1
		WHERE user_id = $2 AND full_passkey_id IS NOT NULL AND ended_at IS NULL`, at, userID)
	if err != nil {
		return err
	}
	return t.deleteConsents(ctx, userID)
}

// EndExternalRecovery implements storage.Tx.
func (t *tx) EndExternalRecovery(ctx context.Context, userID, sessionID uuid.UUID, until time.Time) error {
	_, err := t.ExecContext(ctx, `UPDATE {sessions} SET recovered_by = '', expires_at = $1
		WHERE id = $2 AND user_id = $3 AND ended_at IS NULL AND recovered_by <> ''`, until, sessionID, userID)
	return err
}

// AllowExternal implements storage.Tx.
func (t *tx) AllowExternal(ctx context.Context, u storage.ExternalUser, until *time.Time) (bool, error) {
	return changed(ctx, t, `UPDATE {users} SET allow_until = $1 WHERE realm = $2 AND external_key = $3`,
		until, u.Realm, []byte(u.Key))
}

// SpendAllowance implements storage.Tx.
func (t *tx) SpendAllowance(ctx context.Context, userID uuid.UUID, now time.Time) (bool, error) {
	return changed(ctx, t, `UPDATE {users} SET allow_until = NULL WHERE id = $1 AND allow_until > $2`, userID, now)
}

// DeclineExternalOffer implements storage.Tx.
func (t *tx) DeclineExternalOffer(ctx context.Context, userID uuid.UUID, at time.Time) error {
	_, err := t.ExecContext(ctx, `UPDATE {users} SET offer_declined_at = $1 WHERE id = $2`, at, userID)
	return err
}

// AddConsent implements storage.Tx.
func (t *tx) AddConsent(ctx context.Context, sessionID uuid.UUID, digest [sha256.Size]byte, until time.Time) error {
	_, err := t.ExecContext(ctx, `
		INSERT INTO {consents} (session_id, digest, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT (session_id, digest) DO UPDATE SET expires_at = excluded.expires_at`, sessionID, digest[:], until)
	return err
}

// TakeConsent implements storage.Store.
func (s *Store) TakeConsent(
	ctx context.Context, sessionID uuid.UUID, digest [sha256.Size]byte, now, latest time.Time,
) (bool, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	taken, err := changed(ctx, s.write, `
		DELETE FROM {consents} WHERE session_id = $2 AND digest = $3 AND expires_at > $1 AND expires_at <= $4
		AND EXISTS (SELECT 1 FROM {sessions} s JOIN {users} u ON u.id = s.user_id WHERE s.id = $2 AND `+live+`)`,
		now, sessionID, digest[:], latest)
	return taken, s.translate(err)
}

// deleteConsents deletes what a user has consented to. The caller has locked the user's row, and
// so has every transaction that adds a consent: none is added meanwhile.
func (t *tx) deleteConsents(ctx context.Context, userID uuid.UUID) error {
	_, err := t.ExecContext(ctx, `DELETE FROM {consents} WHERE session_id IN (SELECT id FROM {sessions} WHERE user_id = $1)`, userID)
	return err
}

// AddPurposeCounts implements storage.Store.
func (s *Store) AddPurposeCounts(ctx context.Context, realm string, counts []storage.PurposeCount) error {
	// Always in the same order, so that instances that update the same counts cannot deadlock.
	counts = slices.SortedFunc(slices.Values(counts), func(a, b storage.PurposeCount) int {
		return cmp.Or(a.Day.Compare(b.Day), cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Route, b.Route), cmp.Compare(a.Outcome, b.Outcome))
	})
	return s.inTx(ctx, func(t *tx) error {
		for _, c := range counts {
			_, err := t.ExecContext(ctx, `
				INSERT INTO {purpose_counts} AS c (realm, day, purpose, route, outcome, n) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (realm, day, purpose, route, outcome) DO UPDATE SET n = c.n + excluded.n`,
				realm, c.Day, c.Purpose, c.Route, c.Outcome, c.N)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// PurposeCounts implements storage.Store.
func (s *Store) PurposeCounts(ctx context.Context, realm string, since time.Time) ([]storage.PurposeCount, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, `
		SELECT day, purpose, route, outcome, n FROM {purpose_counts} WHERE realm = $1 AND day >= $2
		ORDER BY day, purpose, route, outcome`, realm, since)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var counts []storage.PurposeCount
	for rows.Next() {
		var c storage.PurposeCount
		if err := rows.Scan(&c.Day, &c.Purpose, &c.Route, &c.Outcome, &c.N); err != nil {
			return nil, s.translate(err)
		}
		c.Day = c.Day.UTC()
		counts = append(counts, c)
	}
	return counts, s.translate(rows.Err())
}
