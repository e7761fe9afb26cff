// Package redisstore keeps outstanding challenges and counts attempts in Redis or
// Valkey, for instances that would rather not ask their database for that.
//
//	store, err := redisstore.Open(ctx, "rediss://stepkey:password@redis:6379/0", redisstore.Options{})
//
// A [Store] is a storage.Challenges and a storage.Limiter. It needs Redis 6.2 or any
// Valkey, and of an ACL user the commands EVAL, EVALSHA, PING and INFO, those in the
// scripts, and the keys stepkey:*.
//
// # What is kept
//
// Nothing that has to outlive Redis, and nothing that lets its reader in: the SHA-256
// of challenges with the state of their ceremony, and when buckets will be full.
// Every key carries a TTL. If all is lost, ceremonies that were under way begin
// anew and limits start from full buckets. If an old snapshot comes back,
// stepkey.Service still takes no challenge twice, since its own store remembers.
//
//	stepkey:challenges:<session id>  hash: purpose, user and digest → number, expiry and state
//	stepkey:limit:<bucket>           when the bucket will be full, in microseconds
//
// # Decisions
//
// Each is one script and one round trip, atomic, by the time of the server: clocks of
// instances do not matter.
//
// # Faults
//
// Every operation ends within Options.Timeout. What cannot be done, whatever the reason
// (no connection, no answer, no memory, a read-only replica, a server that loads its
// data), is storage.ErrUnavailable; nothing may be concluded from it. The client
// connects again by itself. An operation that was given up may still be carried out
// later: a challenge may be used up, an attempt counted.
//
// Redis must not evict: a bucket that is dropped gives its guesses back. A server
// with a limit of memory needs maxmemory-policy noeviction, which refuses when it is
// full; see [Store.EvictionPolicy].
//
// # Not supported
//
// Redis Cluster, since the buckets of one decision lie in different slots. [Open]
// refuses it.
package redisstore
