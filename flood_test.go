package stepkey_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
)

// heldStore is a store that does not answer look-ups with heldContext until it is let go.
type heldStore struct {
	stepkey.Store
	asked chan struct{}
	goOn  chan struct{}
}

type heldKey struct{}

func heldContext(ctx context.Context) context.Context { return context.WithValue(ctx, heldKey{}, true) }

// UserByName implements stepkey.Store.
func (h *heldStore) UserByName(ctx context.Context, name string) (stepkey.User, error) {
	if ctx.Value(heldKey{}) != nil {
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
	for i := range crowd {
		all.Go(func() {
			_, err := service.LogIn(heldContext(f.Context()), stepkey.LogInRequest{
				Username: fmt.Sprintf("nobody%d", i), Password: wrong, Client: f.signUpOf("nobody", "").Client,
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
		return second(service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: password, Client: from("192.0.2.8"), Devices: devices}))
	}
	if overloaded := new(stepkey.OverloadedError); !errors.As(logIn(), &overloaded) {
		t.Error("a stranger is let in, want an OverloadedError")
	}
	for _, test := range []struct {
		devices []string
		admits  bool
	}{{nil, false}, {[]string{"dv1." + strings.Repeat("A", 102)}, false}, {[]string{known}, true}} {
		if err := service.AdmitLogIn(test.devices); (err == nil) != test.admits {
			t.Errorf("AdmitLogIn(%q): %v, want it admitted: %v", test.devices, err, test.admits)
		}
	}
	if err := logIn(known); err != nil {
		t.Errorf("a known device: %v", err)
	}
	close(store.goOn)
	go func() { all.Wait(); close(refused) }()
	for range refused { // those whose turn did not come
	}
}

// signInOthers signs in users, on the devices that they have, a few at once.
func (f *fixture) signInOthers(service *stepkey.Service, names []string, devices map[string]string) {
	f.Helper()
	var all sync.WaitGroup
	turns := make(chan struct{}, 4)
	for i, name := range names {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			_, err := service.LogIn(f.Context(), stepkey.LogInRequest{
				Username: name, Password: password, Client: from(fmt.Sprintf("198.51.%d.9", i)), Devices: []string{devices[name]},
			})
			if err != nil {
				f.Errorf("%s, on a known device %v: %v", name, devices[name] != "", err)
			}
		})
	}
	all.Wait()
}

// Sixty connections of an attacker who has accounts, and devices on which they are known,
// keep nobody else from signing in: not others, and not the owner of the account on a known
// device.
func TestOneAttackerLeavesTheGateToOthers(t *testing.T) {
	const connections, known, strangers = 60, 50, 20
	oneAddress := func(int) string { return "192.0.2.1" }
	manyAddresses := func(i int) string { return fmt.Sprintf("203.0.%d.1", i) }
	for _, test := range []struct {
		name     string
		accounts int // of the attacker
		devices  int // on which each of them is known
		address  func(connection int) string
		most     int // that hold a place
	}{
		{"unknown name", 0, 0, oneAddress, 2},
		{"one account", 1, 0, oneAddress, 2},
		{"one account, many addresses", 1, 0, manyAddresses, 2},
		{"one known device", 1, 1, oneAddress, 2},
		{"one known device, many addresses", 1, 1, manyAddresses, 2},
		{"many known devices of one account", 1, 10, oneAddress, 2},
		{"many known devices of one account, many addresses", 1, 10, manyAddresses, 6},
		// The first estimate is 50 ms for a hash, so 1.5 s hold thirty.
		{"many accounts", connections, 0, oneAddress, 15},
		{"many accounts on known devices", connections, 1, oneAddress, 15},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			signIn := func(name string) string {
				g, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: name, Password: password, Client: f.signUpOf("", "").Client})
				if err != nil {
					t.Fatal(err)
				}
				return g.DeviceToken
			}
			var others []string
			devices := map[string]string{}
			for i := range known + strangers {
				others = append(others, fmt.Sprintf("other%d", i))
				f.signUp(others[i])
				if i < known {
					devices[others[i]] = signIn(others[i])
				}
			}
			tries := make([]stepkey.LogInRequest, connections)
			for i := range tries {
				tries[i] = stepkey.LogInRequest{Username: "nobody", Password: password, Client: from(test.address(i))}
			}
			for i := range test.accounts {
				name := fmt.Sprintf("nobody%d", i)
				f.signUp(name)
				var cookies []string
				for range test.devices {
					cookies = append(cookies, signIn(name))
				}
				for j := i; j < connections; j += test.accounts {
					tries[j].Username = name
					if test.devices > 0 {
						tries[j].Devices = cookies[j/test.accounts%test.devices:][:1]
					}
				}
			}
			if test.accounts == 1 && test.most <= 2 {
				others = append(others, "nobody0") // the owner of the account, on another device
				devices["nobody0"] = signIn("nobody0")
			}

			store := &heldStore{Store: f.store, asked: make(chan struct{}, connections), goOn: make(chan struct{})}
			config := f.config()
			config.Store, config.HashSlots, config.HashWait = store, 1, 1500*time.Millisecond
			service := f.newService(config)
			var all sync.WaitGroup
			refused := make(chan error, connections)
			for _, try := range tries {
				all.Go(func() {
					if _, err := service.LogIn(heldContext(f.Context()), try); err != nil {
						refused <- err
					}
				})
			}
			holding := 0
			for range connections {
				select {
				case <-store.asked:
					holding++
				case err := <-refused:
					wantLimited(t, "a connection of the attacker", err, time.Second)
				}
			}
			if holding != test.most {
				t.Errorf("the attacker holds %d places, want %d", holding, test.most)
			}
			f.signInOthers(service, others, devices)
			close(store.goOn)
			all.Wait()
		})
	}
}
