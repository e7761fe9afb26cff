package sqlstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/storage"
)

// After a crash of PostgreSQL challenges and limits are gone, which refuses nobody for good, and nothing
// else is. A challenge that was taken does not come back.
func TestCrashLosesChallengesAndLimitsAlone(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start(t.Context(), pgtest.Options{Durable: true})
	if errors.Is(err, pgtest.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	url, err := server.CreateDatabase(t.Context(), "crashing")
	if err != nil {
		t.Fatal(err)
	}
	store := open(t, url, nil)
	session := addSession(t, store)
	key := storage.ChallengeKey{Purpose: "step-up", UserID: session.UserID, SessionID: session.ID}
	limit := storage.Charge{Bucket: "b", Limit: storage.Limit{Burst: 1, Every: time.Hour}, Cost: 1}
	if err := store.Put(t.Context(), key, []byte("state"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if wait, err := store.Charge(t.Context(), limit); err != nil || wait != 0 {
		t.Fatalf("charge: %v, %v", wait, err)
	}
	if err := errors.Join(server.Kill(), server.Restart(t.Context())); err != nil {
		t.Fatal(err)
	}
	_, err = store.Account(t.Context(), session.UserID, session.ID, session.CreatedAt)
	for range 20 { // connections from before the crash
		if !errors.Is(err, storage.ErrUnavailable) {
			break
		}
		_, err = store.Account(t.Context(), session.UserID, session.ID, session.CreatedAt)
	}
	if err != nil {
		t.Errorf("the session after the crash: %v", err)
	}
	if _, err := store.Take(t.Context(), key); !errors.Is(err, storage.ErrChallengeExpired) {
		t.Errorf("the challenge after the crash: %v, want ErrChallengeExpired", err)
	}
	if wait, err := store.Charge(t.Context(), limit); err != nil || wait != 0 {
		t.Errorf("the limit after the crash: %v, %v, want none", wait, err)
	}
	if err := store.Put(t.Context(), key, []byte("state"), time.Hour); err != nil {
		t.Error(err)
	}
	if _, err := store.Take(t.Context(), key); err != nil {
		t.Errorf("a new challenge after the crash: %v", err)
	}
}
