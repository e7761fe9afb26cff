package redisstore_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/redistest"
	"github.com/stepkey/stepkey/redisstore"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

// open returns a store whose deadline no load reaches.
func open(t testing.TB, server *redistest.Server) *redisstore.Store {
	t.Helper()
	return openWithin(t, server, patience.Long)
}

func openWithin(t testing.TB, server *redistest.Server, timeout time.Duration) *redisstore.Store {
	t.Helper()
	store, err := redisstore.Open(t.Context(), server.URL(), redisstore.Options{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// inspect returns a client to look at the server with.
func inspect(t *testing.T, server *redistest.Server) rueidis.Client {
	t.Helper()
	option, err := rueidis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	option.ForceSingleClient, option.DisableCache = true, true
	client, err := rueidis.NewClient(option)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// do sends a command, whose words are separated by spaces.
func do(t *testing.T, client rueidis.Client, command string) rueidis.RedisResult {
	t.Helper()
	result := client.Do(context.WithoutCancel(t.Context()), client.B().Arbitrary(strings.Fields(command)...).Build())
	if err := result.Error(); err != nil && !rueidis.IsRedisNil(err) {
		t.Fatalf("%s: %v", command, err)
	}
	return result
}

func keys(t *testing.T, client rueidis.Client) []string {
	t.Helper()
	names, err := do(t, client, "KEYS *").AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// wantTTLs checks that no key stays for ever.
func wantTTLs(t *testing.T, client rueidis.Client) {
	t.Helper()
	for _, name := range keys(t, client) {
		ttl, err := client.Do(context.WithoutCancel(t.Context()), client.B().Pttl().Key(name).Build()).AsInt64()
		if err != nil || ttl == -1 {
			t.Errorf("%q has the TTL %d, %v", name, ttl, err)
		}
	}
}

// ageScript makes all that is stored older by some microseconds, times and TTLs.
const ageScript = `
local by = tonumber(ARGV[1])
for _, key in ipairs(redis.call('KEYS', 'stepkey:limit:*')) do
  local full = redis.call('GET', key) - by
  redis.call('SET', key, string.format('%.0f', full), 'PXAT', math.ceil(full / 1000))
end
for _, key in ipairs(redis.call('KEYS', 'stepkey:challenges:*')) do
  local ttl = redis.call('PTTL', key) - math.floor(by / 1000)
  local entries = redis.call('HGETALL', key)
  for i = 1, #entries, 2 do
    local number, ends, state = string.match(entries[i + 1], '^(%d+) (%d+)( .*)$')
    redis.call('HSET', key, entries[i], number .. string.format(' %.0f', ends - by) .. state)
  end
  redis.call('PEXPIRE', key, ttl)
end
return 1`

// timeOf is the time of a server, which also runs by itself.
func timeOf(t *testing.T, client rueidis.Client) storetest.Time {
	return storetest.Time{
		Drift: 30 * time.Second,
		Advance: func(d time.Duration) {
			by := strconv.FormatInt(d.Microseconds(), 10)
			if err := client.Do(t.Context(), client.B().Eval().Script(ageScript).Numkeys(0).Arg(by).Build()).Error(); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func TestChallenges(t *testing.T) {
	storetest.TestChallenges(t, func(t *testing.T) (storage.Challenges, storetest.Time) {
		server := redistest.New(t, redistest.Options{})
		client := inspect(t, server)
		t.Cleanup(func() { wantTTLs(t, client) })
		return open(t, server), timeOf(t, client)
	})
}

func TestLimiter(t *testing.T) {
	storetest.TestLimiter(t, func(t *testing.T) (one, other storage.Limiter, _ storetest.Time) {
		server := redistest.New(t, redistest.Options{})
		client := inspect(t, server)
		t.Cleanup(func() { wantTTLs(t, client) })
		return open(t, server), open(t, server), timeOf(t, client)
	})
}

func newKey() storage.ChallengeKey {
	key := storage.ChallengeKey{Purpose: storage.PurposeStepUp, UserID: uuid.New(), SessionID: uuid.New()}
	copy(key.Digest[:], key.UserID[:])
	return key
}

func charge(bucket string) storage.Charge {
	return storage.Charge{Bucket: bucket, Limit: storage.Limit{Burst: 2, Every: time.Hour}, Cost: 1}
}

func TestTwoClientsShareChallenges(t *testing.T) {
	server := redistest.New(t, redistest.Options{})
	stores := []*redisstore.Store{open(t, server), open(t, server)}
	key := newKey()
	state := "binary\x00state\n\xff 1 2 "
	if err := stores[0].Put(t.Context(), key, []byte(state), time.Minute); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	took := make(chan string, 64)
	for i := range 64 {
		wg.Go(func() {
			got, err := stores[i%2].Take(t.Context(), key)
			if err == nil {
				took <- string(got)
			} else if !errors.Is(err, storage.ErrChallengeExpired) {
				t.Errorf("Take: %v", err)
			}
		})
	}
	wg.Wait()
	if len(took) != 1 {
		t.Fatalf("%d took the challenge, want 1", len(took))
	}
	if got := <-took; got != state {
		t.Errorf("state %q, want %q", got, state)
	}
}

// A decision is one command, however many buckets it is about.
func TestOneRoundTrip(t *testing.T) {
	server := redistest.New(t, redistest.Options{})
	store, client := open(t, server), inspect(t, server)
	all := func() {
		charges, key := []storage.Charge{charge("a"), charge("b"), charge("c")}, newKey()
		_, err := store.Charge(t.Context(), charges...)
		err = errors.Join(err, store.Refund(t.Context(), charges...), store.Put(t.Context(), key, nil, time.Minute))
		_, taken := store.Take(t.Context(), key)
		if err := errors.Join(err, taken); err != nil {
			t.Fatal(err)
		}
	}
	all() // the first time the server does not know the scripts
	do(t, client, "CONFIG RESETSTAT")
	all()
	stats, err := do(t, client, "INFO commandstats").ToString()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stats, "cmdstat_evalsha:calls=4,") || strings.Contains(stats, "cmdstat_eval:") {
		t.Errorf("want 4 calls of EVALSHA and none of EVAL:\n%s", stats)
	}
}

// A bucket's key lives until the bucket is full: what is forgotten earlier gives a
// guess back. Nor does it live much longer.
func TestBucketsLiveUntilTheyAreFull(t *testing.T) {
	server := redistest.New(t, redistest.Options{})
	store, client := open(t, server), inspect(t, server)
	for i := range 50 {
		bucket := strconv.Itoa(i)
		if _, err := store.Charge(t.Context(), charge(bucket), charge("all"+bucket)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range keys(t, client) {
		full, err1 := do(t, client, "GET "+key).AsInt64()
		expires, err2 := do(t, client, "PEXPIRETIME "+key).AsInt64()
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if early := full - 1000*expires; early > 0 || early <= -1000 {
			t.Errorf("%s is forgotten %d µs before it is full", key, early)
		}
	}
}

func TestRefundedBucketLeavesNoKey(t *testing.T) {
	server := redistest.New(t, redistest.Options{})
	store, client := open(t, server), inspect(t, server)
	_, err := store.Charge(t.Context(), charge("a"))
	if err := errors.Join(err, store.Refund(t.Context(), charge("a"), charge("unknown"))); err != nil {
		t.Fatal(err)
	}
	if names := keys(t, client); len(names) > 0 {
		t.Errorf("keys %q are left of full buckets", names)
	}
}

func BenchmarkCharge(b *testing.B) {
	store := open(b, redistest.New(b, redistest.Options{}))
	wide := storage.Limit{Burst: 1 << 30, Every: time.Microsecond}
	for name, buckets := range map[string]int{"one": 1, "three": 3} {
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					var charges []storage.Charge
					for n := range buckets {
						bucket := strconv.Itoa(1000*n + i%100)
						charges = append(charges, storage.Charge{Bucket: bucket, Limit: wide, Cost: 1})
					}
					if _, err := store.Charge(b.Context(), charges...); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
