package sqlstore

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// CreatePasskey implements storage.Tx.
func (t *tx) CreatePasskey(ctx context.Context, p storage.Passkey) error {
	transports, err := json.Marshal(p.Credential.Transports)
	if err != nil {
		return err
	}
	c := p.Credential
	added, err := changed(ctx, t, `
		INSERT INTO {passkeys} (id, user_id, credential_id, public_key, algorithm, aaguid, sign_count, flags,
		                      transports, name, created_at, attested, usable_from, last_used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (credential_id) DO NOTHING`,
		p.ID, p.UserID, c.ID, c.PublicKey, c.Algorithm, c.AAGUID, int64(c.SignCount), int16(c.Flags),
		string(transports), p.Name, p.CreatedAt, c.Attested, p.UsableFrom, p.LastUsedAt)
	if err == nil && !added {
		return storage.ErrPasskeyExists
	}
	return err
}

// RenamePasskey implements storage.Tx.
func (t *tx) RenamePasskey(ctx context.Context, userID, passkeyID uuid.UUID, name string) error {
	renamed, err := changed(ctx, t,
		`UPDATE {passkeys} SET name = $1 WHERE id = $2 AND user_id = $3`, name, passkeyID, userID)
	if err == nil && !renamed {
		return storage.ErrNotFound
	}
	return err
}

// DeletePasskey implements storage.Tx.
func (t *tx) DeletePasskey(ctx context.Context, userID, passkeyID uuid.UUID) error {
	deleted, err := changed(ctx, t, `DELETE FROM {passkeys} WHERE id = $1 AND user_id = $2`, passkeyID, userID)
	if err == nil && !deleted {
		return storage.ErrNotFound
	}
	return err
}

// PasskeyOwner implements storage.Store.
func (s *Store) PasskeyOwner(ctx context.Context, credentialID []byte) (storage.UserRecord, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var r storage.UserRecord
	var p passkeyRow
	var recovery recoveryRow
	row := s.read.QueryRowContext(ctx, `
		SELECT `+userColumns+`, `+passkeyColumns+`
		FROM {passkeys} p JOIN {users} u ON u.id = p.user_id WHERE p.credential_id = $1`, credentialID)
	if err := row.Scan(append(userTargets(&r.User, &recovery), p.targets()...)...); err != nil {
		return storage.UserRecord{}, s.translate(err)
	}
	userInUTC(&r.User)
	r.User.Recovery = recovery.pending()
	passkey, err := p.passkey(r.User.ID)
	r.Passkeys = []storage.Passkey{passkey}
	return r, err
}

// StoreVerified implements storage.Tx.
func (t *tx) StoreVerified(ctx context.Context, v storage.Verified) error {
	return t.storeVerified(ctx, v, func() error { return nil })
}

// usePasskey stores the use of a passkey, and reports whether it exists and its counter grows.
func (t *tx) usePasskey(ctx context.Context, use storage.PasskeyUse) (bool, error) {
	return changed(ctx, t, `
		UPDATE {passkeys} SET sign_count = $1, flags = $2, last_used_at = $3,
		                    attested = attested AND NOT CAST($5 AS BOOLEAN)
		WHERE id = $4 AND `+counterGrows("$1"),
		int64(use.SignCount), int16(use.Flags), use.At, use.PasskeyID, use.BackupChanged)
}

// counterGrows is the rule of WebAuthn Level 3 §7.2 step 22 for a row of passkeys. A passkey
// without a counter stays at zero.
func counterGrows(sent string) string {
	return `(sign_count < ` + sent + ` OR (sign_count = 0 AND ` + sent + ` = 0))`
}
