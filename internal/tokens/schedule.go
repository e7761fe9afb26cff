package tokens

import (
	"slices"
	"time"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// Keys rotate by time, not by command: a key is published before it signs and accepted
// after it has stopped, so that no verifier ever meets a key it does not know. The
// times are in the database, so all instances change over at the same moment without
// talking to each other.
const (
	// KeyLead is how long a key is published before it signs. Three times JWKSMaxAge
	// leaves room for a verifier that misses a fetch.
	KeyLead = 3 * JWKSMaxAge

	// JWKSMaxAge is how long verifiers may cache the public keys.
	JWKSMaxAge = 5 * time.Minute

	// keyAccepted is how long a key is accepted after its successor began to sign: the
	// lifetime of the last token it signed, plus room for clocks that differ.
	keyAccepted = token.Lifetime + 2*token.Leeway
)

// KeyState is the state of a signing key at a moment.
type KeyState string

// The states, in the order of a key's life. Revoked can follow any of the others.
const (
	KeyNext     KeyState = "next"     // published, does not sign yet
	KeyCurrent  KeyState = "current"  // signs
	KeyPrevious KeyState = "previous" // published; its signatures are accepted
	KeyRetired  KeyState = "retired"  // no longer accepted
	KeyRevoked  KeyState = "revoked"  // no longer accepted, by an operator's decision
)

// keyStates returns the state of each key at now, in the order of keys, which may be
// any.
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
		case now.Before(supersededAt(keys, k).Add(keyAccepted)):
			states[i] = KeyPrevious
		default:
			states[i] = KeyRetired
		}
	}
	return states
}

// currentKey returns the index of the key that activated last, or -1 if that key was
// revoked: an older key never signs again.
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

// lastKey returns the index of the key that activates last, revoked or not, or -1.
func lastKey(keys []storage.SealedKey) int {
	last := -1
	for i := range keys {
		if last < 0 || laterKey(keys[i], keys[last]) {
			last = i
		}
	}
	return last
}

// laterKey orders two keys by activation. The tie-break makes all instances agree.
func laterKey(a, b storage.SealedKey) bool {
	if a.ActivatesAt.Equal(b.ActivatesAt) {
		return a.ID > b.ID
	}
	return a.ActivatesAt.After(b.ActivatesAt)
}

// supersededAt returns when the successor of k began to sign. A revoked successor
// counts, because it did sign before.
func supersededAt(keys []storage.SealedKey, k storage.SealedKey) time.Time {
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

// hasNext reports whether a key is published that does not sign yet.
func hasNext(keys []storage.SealedKey, now time.Time) bool {
	return slices.Contains(keyStates(keys, now), KeyNext)
}
