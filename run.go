package stepkey

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// sweepEvery is how often what has expired is deleted.
const sweepEvery = time.Minute

// Run does what a service does by itself, until ctx ends: it follows which sessions other
// instances ended and which kinds of password hashes they imported, rotates the signing
// keys, sends mails and has the store delete what has expired. A process that serves
// requests has to call it; without it, guards refuse everybody after 30 seconds.
func (s *Service) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { s.ended.Run(ctx, warnNowAndThen(s.log, "ended sessions not known; trying again")) })
	wg.Go(func() { s.lowered.Run(ctx, warnNowAndThen(s.log, "lowered sessions not known; trying again")) })
	wg.Go(func() { s.keys.Run(ctx, warnNowAndThen(s.log, "signing keys not followed; trying again")) })
	wg.Go(func() {
		s.passwords.FollowOldHashes(ctx, warnNowAndThen(s.log, "kinds of password hashes not known; trying again"))
	})
	wg.Go(func() { s.outbox.Run(ctx, warnNowAndThen(s.log, "mails not sent; trying again")) })
	wg.Go(func() { s.sweep(ctx, warnNowAndThen(s.log, "expired rows not deleted; trying again")) })
	wg.Wait()
}

// sweep has the store swept at once and then regularly.
func (s *Service) sweep(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		if err := s.store.Sweep(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// warnNowAndThen returns a function that logs what failed, at most every ten seconds: what
// is tried twice a second would drown the rest. It may be called by several goroutines.
func warnNowAndThen(log *slog.Logger, message string) func(error) {
	var mu sync.Mutex
	var until time.Time
	return func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.After(until) {
			until = now.Add(10 * time.Second)
			log.Warn(message, "error", err)
		}
	}
}
