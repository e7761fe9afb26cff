package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/stepkey/stepkey/storage"
)

// A session's challenges are one hash. Its entries are numbered, so that their
// order does not depend on a clock, and contain their own expiry, since only keys
// have a TTL. The key's TTL is that of the entry that expires last.

// putScript adds an entry and then removes expired and excess ones. It adds first,
// so that a server without memory refuses before anything is removed.
//
// KEYS: the session. ARGV: field, lifetime in microseconds, cap, state.
const putScript = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local entries = redis.call('HGETALL', KEYS[1])

local expires = now + ARGV[2]
local last, latest, kept, gone = 0, expires, {}, {}
for i = 1, #entries, 2 do
  local number, ends = string.match(entries[i + 1], '^(%d+) (%d+) ')
  number, ends = tonumber(number), tonumber(ends)
  last = math.max(last, number)
  if ends <= now then
    table.insert(gone, entries[i])
  else
    latest = math.max(latest, ends)
    table.insert(kept, {number = number, field = entries[i]})
  end
end
table.sort(kept, function(a, b) return a.number < b.number end)
for i = 1, #kept - (ARGV[3] - 1) do
  table.insert(gone, kept[i].field)
end

redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %.0f ', last + 1, expires) .. ARGV[4])
for _, field in ipairs(gone) do
  redis.call('HDEL', KEYS[1], field)
end
redis.call('PEXPIREAT', KEYS[1], math.ceil(latest / 1000))
return 1`

// takeScript removes an entry and returns its state, or nil.
//
// KEYS: the session. ARGV: field.
const takeScript = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local entry = redis.call('HGET', KEYS[1], ARGV[1])
if not entry then
  return false
end
redis.call('HDEL', KEYS[1], ARGV[1])
local ends, state = string.match(entry, '^%d+ (%d+) (.*)$')
if tonumber(ends) <= now then
  return false
end
return state`

// Put implements storage.Challenges.
func (s *Store) Put(ctx context.Context, key storage.ChallengeKey, state []byte, ttl time.Duration) error {
	return s.run(ctx, s.put, sessionKey(key), []string{
		field(key), strconv.FormatInt(ttl.Microseconds(), 10), strconv.Itoa(storage.MaxChallenges), string(state),
	}).Error()
}

// Take implements storage.Challenges.
func (s *Store) Take(ctx context.Context, key storage.ChallengeKey) ([]byte, error) {
	state, err := s.run(ctx, s.take, sessionKey(key), []string{field(key)}).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, storage.ErrChallengeExpired
	}
	return state, err
}

func sessionKey(key storage.ChallengeKey) []string {
	return []string{"stepkey:challenges:" + key.SessionID.String()}
}

// field contains everything except the session that must match. A request with other
// values finds nothing and removes nothing.
func field(key storage.ChallengeKey) string {
	return string(key.Purpose) + " " + key.UserID.String() + " " + string(key.Digest[:])
}
