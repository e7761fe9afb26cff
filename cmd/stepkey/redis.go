package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/redisstore"
)

// openRedis stores challenges and counts in Redis if it is configured. The caller
// must call close at the end.
func (c *settings) openRedis(ctx context.Context, log *slog.Logger, config *stepkey.Config) (closeRedis func(), err error) {
	if c.RedisURL == "" {
		return func() {}, nil
	}
	store, err := redisstore.Open(ctx, c.RedisURL.Reveal(), redisstore.Options{Timeout: c.RedisTimeout})
	if err != nil {
		return nil, fmt.Errorf("cannot use the Redis of REDIS_URL: %w", err)
	}
	policy, evicts, err := store.EvictionPolicy(ctx)
	switch {
	case err != nil:
		log.Warn("cannot read maxmemory-policy from Redis. It must be noeviction", "error", err)
	case evicts:
		log.Warn("Redis evicts keys when its memory is full, and with them the counts of wrong passwords: "+
			"set maxmemory-policy to noeviction", "policy", policy)
	}
	config.Challenges, config.Limiter = store, store
	return store.Close, nil
}
