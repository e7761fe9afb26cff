package stepkey_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
)

// heldStore is a store that does not answer look-ups of nobody until it is let go.
type heldStore struct {
	stepkey.Store
	asked chan struct{}
	goOn  chan struct{}
}

// UserByName implements stepkey.Store.
func (h *heldStore) UserByName(ctx context.Context, name string) (stepkey.User, error) {
	if name == "nobody" {
		h.asked <- struct{}{}
		<-h.goOn
	}
	return h.Store.UserByName(ctx, name)
}

// However slow the database is and however many logins come, no more of them ask it at
// once than will get a turn to hash: refreshes ask it too. A cookie that we did not make
// changes nothing, and those on known devices have places of their own.
func TestLoginsAreNoCrowdInTheDatabase(t *testing.T) {
	const crowd = 200
	f := newFixture(t)
	f.signUp("mira")
	known := f.mustLogInFrom("at first", from("192.0.2.7"))
	store := &heldStore{Store: f.store, asked: make(chan struct{}), goOn: make(chan struct{})}
	config := f.config()
	config.Store, config.HashSlots, config.HashWait = store, 1, 1500*time.Millisecond
	service := f.newService(config)
	var all sync.WaitGroup
	refused := make(chan error)
	for range crowd {
		all.Go(func() {
			_, err := service.LogIn(f.Context(), stepkey.LogIn{
				Username: "nobody", Password: wrong, Client: f.signUpOf("nobody", "").Client,
				Devices: []string{"dv1." + strings.Repeat("A", 102)},
			})
			if overloaded := new(stepkey.OverloadedError); errors.As(err, &overloaded) {
				refused <- err
			}
		})
	}
	asked := 0
	for range crowd {
		select {
		case <-store.asked:
			asked++
		case <-refused:
		}
	}
	// The first estimate is 50 ms for a hash: one at once and 1.5 s of them waiting.
	if asked != 31 {
		t.Errorf("%d logins ask the database, want 31", asked)
	}
	logIn := func(devices ...string) error {
		return second(service.LogIn(f.Context(), stepkey.LogIn{Username: "mira", Password: password, Client: from("192.0.2.8"), Devices: devices}))
	}
	if overloaded := new(stepkey.OverloadedError); !errors.As(logIn(), &overloaded) {
		t.Error("a stranger is let in, want an OverloadedError")
	}
	if err := logIn(known); err != nil {
		t.Errorf("a known device: %v", err)
	}
	close(store.goOn)
	go func() { all.Wait(); close(refused) }()
	for range refused { // those whose turn did not come
	}
}
