// Package redisstore keeps outstanding challenges and counts attempts in Redis or
// Valkey, to relieve the database.
//
//	store, err := redisstore.Open(ctx, "rediss://stepkey:password@redis:6379/0", redisstore.Options{})
//
// A [Store] is a storage.Challenges and a storage.Limiter. It needs Redis 6.2 or any
// Valkey. An ACL user needs the commands EVAL, EVALSHA, PING and INFO, those in the
// scripts, and the keys stepkey:*.
//
// # Stored data
//
// Redis holds no data that must survive it, and nothing that gives access to a person who
// reads it: the SHA-256 of challenges with the state of their ceremony, and the times
// when buckets will be full. Every key has a TTL. If everything is lost, running
// ceremonies must be started again and limits start with full buckets. If an old
// snapshot is restored, stepkey.Service still takes no challenge twice, because its
// own store remembers them.
//
//	stepkey:challenges:<session id>  hash: purpose, user and digest → number, expiry and state
//	stepkey:limit:<bucket>           when the bucket will be full, in microseconds
//
// # Decisions
//
// Each decision is one atomic script and one round trip, and uses the server's time,
// so the clocks of instances do not matter.
//
// # Faults
//
// Every operation ends within Options.Timeout. Every failure (no connection, no answer,
// no memory, a read-only replica, a server that is loading its data) returns
// storage.ErrUnavailable, from which nothing may be concluded. The client reconnects by
// itself. An operation that timed out may still be carried out later: a challenge may
// be used up, an attempt counted.
//
// Redis must not evict keys: evicting a bucket allows its guesses again. A server
// with a memory limit needs maxmemory-policy noeviction, which refuses writes when
// memory is full; see [Store.EvictionPolicy].
//
// # Not supported
//
// Redis Cluster is not supported, since the buckets of one decision are in
// different slots. [Open] refuses it.
package redisstore
