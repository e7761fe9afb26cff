package sqlstore

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// clock is a Store's source of time.
type clock interface {
	now() time.Time
	stop()
}

type fixedClock func() time.Time

func (c fixedClock) now() time.Time { return c() }
func (c fixedClock) stop()          {}

// resync is how often an instance reads the server's clock. In between it uses
// its own monotonic clock, which drifts by microseconds and is not affected when
// somebody sets the time.
const resync = 15 * time.Second

// follower is the server's time at the last reading, advanced by this machine's
// monotonic clock.
type follower struct {
	ask     func(context.Context) (server, local time.Time, err error)
	timeout time.Duration // of one reading
	last    atomic.Pointer[reading]
	end     context.CancelFunc
	done    sync.WaitGroup
}

type reading struct{ server, local time.Time }

func followServer(
	ctx context.Context, ask func(context.Context) (server, local time.Time, err error), timeout time.Duration,
) (*follower, error) {
	f := &follower{ask: ask, timeout: timeout}
	if err := f.look(ctx); err != nil {
		return nil, err
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f.end = cancel
	f.done.Go(func() { f.follow(background) })
	return f, nil
}

func (f *follower) follow(ctx context.Context) {
	ticker := time.NewTicker(resync)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			// If the server does not answer, the last reading is used until the next
			// attempt.
			_ = f.look(ctx)
		}
	}
}

func (f *follower) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	server, local, err := f.ask(ctx)
	if err != nil {
		return err
	}
	f.last.Store(&reading{server: server, local: local})
	return nil
}

func (f *follower) now() time.Time {
	r := f.last.Load()
	return r.server.Add(time.Since(r.local))
}

func (f *follower) stop() {
	f.end()
	f.done.Wait()
}
