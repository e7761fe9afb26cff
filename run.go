package stepkey

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// sweepEvery is how often expired rows are deleted.
const sweepEvery = time.Minute

// Run runs the service's background work until ctx is done: it follows which sessions
// other instances ended and which kinds of password hashes they imported, rotates the
// signing keys, sends mails, counts failed attempts and has the store delete expired rows. A process that serves
// requests must call it; without it, guards refuse every request after 30 seconds.
func (s *Service) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { s.ended.Run(ctx, warnNowAndThen(s.log, "cannot read ended sessions; trying again")) })
	wg.Go(func() { s.lowered.Run(ctx, warnNowAndThen(s.log, "cannot read lowered sessions; trying again")) })
	wg.Go(func() { s.keys.Run(ctx, warnNowAndThen(s.log, "cannot follow signing keys; trying again")) })
	wg.Go(func() {
		s.passwords.FollowOldHashes(ctx, warnNowAndThen(s.log, "cannot read the kinds of password hashes; trying again"))
	})
	wg.Go(func() { s.outbox.Run(ctx, warnNowAndThen(s.log, "cannot send mails; trying again")) })
	wg.Go(func() { s.tally.Run(ctx, warnNowAndThen(s.log, "cannot count failed attempts; trying again")) })
	wg.Go(func() { s.sweep(ctx, warnNowAndThen(s.log, "cannot delete expired rows; trying again")) })
	wg.Wait()
}

// sweep sweeps the store at once and then regularly.
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

// warnNowAndThen returns a function that logs errors, at most one every ten seconds: a
// failure that repeats twice a second would drown other messages. It may be called by
// several goroutines.
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
