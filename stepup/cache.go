package stepup

import (
	"sync"
	"time"

	"github.com/stepkey/stepkey"
)

// maxCachedProofs bounds the memory that proofs take: about 2 MB.
const maxCachedProofs = 10_000

// proofCache remembers proofs for Config.Staleness. It holds positive answers alone: somebody who
// has just verified must not be asked again, and a proof that is not there costs no one anything.
// A nil *proofCache remembers nothing.
type proofCache struct {
	staleness time.Duration

	mu    sync.RWMutex
	known map[proofKey]cachedProof
	ended uint64 // calls of forget
}

// proofKey names a session as the application does.
type proofKey struct {
	user, session string
	signedInAt    int64
}

type cachedProof struct {
	standing stepkey.Standing
	readAt   time.Time
}

func newProofCache(staleness time.Duration) *proofCache {
	if staleness == 0 {
		return nil
	}
	return &proofCache{staleness: staleness, known: make(map[proofKey]cachedProof)}
}

func keyOf(id Identity) proofKey { return proofKey{id.User, id.Session, id.SignedInAt.Unix()} }

// get returns what was read at most the staleness ago. A clock that was set back ends it.
func (c *proofCache) get(id Identity, now time.Time) (stepkey.Standing, bool) {
	if c == nil {
		return stepkey.Standing{}, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	held, ok := c.known[keyOf(id)]
	if age := now.Sub(held.readAt); !ok || age < 0 || age >= c.staleness {
		return stepkey.Standing{}, false
	}
	return held.standing, true
}

// moment returns what put is given, to be taken before the database is asked.
func (c *proofCache) moment() uint64 {
	if c == nil {
		return 0
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.ended
}

// put remembers standing if it holds a proof, unless one was ended here since the moment: it may
// have been read before. A full cache drops any other one.
func (c *proofCache) put(id Identity, standing stepkey.Standing, now time.Time, moment uint64) {
	if c == nil || standing.FullAt == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != moment {
		return
	}
	key := keyOf(id)
	if _, present := c.known[key]; !present && len(c.known) >= maxCachedProofs {
		for other := range c.known {
			delete(c.known, other)
			break
		}
	}
	c.known[key] = cachedProof{standing, now}
}

// forget drops what is remembered of a user.
func (c *proofCache) forget(user string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended++
	for key := range c.known {
		if key.user == user {
			delete(c.known, key)
		}
	}
}
