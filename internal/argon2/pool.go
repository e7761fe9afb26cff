package argon2

import (
	"sync"
	"time"
)

// giveBackAfter is how often a [Pool] gives back the blocks that no hash needed in the meantime.
const giveBackAfter = time.Minute

// Pool keeps the blocks of hashes for the next ones. It is safe for concurrent use. It does not bound how many
// hashes run at once; its user does, and so bounds what the pool keeps as well: the hashes that run and the sets
// of blocks that are kept are together never more than the hashes that have run at once.
type Pool struct {
	blocks int // of a set

	mu      sync.Mutex
	kept    [][]block
	unused  int  // how many sets were kept all the time since the last sweep
	sweeper bool // sweep is going to run
}

// NewPool returns a Pool of sets of blocks for hashes of kib. A hash that takes less uses such a set too; one that
// takes more gets blocks of its own, which are not kept. A set that no hash has needed for one to two minutes goes
// back to the heap.
func NewPool(kib uint32) *Pool { return &Pool{blocks: int(kib)} }

// IDKey derives a key of keyLength bytes from password and salt by argon2id, with kib of memory. It panics if
// passes or lanes is zero. The caller checks them, and bounds all three.
//
// The blocks are zeroed before IDKey returns. The first blocks of the first pass let a guess at the password be
// checked by a single BLAKE2b, and those of the second one for half the price of the hash: cheaper than with the
// stored hash, and without it. A pool would keep them until the next hash, within reach of a core dump or a bug
// that reads too far. Copies of single blocks on the stack are soon overwritten, as is the password that
// the caller received.
func (p *Pool) IDKey(password, salt []byte, passes, kib uint32, lanes uint8, keyLength uint32) []byte {
	if passes == 0 || lanes == 0 {
		panic("argon2: no passes or no lanes")
	}
	s := newSeed(password, salt, nil, nil, passes, kib, uint32(lanes), keyLength)
	n := int(roundDown(kib, uint32(lanes)))
	set := p.take(n)
	used := set[:n]
	defer func() {
		clear(used)
		p.keep(set)
	}()
	return newMemory(used, passes, uint32(lanes)).derive(s, keyLength)
}

// take returns n blocks or more.
func (p *Pool) take(n int) []block {
	p.mu.Lock()
	defer p.mu.Unlock()
	var set []block
	if last := len(p.kept) - 1; last >= 0 {
		set, p.kept = p.kept[last], p.kept[:last]
		p.kept[:last+1][last] = nil
		p.unused = min(p.unused, last)
	}
	// A set that is too small is dropped, or it would be kept beside the blocks of this hash.
	if len(set) < n {
		set = make([]block, max(n, p.blocks))
	}
	return set
}

// keep is the end of take.
func (p *Pool) keep(set []block) {
	if len(set) != p.blocks {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = append(p.kept, set)
	if !p.sweeper {
		p.sweeper = true
		time.AfterFunc(giveBackAfter, p.sweep)
	}
}

// sweep drops the sets that no hash has taken since the last sweep, and comes back while there are others.
func (p *Pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.kept[len(p.kept)-p.unused:])
	p.kept = p.kept[:len(p.kept)-p.unused]
	p.unused = len(p.kept)
	p.sweeper = len(p.kept) > 0
	if p.sweeper {
		time.AfterFunc(giveBackAfter, p.sweep)
	}
}
