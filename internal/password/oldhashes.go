package password

import (
	"context"
	"errors"
	"time"

	"github.com/stepkey/stepkey/storage"
)

const (
	// lookEvery is how soon an import by another process is noticed. Until then, the
	// first failed login at such an account raises the floor.
	lookEvery = 15 * time.Second

	// maxKindsAtOnce bounds the queries of one poll. The next poll continues from there.
	maxKindsAtOnce = 200
)

// look is the state of polling the store for its kinds of hashes.
type look struct {
	every    time.Duration
	from     string // the least hash that has not been read
	reported bool   // that there are unusable ones
}

// LookForOldHashes raises the failure floor as required by the hashes in the store. It reads
// one hash of each kind, and at most 200 kinds; the next call continues with the others. Calls
// must not overlap.
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

// reportUnusable tells the operator, once, that some users' hashes are no
// longer accepted.
func (k *Keeper) reportUnusable(ctx context.Context, hash string) {
	err := Check(hash)
	if err == nil || k.look.reported {
		return
	}
	k.look.reported = true
	k.log.WarnContext(ctx, "some users have a password hash that is no longer accepted; they need a new password", "reason", err)
}

// FollowOldHashes calls LookForOldHashes regularly until ctx is done, and calls failed with
// its errors.
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
