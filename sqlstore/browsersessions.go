package sqlstore

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// changedSession is sessionColumns after RETURNING, where SQLite does not know the alias of the table.
var changedSession = strings.ReplaceAll(sessionColumns, "s.", "")

// PutBrowserCode implements storage.BrowserSessionStore.
func (s *Store) PutBrowserCode(ctx context.Context, c storage.BrowserCode, at time.Time) error {
	return s.inTx(ctx, func(t *tx) error {
		put, err := changed(ctx, t, `
			INSERT INTO {browser_sessions} (digest, session_id, origin, nonce, code_expires_at)
			SELECT $2, s.id, $3, $4, $5 FROM {sessions} s WHERE s.id = $6 AND `+isLive,
			at, c.Digest[:], c.Origin, c.Nonce[:], c.ExpiresAt, c.SessionID)
		if err == nil && !put {
			return storage.ErrNotFound
		}
		return err
	})
}

// StartBrowserSession implements storage.BrowserSessionStore.
func (s *Store) StartBrowserSession(ctx context.Context, b storage.BrowserStart) error {
	return s.inTx(ctx, func(t *tx) error {
		var sessionID uuid.UUID
		err := t.QueryRowContext(ctx, `
			UPDATE {browser_sessions} AS b SET digest = $2, nonce = NULL, code_expires_at = NULL
			WHERE b.digest = $3 AND b.nonce = $4 AND b.origin = $5 AND b.code_expires_at > $1
			  AND EXISTS (SELECT 1 FROM {sessions} s WHERE s.id = b.session_id AND `+isLive+`)
			RETURNING session_id`,
			b.At, b.Cookie[:], b.Code[:], b.Nonce[:], b.Origin).Scan(&sessionID)
		if err != nil {
			return notFound(err)
		}
		_, err = t.ExecContext(ctx, `
			DELETE FROM {browser_sessions} WHERE session_id = $1 AND origin = $2 AND nonce IS NULL AND digest <> $3`,
			sessionID, b.Origin, b.Cookie[:])
		return err
	})
}

// VisitBrowserSession implements storage.BrowserSessionStore. It is one statement. As that of a
// refresh does, it reads and lowers the level at once. The generation stays, because no
// refresh token is exchanged.
func (s *Store) VisitBrowserSession(ctx context.Context, v storage.BrowserVisit) (storage.BrowserSession, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var b storage.BrowserSession
	targets := append(sessionTargets(&b.Session), &b.Username, &b.Attributes.Groups, &b.Attributes.Claims, &b.Attributes.Version, &b.Address)
	err := s.write.QueryRowContext(ctx, `
		UPDATE {sessions} AS s SET last_seen_at = $1,
		       full_passkey_id = CASE
		           WHEN full_at > $2 AND last_seen_at > $3
		                AND EXISTS (SELECT 1 FROM {passkeys} p WHERE p.id = s.full_passkey_id)
		           THEN full_passkey_id END
		WHERE s.id = (SELECT b.session_id FROM {browser_sessions} b WHERE b.digest = $4 AND b.origin = $5 AND b.nonce IS NULL)
		  AND s.last_seen_at > $6
		  AND (s.full_at IS NOT NULL OR s.password_at > $7
		       OR NOT EXISTS (SELECT 1 FROM {passkeys} p WHERE p.user_id = s.user_id))
		  AND `+isLive+`
		RETURNING `+changedSession+`,
		          (SELECT u.username FROM {users} u WHERE u.id = user_id),
		          (SELECT u.group_names FROM {users} u WHERE u.id = user_id),
		          (SELECT u.own_claims FROM {users} u WHERE u.id = user_id),
		          (SELECT u.attributes_version FROM {users} u WHERE u.id = user_id),
		          COALESCE((SELECT e.mailbox FROM (SELECT user_id AS owner, address AS mailbox FROM {emails}) e WHERE e.owner = user_id), '')`,
		v.At, v.FullSince, v.FullIdleSince, v.Cookie[:], v.Origin, v.IdleSince, v.NoStepUpSince).
		Scan(targets...)
	inUTC(&b.Session)
	return b, s.translate(err)
}
