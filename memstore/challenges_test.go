package memstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/memstore"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

func TestChallenges(t *testing.T) {
	storetest.TestChallenges(t, func(*testing.T) (storage.Challenges, storetest.Time) {
		clock := storetest.NewClock()
		return memstore.NewChallenges(0, clock.Now), clock.Time()
	})
}

// A full store refuses and drops nothing; room comes back when challenges expire.
func TestFullStoreRefuses(t *testing.T) {
	clock := storetest.NewClock()
	c := memstore.NewChallenges(2, clock.Now)
	keys := []storage.ChallengeKey{{Digest: [32]byte{1}, SessionID: uuid.New()}, {Digest: [32]byte{2}, SessionID: uuid.New()}}
	for _, key := range keys {
		if err := c.Put(t.Context(), key, nil, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	third := storage.ChallengeKey{Digest: [32]byte{3}, SessionID: uuid.New()}
	if err := c.Put(t.Context(), third, nil, time.Minute); !errors.Is(err, storage.ErrUnavailable) {
		t.Fatalf("Put into a full store: %v, want ErrUnavailable", err)
	}
	if _, err := c.Take(t.Context(), keys[0]); err != nil {
		t.Errorf("Take of a kept challenge: %v", err)
	}
	clock.Advance(time.Minute)
	for _, key := range []storage.ChallengeKey{third, {Digest: [32]byte{4}, SessionID: uuid.New()}} {
		if err := c.Put(t.Context(), key, nil, time.Minute); err != nil {
			t.Errorf("Put after the others expired: %v", err)
		}
	}
}
