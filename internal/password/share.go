package password

import (
	"errors"
	"time"
)

// ErrShareTaken is returned by [Gate.Enter] for a key that already holds all its
// places.
var ErrShareTaken = errors.New("password: too many places at once for one key")

// HalfLane as the Places of a [Share] allows half of a lane's capacity.
const HalfLane = 0

// Share bounds how many places one key holds at once, in both lanes together. The key is
// an account, a device or an address: without a bound, one client fills the lanes.
type Share struct {
	Key    string
	Places int // or HalfLane
}

// takeShares counts a place for each of shares, or for none of them if one is used up. The mutex
// is held.
func (g *Gate) takeShares(shares []Share) bool {
	for _, s := range shares {
		if g.held[s.Key] >= g.most(s) {
			return false
		}
	}
	for _, s := range shares {
		g.held[s.Key]++
	}
	return true
}

// leaveShares undoes takeShares. The mutex is held.
func (g *Gate) leaveShares(shares []Share) {
	for _, s := range shares {
		if g.held[s.Key]--; g.held[s.Key] == 0 {
			delete(g.held, s.Key)
		}
	}
}

// most returns how many places a share has. Half a lane is at least two places: one that
// waits and one that runs.
func (g *Gate) most(s Share) int {
	if s.Places != HalfLane {
		return s.Places
	}
	lane := g.maxWait * time.Duration(g.slots) / max(1, g.average)
	return max(2, int(lane/2))
}
