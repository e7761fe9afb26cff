package stepkey_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/sqlstore/sqlite"
)

// An instance whose guards would refuse everybody tells the load balancer so, until it has read
// which sessions have ended.
func TestReadyOnlyWhileGuardsLetPeoplePass(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stepkey.db")
	synctest.Test(t, func(t *testing.T) {
		store, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		service, err := stepkey.New(t.Context(), stepkey.Config{
			Store: store, Challenges: store, Limiter: store, Clock: time.Now,
			Secret: rootSecret, Origins: []string{"http://localhost:3000"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := service.Ready(t.Context()); err != nil {
			t.Errorf("at first: %v", err)
		}
		time.Sleep(31 * time.Second)
		if err := service.Ready(t.Context()); !errors.Is(err, stepkey.ErrEndedUnknown) {
			t.Errorf("31 s without a look at the store: %v, want ErrEndedUnknown", err)
		}
		// Guards of level full also ask which passkeys were deleted, which is read apart.
		if err := stepkey.LookForEnded(t.Context(), service); err != nil {
			t.Fatal(err)
		}
		if err := service.Ready(t.Context()); !errors.Is(err, stepkey.ErrEndedUnknown) {
			t.Errorf("without a look at the deleted passkeys: %v, want ErrEndedUnknown", err)
		}
		running, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { service.Run(running) })
		time.Sleep(time.Second)
		if err := service.Ready(t.Context()); err != nil {
			t.Errorf("a second after Run has begun: %v", err)
		}
		stop()
		run.Wait()
	})
}
