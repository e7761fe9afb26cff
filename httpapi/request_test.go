package httpapi

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs f with a context that ends in a minute, in a bubble with its own clock.
func inBubble(t *testing.T, parent func(context.Context) context.Context, f func(d *lateDeadline)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &lateDeadline{}
		d.begin(parent(t.Context()), time.Now().Add(time.Minute))
		defer d.end()
		f(d)
	})
}

func plain(ctx context.Context) context.Context { return ctx }

// The deadline counts from the start, no matter when somebody first waits.
func TestLateDeadlineEnds(t *testing.T) {
	for name, wait := range map[string]func(ctx context.Context) error{
		"waiting": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"asking": func(ctx context.Context) error {
			time.Sleep(time.Minute - time.Nanosecond)
			if err := ctx.Err(); err != nil {
				return errors.New("it ends before its time")
			}
			time.Sleep(time.Nanosecond)
			return ctx.Err()
		},
		"waiting late": func(ctx context.Context) error {
			time.Sleep(30 * time.Second)
			<-ctx.Done()
			return context.Cause(ctx)
		},
		"waiting for a derived one": func(ctx context.Context) error {
			derived, cancel := context.WithCancel(context.WithValue(ctx, requestKey{}, 1))
			defer cancel()
			<-derived.Done()
			return derived.Err()
		},
		"waiting for one with a later deadline": func(ctx context.Context) error {
			derived, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			<-derived.Done()
			return context.Cause(derived)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, plain, func(d *lateDeadline) {
				began := time.Now()
				if err := wait(d); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
					t.Errorf("%v after %s", err, time.Since(began))
				}
			})
		})
	}
}

// Whatever was started with the request's context ends with the request, even if it waits only then.
func TestLateDeadlineIsCanceledAtTheEnd(t *testing.T) {
	for name, waits := range map[string]bool{"waiting before": true, "waiting after": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, plain, func(d *lateDeadline) {
				if waits {
					_ = d.Done()
				}
				d.end()
				<-d.Done()
				if err := d.Err(); !errors.Is(err, context.Canceled) {
					t.Errorf("%v, want canceled", err)
				}
			})
		})
	}
}

func TestLateDeadlineFollowsTheServer(t *testing.T) {
	for name, waits := range map[string]bool{"waiting": true, "asking": false} {
		t.Run(name, func(t *testing.T) {
			var gone context.CancelFunc
			inBubble(t, func(ctx context.Context) (parent context.Context) {
				parent, gone = context.WithCancel(ctx)
				return parent
			}, func(d *lateDeadline) {
				if err := d.Err(); err != nil {
					t.Fatal(err)
				}
				gone()
				if waits {
					<-d.Done()
				}
				if err := d.Err(); !errors.Is(err, context.Canceled) {
					t.Errorf("%v, want canceled", err)
				}
			})
		})
	}
}

func TestLateDeadlineIsNotLaterThanTheServers(t *testing.T) {
	var cancel context.CancelFunc
	inBubble(t, func(ctx context.Context) (parent context.Context) {
		parent, cancel = context.WithTimeout(ctx, time.Second)
		return parent
	}, func(d *lateDeadline) {
		defer cancel()
		began := time.Now()
		if at, ok := d.Deadline(); !ok || at.Sub(began) != time.Second {
			t.Errorf("the deadline is in %s", at.Sub(began))
		}
		<-d.Done()
		if time.Since(began) != time.Second {
			t.Errorf("it ended after %s", time.Since(began))
		}
	})
}

// A goroutine for each statement that a request waits for would cost more than the timer.
func TestLateDeadlineNeedsNoGoroutine(t *testing.T) {
	inBubble(t, plain, func(d *lateDeadline) {
		known := &request{}
		known.begin(d, time.Now().Add(time.Second))
		defer known.end()
		_, cancel := context.WithTimeout(known, time.Minute)
		defer cancel()
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if strings.Contains(string(stacks), "propagateCancel") {
			t.Error("a goroutine follows the end of the context")
		}
	})
}
