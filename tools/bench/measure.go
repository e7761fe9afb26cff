package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// turns is how many parts a round has. Loads take turns after each of them, a tenth of a second or less, so that a machine that
// becomes slower meanwhile slows all of them alike.
const turns = 10

// load is a number of operations to run against one server.
type load struct {
	pid     int
	beside  int // another process whose CPU time counts, too; 0 for none
	n       int // operations in a round, over all workers
	workers int // concurrent loops, each with a connection of its own
	do      func(ctx context.Context, worker int) error
}

// turn is how many operations each worker runs before it is another load's turn.
func (l load) turn() int { return max(1, l.n/l.workers/turns) }

// run has each worker run that many operations and returns the server's CPU time for all of them.
func (l load) run(ctx context.Context, operations int) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, fmt.Errorf("a turn takes more than a minute"))
	defer cancel()

	before, err := l.cpuTime()
	if err != nil {
		return 0, err
	}
	failures := make([]error, l.workers)
	var wg sync.WaitGroup
	for worker := range l.workers {
		wg.Go(func() {
			for range operations {
				if failures[worker] = l.do(ctx, worker); failures[worker] != nil {
					cancel()
					return
				}
			}
		})
	}
	wg.Wait()
	if err := firstCause(failures); err != nil {
		return 0, err
	}
	after, err := l.cpuTime()
	return after - before, err
}

// cpuTime is what the processes have used so far.
func (l load) cpuTime() (time.Duration, error) {
	own, err := cpuTime(l.pid)
	if err != nil || l.beside == 0 {
		return own, err
	}
	other, err := cpuTime(l.beside)
	return own + other, err
}

// firstCause returns the first failure that is not the echo of another worker's.
func firstCause(failures []error) error {
	var first error
	for _, err := range failures {
		if err != nil && (first == nil || errors.Is(first, context.Canceled)) {
			first = err
		}
	}
	return first
}

// sample holds the CPU times of both servers, one of each for every round.
type sample struct {
	ours, bare []time.Duration
}

// compare runs both loads in turns, after one round of each to warm up.
func compare(ctx context.Context, ours, bare load, rounds int) (sample, error) {
	took, err := inTurns(ctx, rounds, ours, bare)
	if err != nil {
		return sample{}, err
	}
	return sample{ours: took[0], bare: took[1]}, nil
}

// inTurns runs loads in turns, after one round of each to warm up, and returns the CPU times of each.
func inTurns(ctx context.Context, rounds int, loads ...load) ([][]time.Duration, error) {
	took := make([][]time.Duration, len(loads))
	for i := range rounds + 1 {
		each, err := round(ctx, loads)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			continue
		}
		for j, t := range each {
			took[j] = append(took[j], t)
		}
	}
	return took, nil
}

// round runs loads in turns and returns the CPU time of an operation of each.
func round(ctx context.Context, loads []load) ([]time.Duration, error) {
	used := make([]time.Duration, len(loads))
	for range turns {
		for i, l := range loads {
			t, err := l.run(ctx, l.turn())
			if err != nil {
				return nil, err
			}
			used[i] += t
		}
	}
	for i, l := range loads {
		used[i] /= time.Duration(turns * l.turn() * l.workers)
	}
	return used, nil
}

// ratios returns ours as a multiple of bare, round by round.
func (s sample) ratios() []float64 {
	r := make([]float64, len(s.ours))
	for i := range r {
		r[i] = float64(s.ours[i]) / float64(s.bare[i])
	}
	return r
}

// spread is the median of some values with the least and the greatest.
type spread[T cmp.Ordered] struct{ median, least, most T }

// spreadOf takes the upper median of an even number of values: the less
// favourable one. There must be at least one value.
func spreadOf[T cmp.Ordered](values []T) spread[T] {
	sorted := slices.Sorted(slices.Values(values))
	return spread[T]{median: sorted[len(sorted)/2], least: sorted[0], most: sorted[len(sorted)-1]}
}
