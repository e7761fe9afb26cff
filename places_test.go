package stepkey_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
)

// heldAttempts is a store that counts no attempt until it is let go.
type heldAttempts struct {
	stepkey.Store
	asked, goOn chan struct{}
}

// ChargeAttempt implements stepkey.Store.
func (h *heldAttempts) ChargeAttempt(ctx context.Context, a storage.Attempt) (storage.Attempts, error) {
	h.asked <- struct{}{}
	<-h.goOn
	return h.Store.ChargeAttempt(ctx, a)
}

// heldBreaches knows no password, and says so when it is let go.
type heldBreaches struct{ asked, goOn chan struct{} }

// Breached implements stepkey.Breaches.
func (h heldBreaches) Breached(context.Context, string) (bool, error) {
	h.asked <- struct{}{}
	<-h.goOn
	return false, nil
}

// wantHolding makes n calls at once, of which so many are at work until all others have
// been refused.
func (f *fixture) wantHolding(what string, asked, goOn chan struct{}, n, want int, call func(i int) error) {
	f.Helper()
	var all sync.WaitGroup
	defer all.Wait()
	refused := make(chan error, n)
	for i := range n {
		all.Go(func() {
			if err := call(i); err != nil {
				refused <- err
			}
		})
	}
	holding := 0
	for range n {
		select {
		case <-asked:
			holding++
		case err := <-refused:
			wantLimited(f.TB, what, err, time.Second)
		}
	}
	if holding != want {
		f.Errorf("%s: %d at work at once, want %d", what, holding, want)
	}
	for range holding {
		goOn <- struct{}{}
	}
}

func TestOneUserChangesThePasswordTwiceAtOnce(t *testing.T) {
	f := newFixture(t)
	var claims []stepkey.Caller
	for i := range 20 {
		f.signUp(fmt.Sprintf("user%d", i))
		claims = append(claims, f.logIn(fmt.Sprintf("user%d", i)))
	}
	store := &heldAttempts{Store: f.store, asked: make(chan struct{}), goOn: make(chan struct{})}
	config := f.config()
	config.Store, config.HashSlots, config.HashWait = store, 1, 1500*time.Millisecond
	service := f.newService(config)
	change := func(c stepkey.Caller, address string) error {
		current := wrong
		return second(service.ChangePassword(f.Context(), c, stepkey.ChangePasswordRequest{Current: &current, New: newPassword, Client: from(address)}))
	}
	f.wantHolding("one user", store.asked, store.goOn, 10, 2, func(i int) error {
		return change(claims[0], fmt.Sprintf("198.51.%d.1", i))
	})
	// The first estimate is 50 ms for a hash, so 1.5 s hold thirty.
	service = f.newService(config)
	f.wantHolding("twenty users at one address", store.asked, store.goOn, 20, 15, func(i int) error {
		return change(claims[i], "192.0.2.1")
	})
}

func TestOneLinkSetsThePasswordTwiceAtOnce(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", "mira@example.com")
	link := f.resetLink(box, "mira", "mira@example.com")
	breaches := heldBreaches{make(chan struct{}), make(chan struct{})}
	config := f.config()
	config.Mailer, config.Breaches = box, breaches
	service := f.newService(config)
	f.wantHolding("one link", breaches.asked, breaches.goOn, 10, 2, func(i int) error {
		return service.ResetPassword(f.Context(), link, another, from(fmt.Sprintf("198.51.%d.1", i)))
	})
}
