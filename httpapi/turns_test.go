package httpapi

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
)

// counted counts the transactions that are under way at once.
type counted struct {
	stepkey.Store
	now, most atomic.Int32
}

func (c *counted) InTx(ctx context.Context, fn func(storage.Tx) error) error {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	time.Sleep(time.Millisecond) // so that those that are not kept apart meet
	return c.Store.InTx(ctx, fn)
}

// The requests of one user have two transactions at once at most.
func TestRequestsOfOneUserTakeTurns(t *testing.T) {
	var store counted
	h := newHandler(newServiceWith(t, func(c *stepkey.Config) {
		store.Store = c.Store
		c.Store = &store
	}), Options{})
	const mira = `{"username":"mira","password":"correct horse battery"}`
	send(h, "POST", "/auth/signup", mira)
	var granted struct{ AccessToken string }
	if err := json.NewDecoder(send(h, "POST", "/auth/login", mira).Body).Decode(&granted); err != nil {
		t.Fatal(err)
	}
	store.most.Store(0)
	var all sync.WaitGroup
	for range 60 {
		all.Go(func() {
			answer := send(h, "DELETE", "/auth/sessions/"+uuid.NewString(), "", "Authorization", "Bearer "+granted.AccessToken)
			wantStatus(t, "a session that is not there", answer, 404, "not_found")
		})
	}
	all.Wait()
	if most := store.most.Load(); most < 1 || most > 2 {
		t.Errorf("%d transactions at once, want at most 2", most)
	}
}
