package sqlstore

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// recoveryRow is the recovery in a user's row: both columns are NULL or
// neither.
type recoveryRow struct{ startedAt, readyAt *time.Time }

func (r recoveryRow) pending() *storage.PendingRecovery {
	if r.startedAt == nil || r.readyAt == nil {
		return nil
	}
	return &storage.PendingRecovery{StartedAt: r.startedAt.UTC(), ReadyAt: r.readyAt.UTC()}
}

// RecoveryCodes implements storage.RecoveryStore. All codes of a user have the same
// time. In SQLite a maximum has no column type, so the count is a separate query.
func (s *Store) RecoveryCodes(ctx context.Context, userID uuid.UUID) (left int, createdAt *time.Time, err error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, `SELECT created_at FROM {recovery_codes} WHERE user_id = $1`, userID)
	if err != nil {
		return 0, nil, s.translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var at time.Time
		if err := rows.Scan(&at); err != nil {
			return 0, nil, s.translate(err)
		}
		left, createdAt = left+1, utc(&at)
	}
	return left, createdAt, s.translate(rows.Err())
}

// ReplaceRecoveryCodes implements storage.RecoveryTx.
func (t *tx) ReplaceRecoveryCodes(
	ctx context.Context, userID uuid.UUID, codes []storage.RecoveryCodeDigest, at time.Time,
) error {
	if _, err := t.ExecContext(ctx, `DELETE FROM {recovery_codes} WHERE user_id = $1`, userID); err != nil {
		return err
	}
	for _, code := range codes {
		_, err := t.ExecContext(ctx,
			`INSERT INTO {recovery_codes} (digest, user_id, created_at) VALUES ($1, $2, $3)`, code[:], userID, at)
		if err != nil {
			return err
		}
	}
	return nil
}

// SpendRecoveryCode implements storage.RecoveryTx.
func (t *tx) SpendRecoveryCode(ctx context.Context, userID uuid.UUID, code storage.RecoveryCodeDigest) (bool, error) {
	return changed(ctx, t, `DELETE FROM {recovery_codes} WHERE user_id = $1 AND digest = $2`, userID, code[:])
}

// BeginRecovery implements storage.RecoveryTx.
func (t *tx) BeginRecovery(ctx context.Context, userID uuid.UUID, p storage.PendingRecovery) error {
	_, err := t.ExecContext(ctx, `UPDATE {users} SET recovery_started_at = $1, recovery_ready_at = $2 WHERE id = $3`,
		p.StartedAt, p.ReadyAt, userID)
	return err
}

// CancelRecovery implements storage.RecoveryTx.
func (t *tx) CancelRecovery(ctx context.Context, userID uuid.UUID) (bool, error) {
	return changed(ctx, t, `UPDATE {users} SET recovery_started_at = NULL, recovery_ready_at = NULL
		WHERE id = $1 AND recovery_ready_at IS NOT NULL`, userID)
}

// TrustPassword implements storage.RecoveryTx.
func (t *tx) TrustPassword(ctx context.Context, userID uuid.UUID) error {
	_, err := t.ExecContext(ctx, `UPDATE {users} SET password_by_mail = FALSE, password_by_mail_at = NULL WHERE id = $1`, userID)
	return err
}

// DropWaitingPasskeys implements storage.RecoveryTx.
func (t *tx) DropWaitingPasskeys(ctx context.Context, userID uuid.UUID, now time.Time) (map[uuid.UUID]string, error) {
	rows, err := t.QueryContext(ctx,
		`DELETE FROM {passkeys} WHERE user_id = $1 AND usable_from > $2 RETURNING id, name`, userID, now)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	dropped := map[uuid.UUID]string{}
	for rows.Next() {
		var id uuid.UUID
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		dropped[id] = name
	}
	return dropped, rows.Err()
}

// DropMail implements storage.RecoveryTx.
func (t *tx) DropMail(ctx context.Context, userID uuid.UUID, kinds ...storage.MailKind) error {
	in, args := inList(kinds, userID)
	_, err := t.ExecContext(ctx, `DELETE FROM {outbox} WHERE user_id = $1 AND kind IN `+in, args...)
	return err
}

// inList makes the list behind IN, whose placeholders follow those of before, and returns
// before with texts.
func inList[T ~string](texts []T, before ...any) (in string, args []any) {
	args = before
	for _, text := range texts {
		args = append(args, string(text))
		in += `, $` + strconv.Itoa(len(args))
	}
	return `(` + in[2:] + `)`, args
}
