package token

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// DefaultCacheSize is how many verified tokens a [Verifier] caches by default.
// An entry takes less than a kilobyte for Stepkey's tokens and never more than
// 8 KiB.
const DefaultCacheSize = 4096

// CacheTime is how long a verified token is cached. Verifying an ES256
// signature costs about eighty times as much as the look-up, and a client comes
// back within seconds or not soon.
const CacheTime = 30 * time.Second

// cache remembers verified tokens by the SHA-256 of all their bytes. Only
// tokens with a valid signature get in, so only an issuer can fill it.
//
// It is set-associative, like a processor's cache: memory is fixed, no lock is
// taken, and nothing has to be swept. Two writers of one slot overwrite each
// other, which costs one verification.
type cache struct {
	sets []cacheSet
}

type cacheSet [8]atomic.Pointer[cached]

// cached is immutable once it is in a cache.
type cached struct {
	digest [sha256.Size]byte
	by     signedBy
	claims Claims

	// from and until bound the entry's life in nanoseconds since the epoch.
	// Setting the clock back ends it as well.
	from, until int64
}

func newCache(size int) *cache {
	if size < 0 {
		return nil
	}
	if size == 0 {
		size = DefaultCacheSize
	}
	places := len(cacheSet{})
	return &cache{sets: make([]cacheSet, (size+places-1)/places)}
}

func (c *cache) set(digest [sha256.Size]byte) *cacheSet {
	return &c.sets[binary.BigEndian.Uint64(digest[:8])%uint64(len(c.sets))]
}

func (c *cache) get(digest [sha256.Size]byte, now int64) *cached {
	set := c.set(digest)
	for i := range set {
		if e := set[i].Load(); e != nil && e.digest == digest && e.from <= now && now < e.until {
			return e
		}
	}
	return nil
}

// put replaces the entry of the same token, or fills a free slot, or replaces
// the oldest entry.
func (c *cache) put(fresh *cached) {
	set := c.set(fresh.digest)
	place, oldest := 0, int64(0)
	for i := range set {
		e := set[i].Load()
		if e == nil {
			place, oldest = i, -1
			continue
		}
		if e.digest == fresh.digest {
			place = i
			break
		}
		if oldest == 0 || e.until < oldest {
			place, oldest = i, e.until
		}
	}
	set[place].Store(fresh)
}

func (v *Verifier) verifyCached(ctx context.Context, raw string) (Claims, error) {
	digest, now := sha256.Sum256([]byte(raw)), v.clock().UnixNano()
	if held := v.cache.get(digest, now); held != nil {
		key, err := v.keys.VerificationKey(ctx, held.by.keyID)
		if err != nil {
			return Claims{}, &Error{ReasonUnknownKey, err}
		}
		// The name may now belong to another key, or a previous secret may have been
		// dropped. Then the signature must be verified again.
		if key.equal(held.by.key) {
			return v.recall(held)
		}
	}
	claims, by, err := v.verify(ctx, raw)
	if err != nil {
		return Claims{}, err
	}
	v.cache.put(&cached{digest: digest, by: by, claims: claims.clone(), from: now, until: now + int64(CacheTime)})
	return claims, nil
}

// recall repeats the checks whose result changes with time.
func (v *Verifier) recall(held *cached) (Claims, error) {
	if err := check(v.registered, &held.claims, ""); err != nil {
		return Claims{}, err
	}
	return held.claims.clone(), nil
}

// clone returns a deep copy.
func (c Claims) clone() Claims {
	c.Audience, c.Methods = slices.Clone(c.Audience), slices.Clone(c.Methods)
	c.Groups, c.OwnClaims = slices.Clone(c.Groups), maps.Clone(c.OwnClaims)
	return c
}
