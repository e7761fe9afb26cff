package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
	"github.com/stepkey/stepkey/storage"
)

const (
	// keepEnded is how long the row of a session is kept after its end, for
	// investigations. It is longer than the life of any token of the session.
	keepEnded = 24 * time.Hour

	// keepUnknown is how long attempts on an unknown name are counted. Until then
	// the waits are the same as for a known name, and a month of guessing at an
	// unknown name reveals less than a sign-up does at once.
	keepUnknown = 30 * 24 * time.Hour

	// keepUnsent is how long a mail is kept after it expired. The outbox drops it
	// earlier; the sweep is for services that no longer send mail.
	keepUnsent = 24 * time.Hour

	// keepKeys is how long a signing key is kept after a newer one began to sign. Its
	// tokens have expired long before that.
	keepKeys = 365 * 24 * time.Hour

	// KeepEvents is the default of Options.KeepEvents.
	KeepEvents = 365 * 24 * time.Hour
)

// emptyExternal is the condition for external users who have nothing that needs to be kept. A
// user who enters at the same moment changes last_sign_in_at, so that the row no longer
// matches.
const emptyExternal = `external_key IS NOT NULL AND last_sign_in_at <= $1
	AND NOT EXISTS (SELECT 1 FROM {passkeys} p WHERE p.user_id = o.id)
	AND NOT EXISTS (SELECT 1 FROM {recovery_codes} c WHERE c.user_id = o.id)`

// unconfirmed is the condition for users who never confirmed the address of their sign-up. Those who
// signed in nevertheless, while the service did not require an address, stay, and so do those whom an
// operator has disabled or let in by a link, after which there is a passkey. A user who confirms at the
// same moment locks the row, which then no longer matches.
const unconfirmed = `awaits_address_since <= $1 AND last_sign_in_at IS NULL AND disabled_at IS NULL
	AND NOT EXISTS (SELECT 1 FROM {passkeys} p WHERE p.user_id = o.id)`

// sweepRows is how many rows one statement of Sweep deletes. A statement that deletes more
// would keep other writers waiting: SQLite has one writer.
const sweepRows = 500

// sweep deletes the rows of a table that meet a condition with $1. The key identifies a
// row; order is the column whose index finds the rows.
type sweep struct {
	table, key, order, condition string
	until                        any
}

func (s *Store) sweeps(now time.Time) []sweep {
	list := []sweep{
		{"challenges", "digest", "expires_at", `expires_at <= $1`, now},
		{"used_challenges", "digest", "expires_at", `expires_at <= $1`, now},
		{"spent_actions", "id", "expires_at", `expires_at <= $1`, now},
		{"mail_links", "digest", "expires_at", `expires_at <= $1`, now},
		{"invitations", "id", "expires_at", `expires_at <= $1`, now},
		{"browser_sessions", "digest", "code_expires_at", `code_expires_at <= $1`, now},
		{"outbox", "id", "expires_at", `expires_at <= $1`, now.Add(-keepUnsent)},
		{"rate_limits", "bucket", "full_at", `full_at <= $1`, now.UnixMicro()},
		{"login_attempts", "key", "forget_at", `forget_at <= $1`, now.UnixMicro()},
		{
			"refused_ceremonies", "user_id, ceremony, reason", "last_at", `last_at <= $1`,
			now.Add(-storage.KeepRefusedCeremonies).UnixMicro(),
		},
		{"sessions", "id", "expires_at", `expires_at <= $1`, now.Add(-keepEnded)},
		{"sessions", "id", "ended_at", `ended_at <= $1`, now.Add(-keepEnded)},
		{"attribute_changes", "mark", "changed_at", `changed_at <= $1`, now.Add(-keepEnded)},
		{"consents", "session_id, digest", "expires_at", `expires_at <= $1`, now},
		{"purpose_counts", "realm, day, purpose, route, outcome", "day", `day <= $1`, now.Add(-storage.KeepPurposeCounts)},
		{"users", "id", "last_sign_in_at", emptyExternal, now.Add(-storage.KeepEmptyExternalUsers)},
		{"users", "id", "awaits_address_since", unconfirmed, now.Add(-storage.KeepUnconfirmedUsers)},
		{"users", "id", "deleted_at", `deleted_at <= $1`, now.Add(-storage.NameQuarantine)},
		{"signing_keys", "id", "activates_at", `EXISTS (
			SELECT 1 FROM {signing_keys} n WHERE n.activates_at > o.activates_at AND n.activates_at <= $1
			AND n.revoked_at IS NULL)`, now.Add(-keepKeys)},
	}
	if s.keepEvents > 0 {
		list = append(list, sweep{"events", "id", "at", `at <= $1`, now.Add(-s.keepEvents)})
	}
	return list
}

// statement deletes the oldest rows. Rows that another instance is deleting at the same
// time are skipped; MATERIALIZED makes the database choose the rows once, so that the
// limit holds.
func (w sweep) statement(d engine.Dialect) string {
	return fmt.Sprintf(`
		WITH old_rows AS MATERIALIZED (SELECT %[2]s FROM {%[1]s} o WHERE %[3]s ORDER BY %[4]s LIMIT %[5]d%[6]s)
		DELETE FROM {%[1]s} WHERE (%[2]s) IN (SELECT %[2]s FROM old_rows)`,
		w.table, w.key, w.condition, w.order, sweepRows, d.Skip)
}

// Sweep implements storage.Store. It deletes expired challenges, action tokens, links, invitations and
// mails, full rate-limit buckets, attempts that no longer count, old records of refused ceremonies, events, consents and
// counts, empty external users, users who never confirmed their address, names whose quarantine is over, signing keys replaced long ago, and sessions
// that ended a day ago.
func (s *Store) Sweep(ctx context.Context) error {
	for _, w := range s.sweeps(s.Now()) {
		for {
			deleted, err := s.sweepOnce(ctx, w)
			if err != nil {
				return s.translate(err)
			}
			if deleted < sweepRows {
				break
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) sweepOnce(ctx context.Context, w sweep) (int64, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	result, err := s.write.ExecContext(ctx, w.statement(s.dialect), w.until)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// trimRows is how many of a user's oldest events one statement deletes.
const trimRows = 1000

// trims reports whether recording e counts the user's events.
func trims(e storage.Event) bool { return e.ID[len(e.ID)-1] == 0 }

// trimEvents deletes a user's events beyond the newest MaxKeptEvents. Counting them costs more
// than recording one, so it is done for one event in 256, at random by the event's id.
func (t *tx) trimEvents(ctx context.Context, e storage.Event) error {
	if !trims(e) {
		return nil
	}
	_, err := t.ExecContext(ctx, `DELETE FROM {events} WHERE user_id = $1 AND id IN (
		SELECT id FROM {events} WHERE user_id = $1 ORDER BY at DESC, id LIMIT $2 OFFSET $3)`,
		e.UserID, trimRows, storage.MaxKeptEvents)
	return err
}
