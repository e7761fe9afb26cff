package token

import (
	"context"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultCacheSize is how many verified tokens a [Verifier] caches by default.
// An entry takes less than two kilobytes for Stepkey's tokens and never more than
// 16 KiB.
const DefaultCacheSize = 4096

// CacheTime is how long a verified token is cached. Verifying an ES256
// signature costs about eighty times as much as the look-up, and a client comes
// back within seconds or not soon.
const CacheTime = 30 * time.Second

// cache remembers verified tokens. Only tokens with a valid signature get in, so
// only an issuer can fill it. A token is found by a hash with a secret seed, which
// says where to look and nothing more: all its bytes are compared. How long that takes
// tells nothing, because another token is compared once in 2⁶⁴ times.
//
// It is set-associative, like a processor's cache: memory is fixed, no lock is
// taken, and nothing has to be swept. Two writers of one slot overwrite each
// other, which costs one verification.
type cache struct {
	seed maphash.Seed
	sets []cacheSet
}

type cacheSet [8]atomic.Pointer[cached]

// cached is immutable once it is in a cache.
type cached struct {
	hash   uint64
	raw    string
	by     signedBy
	claims Claims

	// from and until bound the entry's life in nanoseconds since the epoch, and until is
	// not after the token's own end. So a token that is found is one whose every check passes
	// now, because the others are the same at any time after from. Setting the clock back ends
	// the entry as well.
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
	return &cache{seed: maphash.MakeSeed(), sets: make([]cacheSet, (size+places-1)/places)}
}

func (c *cache) hash(raw string) uint64 { return maphash.String(c.seed, raw) }

func (c *cache) set(hash uint64) *cacheSet { return &c.sets[hash%uint64(len(c.sets))] }

func (c *cache) get(raw string, hash uint64, now int64) *cached {
	set := c.set(hash)
	for i := range set {
		if e := set[i].Load(); e != nil && e.hash == hash && e.raw == raw && e.from <= now && now < e.until {
			return e
		}
	}
	return nil
}

// put replaces the entry of the same token, or fills a free slot, or replaces
// the oldest entry.
func (c *cache) put(fresh *cached) {
	set := c.set(fresh.hash)
	place, oldest := 0, int64(0)
	for i := range set {
		e := set[i].Load()
		if e == nil {
			place, oldest = i, -1
			continue
		}
		if e.hash == fresh.hash && e.raw == fresh.raw {
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
	hash, now := v.cache.hash(raw), v.clock().UnixNano()
	if held := v.cache.get(raw, hash, now); held != nil {
		key, err := v.keys.VerificationKey(ctx, held.by.keyID)
		if err != nil {
			return Claims{}, &Error{ReasonUnknownKey, err}
		}
		// The name may now belong to another key, or a previous secret may have been
		// dropped. Then the signature must be verified again.
		if key.equal(held.by.key) {
			return held.claims.clone(), nil
		}
	}
	claims, by, err := v.verify(ctx, raw)
	if err != nil {
		return Claims{}, err
	}
	until := min(now+int64(CacheTime), time.Unix(claims.ExpiresAt, 0).Add(Leeway).UnixNano())
	v.cache.put(&cached{hash: hash, raw: strings.Clone(raw), by: by, claims: claims.clone(), from: now, until: until})
	return claims, nil
}

// clone returns a deep copy.
func (c Claims) clone() Claims {
	c.Audience, c.Methods = slices.Clone(c.Audience), slices.Clone(c.Methods)
	c.Groups, c.OwnClaims = slices.Clone(c.Groups), maps.Clone(c.OwnClaims)
	return c
}
