package stepkey

import (
	"errors"
	"slices"
	"time"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// Keys are rotated by time and not by command: a key is published before it signs
// and accepted after it has stopped, so that nobody who checks tokens ever meets
// one that they do not know. The times are in the database, and so all instances
// change over at one moment without talking to each other.
const (
	// KeyLead is how long a key is published before it signs. Verifiers keep public
	// keys for five minutes (JWKSMaxAge); three times that leaves room for one that
	// misses a fetch.
	KeyLead = 3 * JWKSMaxAge

	// JWKSMaxAge is for how long verifiers may keep the public keys.
	JWKSMaxAge = 5 * time.Minute

	// KeyLifetime is for how long a key signs unless Config says otherwise.
	KeyLifetime = 90 * 24 * time.Hour

	// keyAccepted is for how long a key is accepted after its successor began to
	// sign: the life of its last token, with room for clocks.
	keyAccepted = token.Lifetime + 2*token.Leeway
)

// KeyState is what a key is at a moment.
type KeyState string

// The states, in the order of a key's life. Revoked can follow any of them.
const (
	KeyNext     KeyState = "next"     // published, does not sign yet
	KeyCurrent  KeyState = "current"  // signs
	KeyPrevious KeyState = "previous" // published, what it signed is accepted
	KeyRetired  KeyState = "retired"  // accepted no longer
	KeyRevoked  KeyState = "revoked"  // accepted no longer, by decision
)

// KeyInfo describes a signing key.
type KeyInfo struct {
	ID          string
	Algorithm   token.Algorithm
	State       KeyState
	CreatedAt   time.Time
	ActivatesAt time.Time
}

// ErrOtherSecret is returned by [New] for a store that was set up with another
// secret. Its signing keys cannot be opened, and making new ones in silence
// would sign everybody out.
var ErrOtherSecret = errors.New("stepkey: the database was set up with another STEPKEY_SECRET: " +
	"start with the one it was first used with, found in the data folder or wherever it was kept")

// keyStates says what each key is at now. The keys may come in any order; the
// states come in the order of the keys.
func keyStates(keys []storage.SealedKey, now time.Time) []KeyState {
	current := currentKey(keys, now)
	states := make([]KeyState, len(keys))
	for i, k := range keys {
		switch {
		case k.RevokedAt != nil:
			states[i] = KeyRevoked
		case i == current:
			states[i] = KeyCurrent
		case k.ActivatesAt.After(now):
			states[i] = KeyNext
		case now.Before(successorOf(keys, k).Add(keyAccepted)):
			states[i] = KeyPrevious
		default:
			states[i] = KeyRetired
		}
	}
	return states
}

// currentKey is the index of the key that activated last, or -1 if that one was
// revoked: an older key never comes back.
func currentKey(keys []storage.SealedKey, now time.Time) int {
	last := -1
	for i, k := range keys {
		if !k.ActivatesAt.After(now) && (last < 0 || laterKey(k, keys[last])) {
			last = i
		}
	}
	if last >= 0 && keys[last].RevokedAt != nil {
		return -1
	}
	return last
}

// laterKey decides between two keys in one way for all instances.
func laterKey(a, b storage.SealedKey) bool {
	if a.ActivatesAt.Equal(b.ActivatesAt) {
		return a.ID > b.ID
	}
	return a.ActivatesAt.After(b.ActivatesAt)
}

// successorOf is when the key after k began to sign. A revoked key counts: it did
// sign in its time.
func successorOf(keys []storage.SealedKey, k storage.SealedKey) time.Time {
	var first *storage.SealedKey
	for i := range keys {
		if laterKey(keys[i], k) && (first == nil || laterKey(*first, keys[i])) {
			first = &keys[i]
		}
	}
	if first == nil {
		return k.ActivatesAt
	}
	return first.ActivatesAt
}

// hasNext reports whether a key is waiting to sign.
func hasNext(keys []storage.SealedKey, now time.Time) bool {
	return slices.Contains(keyStates(keys, now), KeyNext)
}
