package storetest

import (
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

const ttl = 5 * time.Minute

// TestChallenges checks a storage.Challenges. open returns an empty one and its
// time.
func TestChallenges(t *testing.T, open func(t *testing.T) (storage.Challenges, Time)) {
	run := func(name string, test func(*testing.T, storage.Challenges, Time)) {
		t.Run(name, func(t *testing.T) {
			c, clock := open(t)
			test(t, c, clock)
		})
	}
	run("taken once", challengeTakenOnce)
	run("taken by nobody else", challengeTakenByNobodyElse)
	run("of nobody yet", challengeOfNobody)
	run("expires", challengeExpires)
	run("each has its own lifetime", ownLifetimes)
	run("a session keeps the newest", sessionKeepsNewest)
	run("sessions do not crowd each other", sessionsDoNotCrowd)
	run("parallel puts keep the cap", parallelPutsKeepCap)
	run("of 64 takers one wins", oneTakerWins)
}

func newKey() storage.ChallengeKey {
	key := storage.ChallengeKey{Purpose: storage.PurposeStepUp, UserID: uuid.New(), SessionID: uuid.New()}
	_, _ = rand.Read(key.Digest[:])
	return key
}

// sibling returns another challenge of the same session.
func sibling(key storage.ChallengeKey) storage.ChallengeKey {
	_, _ = rand.Read(key.Digest[:])
	return key
}

func put(t *testing.T, c storage.Challenges, key storage.ChallengeKey, state string) {
	t.Helper()
	if err := c.Put(t.Context(), key, []byte(state), ttl); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func wantTaken(t *testing.T, c storage.Challenges, key storage.ChallengeKey, state string) {
	t.Helper()
	got, err := c.Take(t.Context(), key)
	if err != nil || string(got) != state {
		t.Fatalf("Take = %q, %v; want %q", got, err, state)
	}
}

func wantGone(t *testing.T, c storage.Challenges, key storage.ChallengeKey) {
	t.Helper()
	if got, err := c.Take(t.Context(), key); !errors.Is(err, storage.ErrChallengeExpired) {
		t.Fatalf("Take = %q, %v; want ErrChallengeExpired", got, err)
	}
}

func challengeTakenOnce(t *testing.T, c storage.Challenges, _ Time) {
	key := newKey()
	wantGone(t, c, key)
	put(t, c, key, "state")
	wantTaken(t, c, key, "state")
	wantGone(t, c, key)
}

func challengeTakenByNobodyElse(t *testing.T, c storage.Challenges, _ Time) {
	key := newKey()
	put(t, c, key, "state")

	otherPurpose, otherUser, otherSession := key, key, key
	otherPurpose.Purpose = storage.PurposeRegistration
	otherUser.UserID = uuid.New()
	otherSession.SessionID = uuid.New()
	for _, other := range []storage.ChallengeKey{otherPurpose, otherUser, otherSession, sibling(key)} {
		wantGone(t, c, other)
	}
	// Another user's attempt does not use it up either.
	wantTaken(t, c, key, "state")
}

// A challenge for signing in belongs to no user, and to no session that there is.
func challengeOfNobody(t *testing.T, c storage.Challenges, _ Time) {
	key := newKey()
	key.Purpose, key.UserID = storage.PurposeLogIn, uuid.Nil
	put(t, c, key, "state")
	stepUp, somebodys := key, key
	stepUp.Purpose, somebodys.UserID = storage.PurposeStepUp, uuid.New()
	wantGone(t, c, stepUp)
	wantGone(t, c, somebodys)
	wantTaken(t, c, key, "state")
	wantGone(t, c, key)
}

func challengeExpires(t *testing.T, c storage.Challenges, clock Time) {
	early, late := newKey(), newKey()
	put(t, c, early, "early")
	put(t, c, late, "late")
	clock.Advance(ttl - clock.margin())
	wantTaken(t, c, early, "early")
	clock.Advance(clock.margin())
	wantGone(t, c, late)
	clock.Advance(-time.Minute)
	wantGone(t, c, late) // it does not come back if the clock does
}

// Of one session. One whose time is over does not count towards the cap either.
func ownLifetimes(t *testing.T, c storage.Challenges, clock Time) {
	long := newKey()
	var short, others []storage.ChallengeKey
	for range storage.MaxChallenges - 1 {
		short, others = append(short, sibling(long)), append(others, sibling(long))
	}
	put(t, c, long, "long")
	for _, key := range short {
		if err := c.Put(t.Context(), key, []byte("short"), ttl/2); err != nil {
			t.Fatalf("Put: %v", err)
		}
	}
	clock.Advance(ttl / 2)
	wantGone(t, c, short[0])
	for _, key := range others {
		put(t, c, key, "other")
	}
	wantTaken(t, c, long, "long")
	for i := range others {
		wantGone(t, c, short[i])
		wantTaken(t, c, others[i], "other")
	}
}

func sessionKeepsNewest(t *testing.T, c storage.Challenges, clock Time) {
	keys := []storage.ChallengeKey{newKey()}
	for range storage.MaxChallenges {
		keys = append(keys, sibling(keys[0]))
	}
	for _, key := range keys {
		put(t, c, key, "state")
		clock.Advance(time.Second)
	}
	wantGone(t, c, keys[0])
	for _, key := range keys[1:] {
		wantTaken(t, c, key, "state")
	}
}

func sessionsDoNotCrowd(t *testing.T, c storage.Challenges, clock Time) {
	mine := newKey()
	put(t, c, mine, "mine")
	theirs := newKey()
	theirs.UserID = mine.UserID // another session of the same user
	for range 2 * storage.MaxChallenges {
		put(t, c, theirs, "theirs")
		theirs = sibling(theirs)
		clock.Advance(time.Second)
	}
	wantTaken(t, c, mine, "mine")
}

func parallelPutsKeepCap(t *testing.T, c storage.Challenges, _ Time) {
	keys := []storage.ChallengeKey{newKey()}
	for range 31 {
		keys = append(keys, sibling(keys[0]))
	}
	var wg sync.WaitGroup
	for _, key := range keys {
		wg.Go(func() {
			if err := c.Put(t.Context(), key, []byte("state"), ttl); err != nil {
				t.Errorf("Put: %v", err)
			}
		})
	}
	wg.Wait()
	taken := 0
	for _, key := range keys {
		if _, err := c.Take(t.Context(), key); err == nil {
			taken++
		}
	}
	if taken != storage.MaxChallenges {
		t.Errorf("%d of a session's challenges can be taken, want %d", taken, storage.MaxChallenges)
	}
}

func oneTakerWins(t *testing.T, c storage.Challenges, _ Time) {
	key := newKey()
	put(t, c, key, "state")
	won := race(64, func(int) bool {
		state, err := c.Take(t.Context(), key)
		if err != nil && !errors.Is(err, storage.ErrChallengeExpired) {
			t.Errorf("Take: %v", err)
		}
		return string(state) == "state"
	})
	if won != 1 {
		t.Errorf("%d takers got the challenge, want 1", won)
	}
}

// race calls try n times at once and returns how many calls reported true.
func race(n int, try func(i int) bool) int {
	var wg sync.WaitGroup
	start, results := make(chan struct{}), make([]bool, n)
	for i := range n {
		wg.Go(func() {
			<-start
			results[i] = try(i)
		})
	}
	close(start)
	wg.Wait()
	won := 0
	for _, result := range results {
		if result {
			won++
		}
	}
	return won
}
