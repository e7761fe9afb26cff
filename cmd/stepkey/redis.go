package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/redisstore"
)

// openRedis has challenges and counts kept in Redis where there is one. The caller
// calls close at the end.
func (c *serveCommand) openRedis(ctx context.Context, log *slog.Logger, config *stepkey.Config) (closeRedis func(), err error) {
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
		log.Warn("Redis does not say what it does when its memory is full. It has to be noeviction", "error", err)
	case evicts:
		log.Warn("Redis drops keys when its memory is full, and with them the counts of wrong passwords: "+
			"set maxmemory-policy to noeviction", "policy", policy)
	}
	config.Challenges, config.Limiter = store, store
	return store.Close, nil
}
