package password

import (
	"context"
	"time"
)

// A hash made by another system takes more or less time to compare than one of ours. Unless all
// failed logins take the longest of those times, the timing reveals which names exist and whose
// hash is old. Another instance or a command may import hashes at any time, so the store is read
// for their kinds at start and regularly.

// FailureFloor returns the minimum duration of a failed login.
func (k *Keeper) FailureFloor() time.Duration { return time.Duration(k.floor.Load()) }

// Imported raises the failure floor as required by a hash that was added to the
// store.
func (k *Keeper) Imported(hash string) { k.raiseFloor(hash) }

// DelayFailure waits until a failed login that began at began and was compared with hash may be
// answered, or until ctx is done. The caller must not hold a slot of the gate or a connection.
func (k *Keeper) DelayFailure(ctx context.Context, hash string, began time.Time) {
	pause(ctx, k.failureDelay(hash, time.Since(began)))
}

// failureDelay returns the rest of the failure floor for a login that has
// already taken that long.
func (k *Keeper) failureDelay(hash string, took time.Duration) time.Duration {
	k.raiseFloor(hash)
	return max(0, k.FailureFloor()-took)
}

// raiseFloor never lowers the floor. If the last old hash was replaced, the floor is
// lowered at the next start.
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
