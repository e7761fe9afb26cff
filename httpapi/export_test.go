package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
)

// withManyEvents is signedIn for a user of whom MaxExportedEvents and some more events are recorded.
func withManyEvents(t *testing.T) (h http.Handler, bearer string) {
	t.Helper()
	var store stepkey.Store
	service := newServiceWith(t, func(c *stepkey.Config) { store = c.Store })
	h = newHandler(service, Options{})
	running, stop := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { service.Run(running) }) // or the guard refuses everybody after 30 seconds
	t.Cleanup(run.Wait)
	t.Cleanup(stop)
	send(h, "POST", "/auth/signup", `{"username":"mira","password":"correct horse battery"}`)
	granted := tokensOf(t, send(h, "POST", "/auth/login", `{"username":"mira","password":"correct horse battery"}`))
	u, err := store.UserByName(t.Context(), "mira")
	if err != nil {
		t.Fatal(err)
	}
	var events []stepkey.Event
	for i := range stepkey.MaxExportedEvents + 50 {
		events = append(events, stepkey.Event{
			ID: uuid.New(), Kind: storage.EventSteppedUp, UserID: u.ID, At: time.Unix(1_000_000_000+int64(i/3), 0).UTC(), // three at a time
		})
	}
	for some := range slices.Chunk(events, 1000) { // the race detector makes a transaction with all of them too long
		err := store.InTx(t.Context(), func(tx storage.Tx) error { return tx.RecordEvents(t.Context(), some) })
		if err != nil {
			t.Fatal(err)
		}
	}
	return h, "Bearer " + granted.AccessToken
}

func TestExportOfManyEvents(t *testing.T) {
	h, bearer := withManyEvents(t)
	var got struct {
		User   map[string]any
		Events []eventAnswer
	}
	if err := json.NewDecoder(send(h, "GET", "/account/export", "", "Authorization", bearer).Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got.Events) != stepkey.MaxExportedEvents || got.User["username"] != "mira" {
		t.Errorf("%d events of %v", len(got.Events), got.User)
	}
	for i := 1; i < len(got.Events); i++ {
		if got.Events[i].At.After(got.Events[i-1].At) {
			t.Fatalf("event %d is newer than the one before", i)
		}
	}
}

// stuckReader is a client that reads nothing after the first piece of the answer.
type stuckReader struct {
	*httptest.ResponseRecorder
	stuck   func()
	release chan struct{}
	once    sync.Once
}

var errGone = errors.New("the client has gone")

func (s *stuckReader) Write([]byte) (int, error) {
	s.once.Do(s.stuck)
	<-s.release
	return 0, errGone
}

// Clients that do not read hold a piece of the answer each, and not all of it.
func TestStuckReadersOfAnExportHoldLittle(t *testing.T) {
	h, bearer := withManyEvents(t)
	whole := send(h, "GET", "/account/export", "", "Authorization", bearer)
	size := int64(0)
	buffer := make([]byte, 1<<16)
	for {
		n, err := whole.Body.Read(buffer)
		size += int64(n)
		if err != nil {
			break
		}
	}
	whole = nil

	const readers = 15
	before := heap()
	var ended sync.WaitGroup
	release := make(chan struct{})
	for range readers {
		// One after the other: together they would wait for the turns of their account.
		var stuck sync.WaitGroup
		stuck.Add(1)
		ended.Go(func() {
			defer func() {
				if fault := recover(); fault != http.ErrAbortHandler {
					t.Errorf("the handler ended with %v, want ErrAbortHandler: half an answer looks like a whole one", fault)
				}
			}()
			r := httptest.NewRequest("GET", "/account/export", nil)
			r.Header.Set("Authorization", bearer)
			h.ServeHTTP(&stuckReader{ResponseRecorder: httptest.NewRecorder(), stuck: stuck.Done, release: release}, r)
		})
		stuck.Wait()
	}
	held := (heap() - before) / readers
	close(release)
	ended.Wait()
	if held > size/4 {
		t.Errorf("each reader holds %d bytes of an answer of %d", held, size)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
