package tokens

import (
	"slices"
	"testing"
	"time"

	"github.com/stepkey/stepkey/storage"
)

func TestKeyStates(t *testing.T) {
	now := time.Date(2030, 5, 17, 9, 30, 0, 0, time.UTC)
	key := func(id string, activates time.Duration) storage.SealedKey {
		return storage.SealedKey{ID: id, ActivatesAt: now.Add(activates)}
	}
	revoked := func(k storage.SealedKey) storage.SealedKey { k.RevokedAt = &now; return k }
	const hour = time.Hour
	for _, test := range []struct {
		name string
		keys []storage.SealedKey
		want []KeyState
	}{
		{"none", nil, []KeyState{}},
		{"one", []storage.SealedKey{key("a", -hour)}, []KeyState{KeyCurrent}},
		{"one, at its time", []storage.SealedKey{key("a", 0)}, []KeyState{KeyCurrent}},
		{"one, before its time", []storage.SealedKey{key("a", 1)}, []KeyState{KeyNext}},
		{"next is published", []storage.SealedKey{key("b", hour), key("a", -hour)}, []KeyState{KeyNext, KeyCurrent}},
		{"just changed over", []storage.SealedKey{key("b", 0), key("a", -hour)}, []KeyState{KeyCurrent, KeyPrevious}},
		{"last token of the one before", []storage.SealedKey{key("b", 1-keyAccepted), key("a", -hour)}, []KeyState{KeyCurrent, KeyPrevious}},
		{"beyond it", []storage.SealedKey{key("b", -keyAccepted), key("a", -hour)}, []KeyState{KeyCurrent, KeyRetired}},
		{"order does not matter", []storage.SealedKey{key("a", -hour), key("c", hour), key("b", 0)}, []KeyState{KeyPrevious, KeyNext, KeyCurrent}},
		{"one moment", []storage.SealedKey{key("a", 0), key("b", 0)}, []KeyState{KeyPrevious, KeyCurrent}},
		{"current revoked", []storage.SealedKey{revoked(key("b", 0)), key("a", -hour)}, []KeyState{KeyRevoked, KeyPrevious}},
		{"next revoked", []storage.SealedKey{revoked(key("b", hour)), key("a", -hour)}, []KeyState{KeyRevoked, KeyCurrent}},
		{"previous revoked", []storage.SealedKey{key("b", 0), revoked(key("a", -hour))}, []KeyState{KeyCurrent, KeyRevoked}},
	} {
		if got := keyStates(test.keys, now); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestPublishedLongerThanAnybodyKeepsTheOldSet(t *testing.T) {
	if KeyLead < 2*JWKSMaxAge {
		t.Errorf("a key is published %s before it signs, and sets may be kept for %s", KeyLead, JWKSMaxAge)
	}
}
