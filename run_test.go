package stepkey_test

import (
	"context"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/patience"
)

// sweptStore tells when it is swept.
type sweptStore struct {
	stepkey.Store
	swept chan struct{}
}

func (s sweptStore) Sweep(ctx context.Context) error {
	select {
	case s.swept <- struct{}{}:
	case <-ctx.Done():
	}
	return s.Store.Sweep(ctx)
}

// The tables of a program that uses the library stay small by themselves.
func TestRunSweepsTheStore(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	store := sweptStore{f.store, make(chan struct{})}
	c.Store = store
	service := f.newService(c)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); service.Run(ctx) }()
	select {
	case <-store.swept:
	case <-time.After(patience.Long):
		t.Error("the store was not swept")
	}
	cancel()
	<-ended
}
