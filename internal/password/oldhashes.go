package password

import (
	"context"
	"errors"
	"time"

	"github.com/stepkey/stepkey/storage"
)

const (
	// lookEvery is how soon an import by another process is noticed. Until then the first
	// failed login at such an account raises the floor.
	lookEvery = 15 * time.Second

	// maxKindsAtOnce bounds the queries of one look. The next look continues from there.
	maxKindsAtOnce = 200
)

// look is the state of reading which kinds of hashes the store has.
type look struct {
	every    time.Duration
	from     string // the least hash that has not been read
	reported bool   // that there are unusable ones
}

// LookForOldHashes raises the failure floor to what the hashes in the store need. It reads one
// hash of each kind, and at most 200 kinds; the next call continues with the others. Calls must
// not overlap.
func (k *Keeper) LookForOldHashes(ctx context.Context) error {
	for range maxKindsAtOnce {
		hash, err := k.hashes.NextOldHash(ctx, k.look.from)
		if errors.Is(err, storage.ErrNotFound) {
			k.look.from = ""
			return nil
		}
		if err != nil {
			return err
		}
		k.look.from = AfterKind(hash)
		k.raiseFloor(hash)
		k.reportUnusable(ctx, hash)
	}
	return nil
}

// reportUnusable tells the operator, once, that an upgrade has left users behind.
func (k *Keeper) reportUnusable(ctx context.Context, hash string) {
	err := Check(hash)
	if err == nil || k.look.reported {
		return
	}
	k.look.reported = true
	k.log.WarnContext(ctx, "some users have a password hash that is not compared; they need a new password", "reason", err)
}

// FollowOldHashes calls LookForOldHashes regularly until ctx ends, and failed with its errors.
func (k *Keeper) FollowOldHashes(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(k.look.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := k.LookForOldHashes(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}
