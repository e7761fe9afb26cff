package argon2

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func run(p *Pool, passes, kib uint32, lanes uint8) {
	p.IDKey([]byte("correct horse"), []byte("sixteen-byte-slt"), passes, kib, lanes, 32)
}

func TestBlocksAreZeroAfterAHash(t *testing.T) {
	pool := NewPool(64)
	for _, test := range []struct {
		passes, kib uint32
		lanes       uint8
	}{{2, 64, 1}, {1, 64, 2}, {2, 33, 1}, {3, 8, 1}} {
		run(pool, test.passes, test.kib, test.lanes)
		if len(pool.kept) != 1 {
			t.Fatalf("%d sets are kept, want 1", len(pool.kept))
		}
		if i := slices.IndexFunc(pool.kept[0], func(b block) bool { return b != block{} }); i >= 0 {
			t.Errorf("m=%d,t=%d,p=%d leaves block %d", test.kib, test.passes, test.lanes, i)
		}
	}
}

func TestTheNextHashTakesTheSameBlocks(t *testing.T) {
	const kib, hashes = 4096, 20
	pool := NewPool(kib)
	run(pool, 1, kib, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range hashes {
		run(pool, 1, kib, 1)
		run(pool, 1, kib/2, 1)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > kib*1024/2 {
		t.Errorf("%d hashes allocated %d bytes", 2*hashes, allocated)
	}
}

// Sets that are kept and sets in use are together no more than were ever in use at once.
func TestSetsAreBoundedByHashesAtOnce(t *testing.T) {
	const slots, kib = 3, 64
	pool := NewPool(kib)
	gate := make(chan struct{}, slots)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			run(pool, 1, uint32(kib+i%3*kib/2), uint8(1+i%2))
		})
	}
	wg.Wait()
	run(pool, 1, kib, 1)
	if n := len(pool.kept); n == 0 || n > slots {
		t.Errorf("%d sets are kept after at most %d hashes at once", n, slots)
	}
	// A hash that needs more does not leave a set lie beside its own blocks.
	before := len(pool.kept)
	run(pool, 1, 2*kib, 1)
	if n := len(pool.kept); n != before-1 {
		t.Errorf("%d of %d sets are kept after a larger hash, want one less", n, before)
	}
}

func TestUnusedSetsAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := NewPool(64)
		kept := func() int {
			pool.mu.Lock()
			defer pool.mu.Unlock()
			return len(pool.kept)
		}
		passes := func(want int) {
			t.Helper()
			time.Sleep(giveBackAfter)
			synctest.Wait()
			if n := kept(); n != want {
				t.Errorf("%d sets are kept, want %d", n, want)
			}
		}
		first, second, third := pool.take(64), pool.take(64), pool.take(64)
		pool.keep(first)
		pool.keep(second)
		pool.keep(third)
		passes(3) // they came after the last sweep
		run(pool, 1, 64, 1)
		passes(1) // two were not needed
		run(pool, 1, 64, 1)
		passes(1)
		passes(0)
		// It begins anew.
		run(pool, 1, 64, 1)
		passes(1)
		passes(0)
		if pool.sweeper {
			t.Error("a timer holds a pool that keeps nothing")
		}
	})
}
