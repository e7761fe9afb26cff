package tokens

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// answers is a store of ended and lowered sessions that answers what it is told to.
type answers struct {
	ended   func(after storage.EndedSession, limit int) []storage.EndedSession
	open    []uuid.UUID
	lowered []storage.LoweredSession
}

func (a *answers) EndedSessions(_ context.Context, after storage.EndedSession, limit int) ([]storage.EndedSession, error) {
	return a.ended(after, limit), nil
}

func (a *answers) OpenSessions(context.Context, uuid.UUID, time.Time, time.Time, int) ([]uuid.UUID, error) {
	return a.open, nil
}

func (a *answers) LoweredSessions(context.Context, time.Time) ([]storage.LoweredSession, error) {
	return a.lowered, nil
}

// A store that returns the same page again is an error, not an endless loop.
func TestRepeatedPageOfEndsIsAnError(t *testing.T) {
	now := time.Date(2030, 5, 17, 9, 30, 0, 0, time.UTC)
	store := &answers{ended: func(_ storage.EndedSession, limit int) []storage.EndedSession {
		return slices.Repeat([]storage.EndedSession{{ID: uuid.UUID{15: 1}, At: now}}, limit)
	}}
	err := NewEndedSessions(store, func() time.Time { return now }).Read(t.Context())
	if err == nil || !strings.Contains(err.Error(), "repeats a page") {
		t.Errorf("Read: %v", err)
	}
}

// Before the first read, and long after the last one, an instance cannot tell. What it
// knows to have ended has.
func TestWithoutARecentReadNothingIsKnown(t *testing.T) {
	now := time.Date(2030, 5, 17, 9, 30, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	ended, lowered := NewEndedSessions(&answers{}, clock), NewLoweredSessions(&answers{}, clock)
	ended.began = ended.began.Add(-2 * endedTrust)
	lowered.began = lowered.began.Add(-2 * endedTrust)
	id := uuid.New()
	ended.Add([]uuid.UUID{id}, now)
	lowered.Add([]uuid.UUID{id}, now)
	if got, err := ended.Ended(token.Claims{SessionID: id.String()}); !got || err != nil {
		t.Errorf("a session that ended here: %v, %v", got, err)
	}
	if got, err := lowered.Lowered(id.String(), now.Unix()-1); !got || err != nil {
		t.Errorf("a session that was lowered here: %v, %v", got, err)
	}
	other := uuid.NewString()
	if _, err := ended.Ended(token.Claims{SessionID: other}); !errors.Is(err, ErrEndedUnknown) {
		t.Errorf("Ended: %v", err)
	}
	if _, err := lowered.Lowered(other, now.Unix()); !errors.Is(err, ErrEndedUnknown) {
		t.Errorf("Lowered: %v", err)
	}
	lists := NewEndedLists(ended, nil, "https://issuer")
	if _, _, err := lists.Newest(); !errors.Is(err, ErrEndedUnknown) {
		t.Errorf("Newest: %v", err)
	}
	if _, _, err := lists.Minute(now.Unix() / 60); !errors.Is(err, ErrEndedUnknown) {
		t.Errorf("Minute: %v", err)
	}
}

func TestLowered(t *testing.T) {
	now := time.Date(2030, 5, 17, 9, 30, 0, 500_000_000, time.UTC)
	id, second := uuid.New(), now.Unix()
	store := &answers{}
	lowered := NewLoweredSessions(store, func() time.Time { return now })
	read := func() {
		if err := lowered.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, verifiedAt int64, want bool) {
		t.Helper()
		if got, err := lowered.Lowered(id.String(), verifiedAt); got != want || err != nil {
			t.Errorf("%s: lowered %v, %v; want %v", when, got, err, want)
		}
	}
	read()
	want("not lowered", second, false)
	lowered.Add([]uuid.UUID{id}, now)
	want("verified before", second-1, true)
	want("verified in the same second, before", second, true)
	want("verified after", second+1, false)
	lowered.Raised(id)
	want("verified in the same second, after", second, false)
	want("verified before, stepped up since", second-1, true)
	store.lowered = []storage.LoweredSession{{ID: id, At: now}}
	read()
	want("an answer of the store from before the step-up", second, false)
	store.lowered = []storage.LoweredSession{{ID: id, At: now.Add(-time.Hour)}}
	read()
	want("an older answer of the store", second-1, true)
	store.lowered, now = nil, now.Add(token.EndedFor+time.Second)
	read()
	want("when no token can be that old", second-1, false)
}
