package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/stepkey/stepkey/internal/gcra"
	"github.com/stepkey/stepkey/sqlstore/internal/engine"
	"github.com/stepkey/stepkey/storage"
)

// Charge implements storage.Limiter. Each bucket is one conditional statement. If
// one refuses, the transaction is rolled back, and a query finds out how long to
// wait. So a refusal costs no write, however many there are.
func (s *Store) Charge(ctx context.Context, charges ...storage.Charge) (time.Duration, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	now := s.Now().UnixMicro()
	err := s.eachBucket(ctx, charges, func(q engine.Queryer, c storage.Charge) error { return chargeBucket(ctx, q, c, now) })
	if errors.Is(err, errRefused) {
		return s.longestWait(ctx, charges, now)
	}
	return 0, err
}

// Refund implements storage.Limiter.
func (s *Store) Refund(ctx context.Context, charges ...storage.Charge) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return s.eachBucket(ctx, charges, func(q engine.Queryer, c storage.Charge) error {
		_, err := q.ExecContext(ctx,
			`UPDATE {rate_limits} SET full_at = full_at - $1 WHERE bucket = $2`, rate(c).Step(c.Cost), c.Bucket)
		return err
	})
}

// eachBucket runs a statement for each charge. A single one is committed by
// itself; several run in one transaction, always in the order of their names, so
// that two calls cannot deadlock.
func (s *Store) eachBucket(
	ctx context.Context, charges []storage.Charge, run func(engine.Queryer, storage.Charge) error,
) error {
	if len(charges) == 1 {
		return s.translate(run(s.write, charges[0]))
	}
	sorted := slices.SortedFunc(slices.Values(charges), func(a, b storage.Charge) int {
		return cmp.Compare(a.Bucket, b.Bucket)
	})
	return s.inTx(ctx, func(t *tx) error {
		for _, c := range sorted {
			if err := run(t, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// errRefused is for a bucket that does not hold enough.
var errRefused = errors.New("sqlstore: the bucket does not hold enough")

// chargeBucket is gcra.Rate.Charge as an SQL statement. A bucket without a row is
// full.
func chargeBucket(ctx context.Context, q engine.Queryer, c storage.Charge, now int64) error {
	step, size := rate(c).Step(c.Cost), rate(c).Size()
	charged, err := changed(ctx, q, `
		INSERT INTO {rate_limits} AS b (bucket, full_at) VALUES ($1, $2)
		ON CONFLICT (bucket) DO UPDATE
		SET full_at = CASE WHEN b.full_at > $3 THEN b.full_at + $4 ELSE excluded.full_at END
		WHERE b.full_at <= $5`,
		c.Bucket, now+step, now, step, now+size-step)
	if err == nil && !charged {
		return errRefused
	}
	return err
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
