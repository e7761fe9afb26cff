package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stepkey/stepkey/internal/gcra"
	"github.com/stepkey/stepkey/sqlstore/internal/engine"
	"github.com/stepkey/stepkey/storage"
)

// Charge implements storage.Limiter. If a bucket refuses, the transaction is rolled back, and
// a query finds out how long to wait. So a refusal costs no write, however many there are.
func (s *Store) Charge(ctx context.Context, charges ...storage.Charge) (time.Duration, error) {
	if len(charges) == 0 {
		return 0, nil
	}
	now := s.Now().UnixMicro()
	err := s.charge(ctx, charges, now)
	if errors.Is(err, errRefused) {
		ctx, cancel := s.bounded(ctx)
		defer cancel()
		return s.longestWait(ctx, charges, now)
	}
	return 0, err
}

func (s *Store) charge(ctx context.Context, charges []storage.Charge, now int64) error {
	if len(charges) != 1 {
		return s.inTxOn(ctx, s.lossy, func(t *tx) error { return chargeBuckets(ctx, t, charges, now) })
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return s.translate(chargeBuckets(ctx, s.lossy, charges, now))
}

// errRefused is for a bucket that does not hold enough.
var errRefused = errors.New("sqlstore: a bucket does not hold enough")

// chargeBuckets is gcra.Rate.Charge for several buckets as one SQL statement. A bucket without a
// row is full. If one refuses, others may have been charged, and the transaction must be rolled
// back. They are charged in the order of their names, so that two calls cannot deadlock.
func chargeBuckets(ctx context.Context, q engine.Queryer, charges []storage.Charge, now int64) error {
	args := []any{now}
	for _, c := range inOrder(charges) {
		step, size := rate(c).Step(c.Cost), rate(c).Size()
		args = append(args, c.Bucket, step, now+size-step)
	}
	result, err := q.ExecContext(ctx, `
		WITH charges (bucket, step, most) AS (VALUES `+buckets(len(charges), 2, "TEXT", "BIGINT", "BIGINT")+`)
		INSERT INTO {rate_limits} AS b (bucket, full_at)
		SELECT bucket, $1 + step FROM charges WHERE true
		ON CONFLICT (bucket) DO UPDATE
		SET full_at = CASE WHEN b.full_at > $1 THEN b.full_at - $1 ELSE 0 END + excluded.full_at
		WHERE b.full_at <= (SELECT c.most FROM charges c WHERE c.bucket = b.bucket)`, args...)
	if err != nil {
		return err
	}
	if charged, err := result.RowsAffected(); err != nil || charged == int64(len(charges)) {
		return err
	}
	return errRefused
}

// Refund implements storage.Limiter.
func (s *Store) Refund(ctx context.Context, charges ...storage.Charge) error {
	if len(charges) == 0 {
		return nil
	}
	var args []any
	for _, c := range inOrder(charges) {
		args = append(args, c.Bucket, rate(c).Step(c.Cost))
	}
	refunds := `(VALUES ` + buckets(len(charges), 1, "TEXT", "BIGINT") + `)`
	return s.translate(s.retried(ctx, func(ctx context.Context) error {
		_, err := s.lossy.ExecContext(ctx, `
			WITH refunds (bucket, step) AS `+refunds+`
			UPDATE {rate_limits} SET full_at = full_at - (SELECT r.step FROM refunds r WHERE r.bucket = {rate_limits}.bucket)
			WHERE bucket IN (SELECT bucket FROM refunds)`, args...)
		return err
	}))
}

// inOrder sorts charges by bucket.
func inOrder(charges []storage.Charge) []storage.Charge {
	return slices.SortedFunc(slices.Values(charges), func(a, b storage.Charge) int { return cmp.Compare(a.Bucket, b.Bucket) })
}

// buckets are the rows of a VALUES with columns of these types. The number of the first argument is first.
func buckets(n, first int, types ...string) string {
	rows := make([]string, n)
	for i := range rows {
		columns := make([]string, len(types))
		for j, t := range types {
			columns[j] = fmt.Sprintf("CAST($%d AS %s)", first+i*len(types)+j, t)
		}
		rows[i] = "(" + strings.Join(columns, ", ") + ")"
	}
	return strings.Join(rows, ", ")
}

// longestWait is how long it will be until all buckets hold enough. A refund may
// have filled them meanwhile; then it is the shortest wait that there is.
func (s *Store) longestWait(ctx context.Context, charges []storage.Charge, now int64) (time.Duration, error) {
	longest := int64(1)
	for _, c := range charges {
		var fullAt int64
		err := s.read.QueryRowContext(ctx, `SELECT full_at FROM {rate_limits} WHERE bucket = $1`, c.Bucket).Scan(&fullAt)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, s.translate(err)
		}
		_, wait := rate(c).Charge(fullAt, now, c.Cost)
		longest = max(longest, wait)
	}
	return time.Duration(longest) * time.Microsecond, nil
}

func rate(c storage.Charge) gcra.Rate { return gcra.New(c.Limit.Burst, c.Limit.Every) }
