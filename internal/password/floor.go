package password

import (
	"context"
	"time"
)

// A hash that was made elsewhere takes more or less time to compare than one of ours. Unless all
// failed logins take the longest of those times, the time tells which names exist and whose hash
// is old. Another instance or a command may import hashes at any time, so the store is read for
// their kinds at start and regularly.

// FailureFloor is how long a failed login takes at least.
func (k *Keeper) FailureFloor() time.Duration { return time.Duration(k.floor.Load()) }

// Imported raises the failure floor to what a hash needs that came into the store.
func (k *Keeper) Imported(hash string) { k.raiseFloor(hash) }

// DelayFailure returns when a failed login may be answered that was compared with hash and began
// at began, or when ctx ends. The caller holds no slot of the gate and no connection meanwhile.
func (k *Keeper) DelayFailure(ctx context.Context, hash string, began time.Time) {
	pause(ctx, k.failureDelay(hash, time.Since(began)))
}

// failureDelay is the rest of the failure floor for a login that took so long.
func (k *Keeper) failureDelay(hash string, took time.Duration) time.Duration {
	k.raiseFloor(hash)
	return max(0, k.FailureFloor()-took)
}

// raiseFloor never lowers the floor. The last old hash may have been remade; the next start
// notices that as well.
func (k *Keeper) raiseFloor(hash string) {
	floor := int64(k.hasher.FailureFloor(hash))
	for {
		current := k.floor.Load()
		if floor <= current || k.floor.CompareAndSwap(current, floor) {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
