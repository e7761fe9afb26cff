package stepkey

import (
	"context"
	"errors"
	"time"

	"github.com/stepkey/stepkey/internal/password"
)

// Comparing a password with a hash that was made elsewhere takes another time than with one
// of ours, more or less: unless failed logins all take the longest of them, their time says
// which names exist, and whose hash is old. Which kinds there are is looked up in the store
// at start and from then on, because another instance, or a command, may import some.

const (
	// oldHashesEvery is how soon an import by another process is noticed. Until then the
	// first failed login at such an account is.
	oldHashesEvery = 15 * time.Second

	// maxKindsAtOnce bounds the queries of one look. The next one goes on from there.
	maxKindsAtOnce = 200
)

// failureDelay is how long the answer to a failed login has to wait yet. It waits without a
// turn to hash and without a connection to the database.
func (s *Service) failureDelay(u User, took time.Duration) time.Duration {
	s.raiseFailureFloor(s.hasher.FailureFloor(u.PasswordHash))
	return max(0, time.Duration(s.failureFloor.Load())-took)
}

// raiseFailureFloor never lowers it: the last old hash may have been remade, but the next
// start finds that out as well.
func (s *Service) raiseFailureFloor(floor time.Duration) {
	for {
		current := s.failureFloor.Load()
		if int64(floor) <= current || s.failureFloor.CompareAndSwap(current, int64(floor)) {
			return
		}
	}
}

// oldHashes is where a look at the kinds of hashes has got to.
type oldHashes struct {
	every    time.Duration
	from     string // the least hash that has not been looked at
	reported bool   // that there are unusable ones
}

// lookForOldHashes raises the failure floor to what the hashes in the store ask for. It
// reads one hash of each kind.
func (s *Service) lookForOldHashes(ctx context.Context) error {
	for range maxKindsAtOnce {
		hash, err := s.store.NextOldHash(ctx, s.oldHashes.from)
		if errors.Is(err, ErrNotFound) {
			s.oldHashes.from = ""
			return nil
		}
		if err != nil {
			return err
		}
		s.oldHashes.from = password.AfterKind(hash)
		s.raiseFailureFloor(s.hasher.FailureFloor(hash))
		s.reportUnusable(ctx, hash)
	}
	return nil
}

// reportUnusable tells the operator, once, that an upgrade has left users behind.
func (s *Service) reportUnusable(ctx context.Context, hash string) {
	err := password.Check(hash)
	if err == nil || s.oldHashes.reported {
		return
	}
	s.oldHashes.reported = true
	s.log.WarnContext(ctx, "some users have a password hash that is not compared; they need a new password", "reason", err)
}

// followOldHashes looks again and again, until ctx ends.
func (s *Service) followOldHashes(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(s.oldHashes.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.lookForOldHashes(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

// comparable is the user's hash, or one that belongs to no password where Verify would
// refuse the user's. So a hash beyond the ceilings, which an earlier version took, is
// answered like a wrong password and takes as long. Its user sets a new password by e-mail,
// signs in with a passkey, or asks the operator.
func (s *Service) comparable(ctx context.Context, u User) string {
	err := password.Check(u.PasswordHash)
	if err == nil {
		return u.PasswordHash
	}
	s.log.WarnContext(ctx, "password hash not compared; the user needs a new password", "user", u.ID, "reason", err)
	return s.hasher.Decoy()
}
