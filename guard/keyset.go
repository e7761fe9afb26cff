package guard

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stepkey/stepkey/token"
)

// The bounds on how long a key set is cached. The issuer's max-age is bounded
// so that a mistake neither floods the issuer nor keeps a dropped key in use
// for days.
const (
	minKeyAge     = 30 * time.Second
	defaultKeyAge = 5 * time.Minute
	maxKeyAge     = time.Hour
)

// keySet is the result of one fetch. It is immutable.
type keySet struct {
	keys map[string]token.VerificationKey

	// refreshAt is when to fetch a newer set, staleAt when requests must wait for
	// that fetch, and deadAt when this set is no longer used even if the fetch
	// fails.
	refreshAt, staleAt, deadAt time.Time
}

func newKeySet(a answer, asked time.Time) (*keySet, error) {
	keys, err := parseKeys(a.body)
	if err != nil {
		return nil, err
	}
	age := keyAge(a.header)
	return &keySet{
		keys:      keys,
		refreshAt: asked.Add(age * 4 / 5),
		staleAt:   asked.Add(age),
		deadAt:    asked.Add(max(age, maxKeyAge)),
	}, nil
}

// parseKeys returns the usable keys of a JWKS. Keys of other kinds and for other
// uses are left out (RFC 7517 §5). An empty set accepts nothing.
func parseKeys(body []byte) (map[string]token.VerificationKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || set.Keys == nil {
		return nil, errors.New("guard: not a key set")
	}
	keys := map[string]token.VerificationKey{}
	for _, text := range set.Keys {
		var jwk token.JWK
		if err := json.Unmarshal(text, &jwk); err != nil || (jwk.Use != "" && jwk.Use != "sig") {
			continue
		}
		if key, err := jwk.VerificationKey(); err == nil {
			keys[key.ID()] = key
		}
	}
	return keys, nil
}

// keyAge returns how long Cache-Control allows caching (RFC 9111 §5.2.2),
// within our bounds.
func keyAge(header http.Header) time.Duration {
	age := defaultKeyAge
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return minKeyAge
		case "max-age":
			if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				age = time.Duration(seconds) * time.Second
			}
		}
	}
	return min(max(age, minKeyAge), maxKeyAge)
}
