package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/stepkey/stepkey/internal/gcra"
	"github.com/stepkey/stepkey/storage"
)

// The arithmetic is that of package gcra. Numbers in Lua are exact up to 2^53, which
// in microseconds since 1970 is in the year 2255.

// chargeScript charges all buckets, or none, and returns how long to wait. A bucket's
// key never expires before the bucket is full.
//
// KEYS: the buckets. ARGV: for each of them step and size.
const chargeScript = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full, longest = {}, 0
for i, key in ipairs(KEYS) do
  full[i] = math.max(tonumber(redis.call('GET', key) or 0), now) + ARGV[2 * i - 1]
  longest = math.max(longest, full[i] - now - ARGV[2 * i])
end
if longest > 0 then
  return longest
end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', full[i]), 'PXAT', math.ceil(full[i] / 1000))
end
return 0`

// refundScript undoes a charge. A bucket that is full then has no key.
//
// KEYS: the buckets. ARGV: for each of them step.
const refundScript = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for i, key in ipairs(KEYS) do
  local full = tonumber(redis.call('GET', key) or 0) - ARGV[i]
  if full > now then
    redis.call('SET', key, string.format('%.0f', full), 'PXAT', math.ceil(full / 1000))
  else
    redis.call('DEL', key)
  end
end
return 1`

// Charge implements storage.Limiter.
func (s *Store) Charge(ctx context.Context, charges ...storage.Charge) (time.Duration, error) {
	args := make([]string, 0, 2*len(charges))
	for _, c := range charges {
		args = append(args, decimal(rate(c).Step(c.Cost)), decimal(rate(c).Size()))
	}
	wait, err := s.run(ctx, s.charge, bucketKeys(charges), args).AsInt64()
	return time.Duration(wait) * time.Microsecond, err
}

// Refund implements storage.Limiter.
func (s *Store) Refund(ctx context.Context, charges ...storage.Charge) error {
	args := make([]string, 0, len(charges))
	for _, c := range charges {
		args = append(args, decimal(rate(c).Step(c.Cost)))
	}
	return s.run(ctx, s.refund, bucketKeys(charges), args).Error()
}

func bucketKeys(charges []storage.Charge) []string {
	keys := make([]string, len(charges))
	for i, c := range charges {
		keys[i] = "stepkey:limit:" + c.Bucket
	}
	return keys
}

func rate(c storage.Charge) gcra.Rate { return gcra.New(c.Limit.Burst, c.Limit.Every) }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
