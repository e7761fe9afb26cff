package throttle

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/stepkey/stepkey/storage"
)

const (
	// turnWait is how long one operation waits at most, unless its context ends earlier.
	turnWait = 10 * time.Second

	// turnRetry is when a client may come back that found too many waiting.
	turnRetry = time.Second
)

// Turns lets few operations with one key run at once. The others wait in order, without a
// connection. It is safe for concurrent use.
type Turns struct {
	atOnce, waiting int
	refuse          func(wait time.Duration) error

	mu   sync.Mutex
	keys map[any]*queue
}

// queue holds the operations with one key.
type queue struct {
	running int
	waiting []chan struct{}
}

// NewTurns makes Turns. refuse makes the error for a client that has to wait.
func NewTurns(refuse func(wait time.Duration) error) *Turns {
	return &Turns{atOnce: maxTurns, waiting: maxWaiting, refuse: refuse, keys: make(map[any]*queue)}
}

// take waits for a turn, which leave ends. Cancelling ctx does not end the wait, only its
// deadline does: whether a client has gone does not decide what happens to its request. If too
// many wait already, take refuses. A wait that is too long means that the store is slow, since
// those ahead are few: take returns storage.ErrUnavailable.
func (t *Turns) take(ctx context.Context, key any) (leave func(), err error) {
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
		return nil, storage.ErrUnavailable
	}
}

// enter takes a turn, or a place in the queue, whose channel is closed when its turn comes.
func (t *Turns) enter(key any) (turn chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.keys[key]
	if q == nil {
		q = &queue{}
		t.keys[key] = q
	}
	if q.running < t.atOnce {
		q.running++
		return nil, nil
	}
	if len(q.waiting) >= t.waiting {
		return nil, t.refuse(turnRetry)
	}
	turn = make(chan struct{})
	q.waiting = append(q.waiting, turn)
	return turn, nil
}

// leave hands the turn to the operation that has waited longest.
func (t *Turns) leave(key any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leaveLocked(key)
}

func (t *Turns) leaveLocked(key any) {
	q := t.keys[key]
	if len(q.waiting) > 0 {
		close(q.waiting[0])
		q.waiting = q.waiting[1:]
		return
	}
	if q.running--; q.running == 0 {
		delete(t.keys, key)
	}
}

// giveUp leaves the queue, or hands on a turn that has come meanwhile.
func (t *Turns) giveUp(key any, turn chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.keys[key]
	if i := slices.Index(q.waiting, turn); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return
	}
	t.leaveLocked(key)
}
