package password

import (
	"container/list"
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// ErrOverloaded is the kind of a [Gate]'s refusals, each of which is an
// [*OverloadedError].
var ErrOverloaded = errors.New("password: too many hashes at once")

// OverloadedError says when to try again.
type OverloadedError struct {
	// RetryAfter is a whole number of seconds from 1 to 5. Consecutive refusals
	// get different values, so that a burst does not come back as a burst.
	RetryAfter time.Duration
}

// Error implements error.
func (e *OverloadedError) Error() string { return ErrOverloaded.Error() }

// Unwrap makes errors.Is find [ErrOverloaded].
func (e *OverloadedError) Unwrap() error { return ErrOverloaded }

const (
	maxRetryAfter = 5 // seconds

	// firstEstimate is the assumed duration of a hash until one has been measured.
	firstEstimate = 50 * time.Millisecond

	// averageOver is the weight of the past in the moving average of durations.
	averageOver = 8
)

// DefaultSlots returns the default number of hashes that run at once: at least
// one, and one less than the CPUs that the process may use, so that a flood of
// sign-ins leaves one CPU for everything else.
func DefaultSlots() int { return max(1, runtime.GOMAXPROCS(0)-1) }

// DefaultMaxWait is the default maximum wait.
const DefaultMaxWait = 1500 * time.Millisecond

// Lane is one of the gate's queues.
type Lane int

// The lanes. Callers in the reserved lane only wait for each other, so a flood
// of strangers does not delay known users. The open lane still gets one of four
// turns, so that somebody who keeps signing in cannot block it.
const (
	LaneOpen Lane = iota
	LaneReserved

	lanes         = 2
	reservedTurns = 3 // in a row while somebody waits in the open lane
)

// Gate bounds how many hashes run at once. Each lane is first in, first out. It is
// safe for concurrent use.
//
// A caller that does other work before the hash, such as a look-up, first takes a
// [Place] with [Gate.Enter]: a flood is then refused before it costs anything, and
// the other work is bounded as well.
type Gate struct {
	slots   int
	maxWait time.Duration

	mu        sync.Mutex
	running   int
	preparing [lanes]int       // places whose owners are not ready to hash yet
	waiting   [lanes]list.List // of chan struct{}, closed when its owner may run
	reserved  int              // turns that went to the reserved lane in a row
	held      map[string]int   // places of each key; see Share

	alone    chan struct{} // holds one element while a hash of DoAlone runs
	average  time.Duration
	refusals int
}

// NewGate returns a Gate that runs at most slots hashes at once and lets no
// caller wait longer than maxWait. Fewer than one slot counts as one.
func NewGate(slots int, maxWait time.Duration) *Gate {
	return &Gate{slots: max(1, slots), maxWait: maxWait, average: firstEstimate, held: make(map[string]int), alone: make(chan struct{}, 1)}
}

// Enter takes a place in a lane. It returns [ErrShareTaken] if one of shares is used up,
// and an [*OverloadedError] if the lane already holds more than maxWait of work, as
// measured on recent hashes. Callers wait in the order of [Place.Do]. The caller must
// call Leave on the place.
func (g *Gate) Enter(lane Lane, shares ...Share) (*Place, error) {
	p := &Place{gate: g, lane: lane}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := p.enter(shares); err != nil {
		return nil, err
	}
	return p, nil
}

// Admit returns the [*OverloadedError] that Enter would return now, and takes no place.
func (g *Gate) Admit(lane Lane) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.room(lane)
}

// room returns an error if a lane holds as much as it may. The caller holds the mutex.
func (g *Gate) room(lane Lane) error {
	if g.queued(lane) > g.maxWait {
		return g.overloaded()
	}
	return nil
}

// enter is [Gate.Enter] for a place that holds nothing. The caller holds the
// mutex.
func (p *Place) enter(shares []Share) error {
	if !p.gate.takeShares(shares) {
		return ErrShareTaken
	}
	if err := p.queue(); err != nil {
		p.gate.leaveShares(shares)
		return err
	}
	p.shares = shares
	return nil
}

// queue counts the place among those that are not ready. The caller holds the
// mutex.
func (p *Place) queue() error {
	g := p.gate
	if err := g.room(p.lane); err != nil {
		return err
	}
	g.preparing[p.lane]++
	p.preparing = true
	return nil
}

// Do is [Gate.Enter] followed by [Place.Do].
func (g *Gate) Do(ctx context.Context, lane Lane, work func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	place, err := g.Enter(lane)
	if err != nil {
		return err
	}
	defer place.Leave()
	return place.Do(ctx, work)
}

// Place is permission to run one hash. It is for one goroutine.
type Place struct {
	gate      *Gate
	lane      Lane
	preparing bool
	shares    []Share // held until Leave
}

// Move exchanges the place for one in another lane with those shares. If there is none, it
// returns the error of [Gate.Enter] and the place is lost. It does nothing if the place is
// already in that lane. Call it before Do.
func (p *Place) Move(lane Lane, shares ...Share) error {
	if p.lane == lane {
		return nil
	}
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.leave()
	p.lane = lane
	return p.enter(shares)
}

// StepAside gives up the place in the lane and keeps the shares. A caller that has to
// wait for something else before Do calls StepAside and then Return, so that no one
// waits for it.
func (p *Place) StepAside() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.prepared()
}

// Return takes a place in the same lane again after StepAside, or returns an
// [*OverloadedError].
func (p *Place) Return() error {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	return p.queue()
}

// Leave gives up the shares, and the place unless Do has used it. The shares are held
// beyond Do, so that they do not reveal how long the hash took: call Leave when answering.
func (p *Place) Leave() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.leave()
}

// leave is Leave for callers that hold the mutex.
func (p *Place) leave() {
	p.prepared()
	p.gate.leaveShares(p.shares)
	p.shares = nil
}

// prepared stops counting the place among those that are not ready. The caller holds
// the mutex.
func (p *Place) prepared() {
	if p.preparing {
		p.gate.preparing[p.lane]--
		p.preparing = false
	}
}

// Do runs work on the caller's goroutine as soon as a slot is free and returns
// nil once it has ended. Otherwise work did not run, and the error is
//
//   - an [*OverloadedError]: the caller has waited for maxWait.
//   - ctx.Err(): ctx was done before work began.
//
// ctx is ignored once work runs. A hash cannot be stopped, so its slot is taken
// until it ends, even if the client has left: otherwise opening and dropping
// connections would start any number of hashes. A place is valid for one Do.
func (p *Place) Do(ctx context.Context, work func()) error {
	return p.do(ctx, p.gate.maxWait, work)
}

// DoAlone is Do for an expensive hash. Only one of those runs at a time, however many
// slots there are: together they take the memory of one, and leave the other slots to
// cheap hashes.
func (p *Place) DoAlone(ctx context.Context, work func()) error {
	began := time.Now()
	timer := time.NewTimer(p.gate.maxWait)
	defer timer.Stop()
	select {
	case p.gate.alone <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		p.gate.mu.Lock()
		defer p.gate.mu.Unlock()
		return p.gate.overloaded()
	}
	defer func() { <-p.gate.alone }()
	return p.do(ctx, p.gate.maxWait-time.Since(began), work)
}

func (p *Place) do(ctx context.Context, wait time.Duration, work func()) error {
	if err := p.acquire(ctx, wait); err != nil {
		return err
	}
	start := time.Now()
	defer func() { p.gate.release(time.Since(start)) }()
	work()
	return nil
}

func (p *Place) acquire(ctx context.Context, wait time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	waiter := p.line()
	if waiter == nil {
		return nil
	}
	turn := waiter.Value.(chan struct{})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		return p.gate.quit(p.lane, waiter, ctx.Err())
	case <-timer.C:
		return p.gate.quit(p.lane, waiter, nil)
	}
}

// line takes a slot if one is free, and joins the queue otherwise.
func (p *Place) line() *list.Element {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	p.prepared()
	if g.running < g.slots {
		g.running++
		return nil
	}
	return g.waiting[p.lane].PushBack(make(chan struct{}))
}

// quit gives up a place in the queue, because of cause or, if that is nil,
// after too long a wait. If the turn came at the same moment, the slot is
// handed on.
func (g *Gate) quit(lane Lane, place *list.Element, cause error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-place.Value.(chan struct{}):
		g.handOn()
	default:
		g.waiting[lane].Remove(place)
	}
	if cause != nil {
		return cause
	}
	return g.overloaded()
}

func (g *Gate) release(took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.average += (took - g.average) / averageOver
	g.handOn()
}

// handOn gives a free slot to the first in a lane. The slot counts as running
// while it changes hands, so that no newcomer overtakes those who wait.
func (g *Gate) handOn() {
	lane := &g.waiting[g.nextLane()]
	first := lane.Front()
	if first == nil {
		g.running--
		return
	}
	close(lane.Remove(first).(chan struct{}))
}

// nextLane returns the lane whose turn it is.
func (g *Gate) nextLane() Lane {
	open, reserved := g.waiting[LaneOpen].Len(), g.waiting[LaneReserved].Len()
	if reserved == 0 || open > 0 && g.reserved >= reservedTurns {
		g.reserved = 0
		return LaneOpen
	}
	g.reserved++
	return LaneReserved
}

// queued estimates how long another caller would wait.
func (g *Gate) queued(lane Lane) time.Duration {
	ahead := g.waiting[LaneReserved].Len() + g.preparing[LaneReserved]
	if lane == LaneOpen {
		ahead += g.waiting[LaneOpen].Len() + g.preparing[LaneOpen]
	}
	free := g.slots - g.running
	return g.average * time.Duration(max(0, ahead+1-free)) / time.Duration(g.slots)
}

func (g *Gate) overloaded() error {
	g.refusals++
	return &OverloadedError{RetryAfter: time.Duration(1+g.refusals%maxRetryAfter) * time.Second}
}
