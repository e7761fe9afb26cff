package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/stepkey/stepkey/storage"
)

// chargeAttempt counts an attempt if there is no wait. The first attempts leave
// blocked_until at 0 and not at their own time, because a later one of several
// concurrent attempts may be counted first. After those, the wait doubles by
// shifting, which is bounded before it can overflow.
const chargeAttempt = `
	INSERT INTO {login_attempts} AS a (key, known, failures, in_a_row, blocked_until, last_at, forget_at)
	VALUES ($1, $2, 1, 1, 0, $3, $9)
	ON CONFLICT (key) DO UPDATE SET
		failures = a.failures + 1,
		in_a_row = ` + inARow + `,
		blocked_until = CASE
			WHEN ` + inARow + ` < $4 THEN 0
			WHEN ` + inARow + ` - $4 > 20 THEN $3 + CAST($6 AS BIGINT)
			WHEN CAST($5 AS BIGINT) << (` + inARow + ` - $4) > $6 THEN $3 + CAST($6 AS BIGINT)
			ELSE $3 + (CAST($5 AS BIGINT) << (` + inARow + ` - $4)) END,
		last_at = $3,
		known = $2,
		forget_at = $9
	WHERE a.blocked_until <= $3 AND a.failures < $8
	RETURNING failures, blocked_until`

// inARow is the number of attempts in a row, including this one.
const inARow = `(CASE WHEN a.last_at <= $3 - $7 THEN 1 ELSE a.in_a_row + 1 END)`

// ChargeAttempt implements storage.Store.
func (s *Store) ChargeAttempt(ctx context.Context, a storage.Attempt) (storage.Attempts, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	now := a.At.UnixMicro()
	var failures int
	var until int64
	err := s.write.QueryRowContext(ctx, chargeAttempt, a.Key[:], a.Known, now,
		storage.FreeAttempts, storage.FirstWait.Microseconds(), storage.MaxWait.Microseconds(),
		storage.AttemptMemory.Microseconds(), storage.MaxAttempts, forgetAt(a)).Scan(&failures, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return s.blocked(ctx, a)
	}
	if err != nil {
		return storage.Attempts{}, s.translate(err)
	}
	return storage.Attempts{Charged: true, Failures: failures, Wait: wait(failures, until, now)}, nil
}

// forgetAt returns when the count of an attempt can be deleted, or nil if it lasts
// as long as the account.
func forgetAt(a storage.Attempt) *int64 {
	var at int64
	switch {
	case !a.Until.IsZero():
		at = a.Until.UnixMicro()
	case !a.Known:
		at = a.At.Add(keepUnknown).UnixMicro()
	default:
		return nil
	}
	return &at
}

// blocked returns how long an attempt that was not charged has to wait.
func (s *Store) blocked(ctx context.Context, a storage.Attempt) (storage.Attempts, error) {
	var failures int
	var until int64
	err := s.read.QueryRowContext(ctx,
		`SELECT failures, blocked_until FROM {login_attempts} WHERE key = $1`, a.Key[:]).Scan(&failures, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return storage.Attempts{Wait: time.Second}, nil // reset a moment ago
	}
	if err != nil {
		return storage.Attempts{}, s.translate(err)
	}
	return storage.Attempts{Failures: failures, Wait: max(wait(failures, until, a.At.UnixMicro()), time.Microsecond)}, nil
}

func wait(failures int, until, now int64) time.Duration {
	if failures >= storage.MaxAttempts {
		return storage.MaxWait
	}
	return time.Duration(max(0, until-now)) * time.Microsecond
}

// RefundAttempt implements storage.Store. There was no wait when the attempt was
// charged, so there is none after the refund, unless others were charged since.
func (s *Store) RefundAttempt(ctx context.Context, a storage.Attempt) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	_, err := s.write.ExecContext(ctx, `
		UPDATE {login_attempts} SET failures = failures - 1, in_a_row = in_a_row - 1,
		       blocked_until = CASE WHEN last_at = $2 THEN 0 ELSE blocked_until END
		WHERE key = $1 AND failures > 0 AND in_a_row > 0`, a.Key[:], a.At.UnixMicro())
	return s.translate(err)
}

// ForgetAttempts implements storage.Tx.
func (t *tx) ForgetAttempts(ctx context.Context, key storage.AttemptKey, keepWaits bool) error {
	statement := `DELETE FROM {login_attempts} WHERE key = $1`
	if keepWaits {
		statement = `UPDATE {login_attempts} SET failures = 0 WHERE key = $1`
	}
	_, err := t.ExecContext(ctx, statement, key[:])
	return err
}
