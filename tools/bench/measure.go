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

// load is a number of operations to run against one server.
type load struct {
	pid     int
	beside  int // another process whose CPU time counts, too; 0 for none
	n       int // operations in a round, over all workers
	workers int // concurrent loops, each with a connection of its own
	do      func(ctx context.Context, worker int) error
}

// round runs the load once and returns the server's CPU time per operation.
func (l load) round(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, fmt.Errorf("a round takes more than a minute"))
	defer cancel()

	before, err := l.cpuTime()
	if err != nil {
		return 0, err
	}
	calls := max(1, l.n/l.workers)
	failures := make([]error, l.workers)
	var wg sync.WaitGroup
	for worker := range l.workers {
		wg.Go(func() {
			for range calls {
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
	if err != nil {
		return 0, err
	}
	return (after - before) / time.Duration(calls*l.workers), nil
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
	for round := range rounds + 1 {
		for i, l := range loads {
			t, err := l.round(ctx)
			if err != nil {
				return nil, err
			}
			if round > 0 {
				took[i] = append(took[i], t)
			}
		}
	}
	return took, nil
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
