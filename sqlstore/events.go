package sqlstore

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// eventColumns are the columns that eventValues and scanEvent are about.
const eventColumns = `id, kind, at, user_id, session_id, passkey_id, reason, device, network, passkey_name, times, since`

const eventColumnCount = 12

func eventValues(e storage.Event) []any {
	var since *time.Time
	if !e.Since.IsZero() {
		since = &e.Since
	}
	return []any{
		e.ID, string(e.Kind), e.At, e.UserID, orNull(e.SessionID), orNull(e.PasskeyID), e.Reason,
		e.Device, e.Network, e.PasskeyName, e.Times, since,
	}
}

func scanEvent(scan func(...any) error) (e storage.Event, err error) {
	var session, passkey uuid.NullUUID
	var since *time.Time
	err = scan(&e.ID, &e.Kind, &e.At, &e.UserID, &session, &passkey, &e.Reason,
		&e.Device, &e.Network, &e.PasskeyName, &e.Times, &since)
	if err == nil && since != nil {
		e.Since = since.UTC()
	}
	e.At, e.SessionID, e.PasskeyID = e.At.UTC(), session.UUID, passkey.UUID
	return e, err
}

// RecordEvent implements storage.Tx.
func (t *tx) RecordEvent(ctx context.Context, e storage.Event) error {
	return t.RecordEvents(ctx, []storage.Event{e})
}

// RecordEvents implements storage.Tx.
func (t *tx) RecordEvents(ctx context.Context, events []storage.Event) error {
	for chunk := range slices.Chunk(events, chunkRows) {
		var args []any
		for _, e := range chunk {
			args = append(args, eventValues(e)...)
		}
		_, err := t.ExecContext(ctx, `
			INSERT INTO {events} (`+eventColumns+`)
			VALUES `+placeholders(len(chunk), eventColumnCount), args...)
		if err != nil {
			return err
		}
	}
	for _, e := range events {
		if err := t.noteSignIn(ctx, e); err != nil {
			return err
		}
		if err := t.trimEvents(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// noteSignIn stores the time of a sign-in in the user's row, where it outlives the
// event.
func (t *tx) noteSignIn(ctx context.Context, e storage.Event) error {
	if e.Kind != storage.EventSignedIn {
		return nil
	}
	_, err := t.ExecContext(ctx, `UPDATE {users} SET last_sign_in_at = $1
		WHERE id = $2 AND (last_sign_in_at IS NULL OR last_sign_in_at < $1)`, e.At, e.UserID)
	return err
}

// Events implements storage.Store. The first condition on the time is for the index, which
// does not contain ids; the second one orders events of the same time.
func (s *Store) Events(
	ctx context.Context, userID uuid.UUID, before *storage.EventPlace, limit int,
) ([]storage.Event, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	condition, args := `user_id = $1`, []any{userID, limit}
	if before != nil {
		condition += ` AND at <= $3 AND (at < $3 OR id > $4)`
		args = append(args, before.At, before.ID)
	}
	rows, err := s.read.QueryContext(ctx, `
		SELECT `+eventColumns+` FROM {events}
		WHERE `+condition+` ORDER BY at DESC, id LIMIT $2`, args...)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var events []storage.Event
	for rows.Next() {
		e, err := scanEvent(rows.Scan)
		if err != nil {
			return nil, s.translate(err)
		}
		events = append(events, e)
	}
	return events, s.translate(rows.Err())
}

// EventByID implements storage.Store.
func (s *Store) EventByID(ctx context.Context, userID, id uuid.UUID) (storage.Event, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	e, err := scanEvent(s.read.QueryRowContext(ctx,
		`SELECT `+eventColumns+` FROM {events} WHERE id = $1 AND user_id = $2`, id, userID).Scan)
	return e, s.translate(err)
}

// countAttempts adds to an entry or makes it, if the user exists and fewer than $13 other entries
// with a network count attempts of that kind since $14, the beginning of the day.
const countAttempts = `
	INSERT INTO {events} AS e (` + eventColumns + `)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, CAST($11 AS BIGINT), $12 FROM {users} u
	WHERE u.id = $4 AND u.deleted_at IS NULL AND $13 > (
		SELECT COUNT(*) FROM {events} o WHERE o.user_id = $4 AND o.at >= $14 AND o.since >= $14 AND o.kind = $2
			AND o.network <> '' AND o.id <> $1)
	ON CONFLICT (id) DO UPDATE SET
		times = e.times + excluded.times, device = excluded.device,
		at = CASE WHEN excluded.at > e.at THEN excluded.at ELSE e.at END,
		reason = CASE WHEN excluded.reason = '' THEN e.reason ELSE excluded.reason END`

// CountAttempts implements storage.Store. The id of an entry follows from what it counts, so that
// instances that count at the same time find one entry.
func (s *Store) CountAttempts(ctx context.Context, e storage.Event) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	e.Since = e.At
	day := e.At.UTC().Truncate(24 * time.Hour)
	count := func(most int) (bool, error) {
		e.ID = countedID(e, day)
		return changed(ctx, s.write, countAttempts, append(eventValues(e), most, day)...)
	}
	counted, err := count(storage.MaxCountedNetworks)
	if err == nil && !counted {
		e.Network, e.SessionID = "", uuid.Nil
		_, err = count(math.MaxInt32)
	}
	return s.translate(err)
}

// countedID is a UUID of version 8 (RFC 9562 §5.8).
func countedID(e storage.Event, day time.Time) uuid.UUID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %s %d", e.UserID, e.SessionID, e.Kind, e.Network, day.Unix()))
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id
}

// joined writes values as arguments of a statement.
func joined(values []any, arg func(any) string) string {
	var list []string
	for _, value := range values {
		list = append(list, arg(value))
	}
	return strings.Join(list, ", ")
}
