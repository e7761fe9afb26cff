package stepkey

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxTurns is how many operations of one account an instance has at the store at once.
	// Most of them wait for the same rows, and each one that waits holds a connection that
	// somebody else could use.
	maxTurns = 2

	// maxWaiting is how many more operations of one account wait. Somebody with twenty open
	// pages that all come back at once stays far below it.
	maxWaiting = 256

	// turnWait is how long one of them waits at most, unless its context ends earlier.
	turnWait = 10 * time.Second

	// turnRetry is what a client is told that comes when too many wait already.
	turnRetry = time.Second
)

// turns lets few operations with one key happen at once and has the others wait in order,
// without a connection. It is safe for concurrent use.
type turns struct {
	atOnce, waiting int

	mu   sync.Mutex
	keys map[any]*queue
}

// queue is those with one key: how many have a turn, and who waits for one.
type queue struct {
	having  int
	waiting []chan struct{}
}

func newTurns() *turns {
	return &turns{atOnce: maxTurns, waiting: maxWaiting, keys: make(map[any]*queue)}
}

// take waits for a turn, which leave ends. It does not end with ctx, only by its deadline:
// whether a client has gone does not decide what happens to its request. Where too many wait
// already it returns a RateLimitedError. Where the wait is too long, the store is slow, since
// those ahead are few: it returns ErrUnavailable.
func (t *turns) take(ctx context.Context, key any) (leave func(), err error) {
	turn, err := t.enter(key)
	if err != nil {
		return nil, err
	}
	leave = func() { t.leave(key) }
	if turn == nil {
		return leave, nil
	}
	wait := turnWait
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-turn:
		return leave, nil
	case <-timer.C:
		t.giveUp(key, turn)
		return nil, ErrUnavailable
	}
}

// enter takes a turn, or a place among those who wait, whose channel is closed when the turn
// comes.
func (t *turns) enter(key any) (turn chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.keys[key]
	if q == nil {
		q = &queue{}
		t.keys[key] = q
	}
	if q.having < t.atOnce {
		q.having++
		return nil, nil
	}
	if len(q.waiting) >= t.waiting {
		return nil, &RateLimitedError{RetryAfter: turnRetry}
	}
	turn = make(chan struct{})
	q.waiting = append(q.waiting, turn)
	return turn, nil
}

// leave hands the turn to the one who has waited longest.
func (t *turns) leave(key any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leaveLocked(key)
}

func (t *turns) leaveLocked(key any) {
	q := t.keys[key]
	if len(q.waiting) > 0 {
		close(q.waiting[0])
		q.waiting = q.waiting[1:]
		return
	}
	if q.having--; q.having == 0 {
		delete(t.keys, key)
	}
}

// giveUp leaves the queue, or gives the turn away that has come meanwhile.
func (t *turns) giveUp(key any, turn chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.keys[key]
	if i := slices.Index(q.waiting, turn); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return
	}
	t.leaveLocked(key)
}
