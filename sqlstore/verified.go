package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"github.com/stepkey/stepkey/storage"
)

// Elevate implements storage.SessionStore.
func (s *Store) Elevate(ctx context.Context, e storage.Elevation) (generation int64, err error) {
	if s.inOne(e.Verified) {
		generation, err = s.verifyInOne(ctx, e.Verified, &e)
		if !errors.Is(err, sql.ErrNoRows) {
			return generation, s.translate(err)
		}
	}
	err = s.inTx(ctx, func(t *tx) error {
		return t.storeVerified(ctx, e.Verified, func() (err error) {
			generation, err = t.elevate(ctx, e)
			return err
		})
	})
	return generation, err
}

// Consent implements storage.ActionStore.
func (s *Store) Consent(ctx context.Context, v storage.Verified) error {
	if s.inOne(v) {
		_, err := s.verifyInOne(ctx, v, nil)
		if !errors.Is(err, sql.ErrNoRows) {
			return s.translate(err)
		}
	}
	return s.inTx(ctx, func(t *tx) error {
		return t.storeVerified(ctx, v, func() error { return t.lockSession(ctx, v) })
	})
}

// storeVerified stores v in steps, each with its own error. hold keeps the session live
// until the end of the transaction.
func (t *tx) storeVerified(ctx context.Context, v storage.Verified, hold func() error) error {
	if v.Also != nil {
		// Lock the user first, in the same order as every other transaction that
		// locks both rows.
		if _, err := t.LockUser(ctx, v.UserID); err != nil {
			return err
		}
	}
	if err := t.SpendChallenge(ctx, v.Spent); err != nil {
		return err
	}
	used, err := t.usePasskey(ctx, v.Use)
	if err != nil {
		return err
	}
	if !used {
		return storage.ErrPasskeyStale
	}
	if err := hold(); err != nil {
		return notFound(err)
	}
	if err := t.RecordEvents(ctx, v.Events); err != nil || v.Also == nil {
		return err
	}
	return v.Also(t)
}

// Elevate implements storage.SessionTx.
func (t *tx) Elevate(ctx context.Context, e storage.Elevation) (int64, error) {
	generation, err := t.elevate(ctx, e)
	return generation, notFound(err)
}

// elevate stores the step-up of e in its session, which may have ended since it was read.
func (t *tx) elevate(ctx context.Context, e storage.Elevation) (generation int64, err error) {
	err = t.QueryRowContext(ctx, `
		UPDATE {sessions} AS s SET full_at = $1, last_seen_at = $1, rotated_at = $1, generation = generation + 2,
		       raised_generation = generation + 2, full_passkey_id = $4, last_passkey_id = $4, full_hardware = $5, expires_at = $6
		WHERE s.id = $2 AND s.user_id = $3 AND `+isLive+`
		RETURNING generation`,
		e.Use.At, e.SessionID, e.UserID, e.Use.PasskeyID, e.Hardware, e.ExpiresAt).Scan(&generation)
	return generation, err
}

// lockSession locks the session of v, if it is live.
func (t *tx) lockSession(ctx context.Context, v storage.Verified) error {
	return t.QueryRowContext(ctx, `
		SELECT 1 FROM {sessions} s WHERE s.id = $2 AND s.user_id = $3 AND `+isLive+t.dialect.RowLock,
		v.Use.At, v.SessionID, v.UserID).Scan(new(int))
}

// inOne reports whether verifyInOne can store v: it has one event, and recording it only
// adds a row.
func (s *Store) inOne(v storage.Verified) bool {
	return s.dialect.WritesInWith && v.Also == nil && len(v.Events) == 1 && !trims(v.Events[0])
}

// verifyInOne stores v, and the step-up e in its session where e is not nil, in one statement, or stores
// nothing and returns sql.ErrNoRows. The statement does not tell which condition failed; the
// transaction, which is tried next, does.
//
// A WITH that has changed one table is not undone if a condition on another table fails. So the
// statement first locks the rows that it checks, in the order of the transaction, and changes
// them only if all conditions hold. A locked row does not change in between.
func (s *Store) verifyInOne(ctx context.Context, v storage.Verified, e *storage.Elevation) (generation int64, err error) {
	statement, args := inOneStatement(v, e)
	err = s.retried(ctx, func(ctx context.Context) error {
		return s.write.QueryRowContext(ctx, statement, args...).Scan(&generation)
	})
	return generation, err
}

func inOneStatement(v storage.Verified, e *storage.Elevation) (statement string, args []any) {
	arg := func(value any) string {
		args = append(args, value)
		return `$` + strconv.Itoa(len(args))
	}
	at, session, user, passkey := arg(v.Use.At), arg(v.SessionID), arg(v.UserID), arg(v.Use.PasskeyID)
	count := arg(int64(v.Use.SignCount))
	statement = `
		WITH passkey AS MATERIALIZED (
			SELECT id FROM {passkeys} WHERE id = ` + passkey + ` AND ` + counterGrows(count) + ` FOR UPDATE
		), session AS MATERIALIZED (
			SELECT s.id FROM {sessions} s
			WHERE EXISTS (SELECT 1 FROM passkey) AND s.id = ` + session + ` AND s.user_id = ` + user + ` AND ` + isLive + `
			FOR UPDATE
		)`
	held := `session` // has a row if all conditions hold
	if v.Spent != nil {
		statement += `, spent AS (
			INSERT INTO {used_challenges} (digest, expires_at)
			SELECT ` + arg(v.Spent.Digest[:]) + `, ` + arg(v.Spent.Until) + ` FROM session
			ON CONFLICT (digest) DO NOTHING RETURNING digest
		)`
		held = `spent`
	}
	event := v.Events[0]
	statement += `, used AS (
			UPDATE {passkeys} SET sign_count = ` + count + `, flags = ` + arg(int16(v.Use.Flags)) + `, last_used_at = ` + at + `,
			       attested = attested AND NOT CAST(` + arg(v.Use.BackupChanged) + ` AS BOOLEAN)
			WHERE id = ` + passkey + ` AND EXISTS (SELECT 1 FROM ` + held + `)
		), recorded AS (
			INSERT INTO {events} (` + eventColumns + `)
			SELECT ` + joined(eventValues(event), arg) + `
			FROM ` + held + `
		)`
	if e == nil {
		return statement + ` SELECT 0 FROM ` + held, args
	}
	return statement + `, elevated AS (
			UPDATE {sessions} SET full_at = ` + at + `, last_seen_at = ` + at + `, rotated_at = ` + at + `,
			       generation = generation + 2, raised_generation = generation + 2,
			       full_passkey_id = ` + passkey + `, last_passkey_id = ` + passkey + `,
			       full_hardware = ` + arg(e.Hardware) + `, expires_at = ` + arg(e.ExpiresAt) + `
			WHERE id = ` + session + ` AND EXISTS (SELECT 1 FROM ` + held + `)
			RETURNING generation
		) SELECT generation FROM elevated`, args
}
