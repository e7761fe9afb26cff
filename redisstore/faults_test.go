package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/redistest"
	"github.com/stepkey/stepkey/redisstore"
	"github.com/stepkey/stepkey/storage"
)

// operations are everything that a Store does.
func operations(store *redisstore.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Charge": func(ctx context.Context) error {
			_, err := store.Charge(ctx, charge(uuid.NewString()), charge(uuid.NewString()))
			return err
		},
		"Refund": func(ctx context.Context) error { return store.Refund(ctx, charge("a")) },
		"Put":    func(ctx context.Context) error { return store.Put(ctx, newKey(), []byte("state"), time.Minute) },
		"Take": func(ctx context.Context) error {
			_, err := store.Take(ctx, newKey())
			return err
		},
		"Ping": store.Ping,
		"EvictionPolicy": func(ctx context.Context) error {
			_, _, err := store.EvictionPolicy(ctx)
			return err
		},
	}
}

func wantUnavailable(t *testing.T, what string, err error, reason string) {
	t.Helper()
	if !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), reason) {
		t.Errorf("%s: %v, want ErrUnavailable for %q", what, err, reason)
	}
}

// eventually tries until it works. It gives up long after it has to.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience.Long); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("%s does not recover: %v", what, err)
}

// Nothing waits longer than it should for a server that accepts and does not
// answer, however many ask.
func TestPausedServer(t *testing.T) {
	server := redistest.New(t, redistest.Options{})
	store := openWithin(t, server, redisstore.Timeout)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	const callers = 30
	type outcome struct {
		what string
		err  error
	}
	outcomes := make(chan outcome)
	count := 0
	for what, operation := range operations(store) {
		for range callers {
			count++
			go func() {
				var err error
				for range 8 { // long enough for connections to be given up and made again
					err = errors.Join(err, operation(t.Context()))
				}
				outcomes <- outcome{what, err}
			}()
		}
	}
	bound := time.After(patience.Long)
	for range count {
		select {
		case o := <-outcomes:
			wantUnavailable(t, o.what, o.err, "deadline exceeded")
			if n := strings.Count(o.err.Error(), "unavailable"); n != 8 {
				t.Errorf("%s failed %d times of 8", o.what, n)
			}
		case <-bound:
			t.Fatal("some wait without end")
		}
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Charge", func() error { return operations(store)["Charge"](t.Context()) })
}

func TestKilledServer(t *testing.T) {
	server := redistest.New(t, redistest.Options{Persistent: true})
	store, key := open(t, server), newKey()
	for range 2 {
		if wait, err := store.Charge(t.Context(), charge("a")); wait != 0 || err != nil {
			t.Fatal(wait, err)
		}
	}
	if err := store.Put(t.Context(), key, []byte("state"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	for what, operation := range operations(store) {
		for range 3 {
			if err := operation(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("%s: %v, want ErrUnavailable", what, err)
			}
		}
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Ping", func() error { return store.Ping(t.Context()) })
	if wait, err := store.Charge(t.Context(), charge("a")); wait == 0 || err != nil {
		t.Errorf("Charge of a bucket that was empty before = %s, %v; want to wait", wait, err)
	}
	if _, err := store.Take(t.Context(), key); err != nil {
		t.Errorf("Take of a challenge of before: %v", err)
	}
}

// The client that has gone does not end what was begun.
func TestCancelledCallerIsServed(t *testing.T) {
	store := open(t, redistest.New(t, redistest.Options{}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if wait, err := store.Charge(ctx, charge("a")); wait != 0 || err != nil {
		t.Errorf("Charge = %s, %v", wait, err)
	}
}

// A server without memory refuses what needs some, whole, and drops nothing.
func TestFullServer(t *testing.T) {
	server := redistest.New(t, redistest.Options{
		Settings: []string{"--maxmemory", "4mb", "--maxmemory-policy", "noeviction"},
	})
	store, client := open(t, server), inspect(t, server)
	for range 2 {
		if _, err := store.Charge(t.Context(), charge("known")); err != nil {
			t.Fatal(err)
		}
	}
	state := []byte(strings.Repeat("x", 20_000))
	var kept []storage.ChallengeKey
	var err error
	for err == nil {
		key := newKey()
		if err = store.Put(t.Context(), key, state, time.Minute); err == nil {
			kept = append(kept, key)
		}
		if len(kept) > 1000 {
			t.Fatal("4 MB hold more than 20 MB")
		}
	}
	wantUnavailable(t, "Put", err, "OOM")
	do(t, client, "CONFIG SET maxmemory 1") // what the refused commands took is free again
	before, err := do(t, client, "GET stepkey:limit:known").ToString()
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Charge(t.Context(), charge("new"))
	wantUnavailable(t, "Charge of a new bucket", err, "OOM")
	roomy := storage.Charge{Bucket: "known", Limit: storage.Limit{Burst: 9, Every: time.Hour}, Cost: 1}
	_, err = store.Charge(t.Context(), roomy, charge("new"))
	wantUnavailable(t, "Charge of two", err, "OOM")
	if after, err := do(t, client, "GET stepkey:limit:known").ToString(); err != nil || after != before {
		t.Errorf("the bucket was charged for a refusal: %s, %v; want %s", after, err, before)
	}
	if wait, err := store.Charge(t.Context(), charge("known")); wait == 0 || err != nil {
		t.Errorf("Charge of an empty bucket = %s, %v; want to wait", wait, err)
	}
	if got := len(keys(t, client)); got != len(kept)+1 {
		t.Errorf("%d keys, want %d", got, len(kept)+1)
	}
	for _, key := range kept {
		if _, err := store.Take(t.Context(), key); err != nil {
			t.Fatalf("Take of a challenge that was kept: %v", err)
		}
	}
	do(t, client, "CONFIG SET maxmemory 4mb")
	if err := operations(store)["Charge"](t.Context()); err != nil {
		t.Errorf("Charge when there is room again: %v", err)
	}
}

// A session at its cap does not lose a challenge to one that is then refused.
func TestFullServerKeepsTheOldest(t *testing.T) {
	server := redistest.New(t, redistest.Options{})
	store, client := open(t, server), inspect(t, server)
	keys := []storage.ChallengeKey{newKey()}
	for i := range storage.MaxChallenges {
		key := keys[0]
		key.Digest[0] ^= byte(i + 1)
		keys = append(keys, key)
	}
	for _, key := range keys[:storage.MaxChallenges] {
		if err := store.Put(t.Context(), key, nil, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	do(t, client, "CONFIG SET maxmemory 1")
	wantUnavailable(t, "Put", store.Put(t.Context(), keys[storage.MaxChallenges], nil, time.Minute), "OOM")
	for _, key := range keys[:storage.MaxChallenges] {
		if _, err := store.Take(t.Context(), key); err != nil {
			t.Errorf("Take: %v", err)
		}
	}
}

func TestReadOnlyReplica(t *testing.T) {
	server := redistest.New(t, redistest.Options{})
	store, client, key := open(t, server), inspect(t, server), newKey()
	if err := store.Put(t.Context(), key, []byte("state"), time.Minute); err != nil {
		t.Fatal(err)
	}
	do(t, client, "REPLICAOF 127.0.0.1 1")
	_, err := store.Charge(t.Context(), charge("a"))
	wantUnavailable(t, "Charge", err, "READONLY")
	wantUnavailable(t, "Put", store.Put(t.Context(), newKey(), nil, time.Minute), "READONLY")
	_, err = store.Take(t.Context(), key)
	wantUnavailable(t, "Take", err, "READONLY")

	do(t, client, "REPLICAOF NO ONE")
	if _, err := store.Take(t.Context(), key); err != nil {
		t.Errorf("Take once it may be written: %v", err)
	}
}

// Where the server does not tell the time there is no decision: no clock of an
// instance takes its place.
func TestServersTimeDecides(t *testing.T) {
	store := open(t, redistest.New(t, redistest.Options{Settings: []string{"--rename-command", "TIME", ""}}))
	operations := operations(store)
	for _, what := range []string{"Charge", "Refund", "Put", "Take"} {
		wantUnavailable(t, what, operations[what](t.Context()), "Unknown Redis command called from script")
	}
}

func TestEvictionPolicy(t *testing.T) {
	for _, test := range []struct {
		maxmemory, policy string
		evicts            bool
	}{
		{"0", "noeviction", false},
		{"0", "allkeys-lru", false},
		{"100mb", "noeviction", false},
		{"100mb", "allkeys-lru", true},
		{"100mb", "volatile-ttl", true},
	} {
		t.Run(fmt.Sprintf("%s %s", test.maxmemory, test.policy), func(t *testing.T) {
			store := open(t, redistest.New(t, redistest.Options{
				Settings: []string{"--maxmemory", test.maxmemory, "--maxmemory-policy", test.policy},
			}))
			policy, evicts, err := store.EvictionPolicy(t.Context())
			if policy != test.policy || evicts != test.evicts || err != nil {
				t.Errorf("EvictionPolicy = %s, %v, %v; want %s, %v", policy, evicts, err, test.policy, test.evicts)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	if _, err := redisstore.Open(t.Context(), "redis://redis:6379", redisstore.Options{Timeout: time.Millisecond}); err == nil {
		t.Error("a timeout too short for the queue is accepted")
	}
	for url, want := range map[string]string{
		"http://redis:6379":                    "is not a Redis URL",
		"redis://stepkey:hunter2@local host/0": "is not a Redis URL",
		"redis://stepkey:hunter2@redis/x/y":    "is not a Redis URL",
	} {
		_, err := redisstore.Open(t.Context(), url, redisstore.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error holds the password: %v", err)
		}
	}
	for _, url := range []string{"redis://127.0.0.1:1", "rediss://127.0.0.1:1", "unix:///does/not/exist.sock"} {
		if _, err := redisstore.Open(t.Context(), url, redisstore.Options{}); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", url, err)
		}
	}
	server := redistest.New(t, redistest.Options{})
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := redisstore.Open(t.Context(), server.URL(), redisstore.Options{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a killed server: %v, want ErrUnavailable", err)
	}
}

func TestClusterIsRefused(t *testing.T) {
	server := redistest.New(t, redistest.Options{Settings: []string{"--cluster-enabled", "yes"}})
	_, err := redisstore.Open(t.Context(), server.URL(), redisstore.Options{})
	if err == nil || !strings.Contains(err.Error(), "Redis Cluster, which is not supported") {
		t.Errorf("Open: %v, want it to refuse a cluster", err)
	}
}
