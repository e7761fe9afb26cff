package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// invited puts an invitation that expires an hour after the epoch.
func invited(t *testing.T, s storage.Store, address string) (storage.Invitation, storage.LinkDigest) {
	t.Helper()
	i := storage.Invitation{ID: uuid.New(), Address: address, Language: "de", CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}
	digest := storage.LinkDigest(sha256.Sum256(i.ID[:]))
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.PutInvitation(ctx, i, digest) })
	return i, digest
}

func takeInvitation(t *testing.T, s storage.Store, digest storage.LinkDigest, now time.Time) (i storage.Invitation, err error) {
	t.Helper()
	err = s.InTx(t.Context(), func(tx storage.Tx) (err error) {
		i, err = tx.TakeInvitation(t.Context(), digest, now)
		return err
	})
	return i, err
}

func invitations(t *testing.T, s storage.Store) {
	open, digest := invited(t, s, "")
	fixed, other := invited(t, s, "Mira@example.com")
	want := []storage.Invitation{open, fixed}
	slices.SortFunc(want, func(a, b storage.Invitation) int { return slices.Compare(a.ID[:], b.ID[:]) })
	list, err := s.Invitations(t.Context(), epoch, uuid.Nil, 10)
	if err != nil || !cmp.Equal(list, want) {
		t.Errorf("Invitations: %v, %v; want %v", list, err, want)
	}
	if list, err = s.Invitations(t.Context(), epoch, want[0].ID, 1); err != nil || !cmp.Equal(list, want[1:]) {
		t.Errorf("Invitations after the first: %v, %v", list, err)
	}
	if list, err = s.Invitations(t.Context(), epoch.Add(time.Hour), uuid.Nil, 10); err != nil || len(list) != 0 {
		t.Errorf("Invitations once they have expired: %v, %v", list, err)
	}
	if i, err := s.Invitation(t.Context(), digest, epoch); err != nil || !cmp.Equal(i, open) {
		t.Errorf("Invitation: %v, %v; want %v", i, err, open)
	}
	if _, err := s.Invitation(t.Context(), digest, epoch.Add(time.Hour)); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Invitation that has expired: %v", err)
	}
	if _, err := takeInvitation(t, s, digest, epoch.Add(time.Hour)); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("taking one that has expired: %v", err)
	}
	if i, err := takeInvitation(t, s, other, epoch); err != nil || !cmp.Equal(i, fixed) {
		t.Errorf("TakeInvitation: %v, %v; want %v", i, err, fixed)
	}
	if _, err := takeInvitation(t, s, other, epoch); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("taking one again: %v", err)
	}
	for _, want := range []bool{true, false} {
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
			revoked, err := tx.RevokeInvitation(ctx, open.ID)
			if revoked != want {
				t.Errorf("RevokeInvitation: %t, want %t", revoked, want)
			}
			return err
		})
	}
	if _, err := s.Invitation(t.Context(), digest, epoch); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Invitation that was revoked: %v", err)
	}
}

// invitationUndone: an invitation that was taken in a transaction that fails can be used again.
func invitationUndone(t *testing.T, s storage.Store) {
	want, digest := invited(t, s, "")
	fault := errors.New("the name is taken")
	err := s.InTx(t.Context(), func(tx storage.Tx) error {
		if _, err := tx.TakeInvitation(t.Context(), digest, epoch); err != nil {
			t.Error(err)
		}
		return fault
	})
	if !errors.Is(err, fault) {
		t.Fatal(err)
	}
	if i, err := takeInvitation(t, s, digest, epoch); err != nil || !cmp.Equal(i, want) {
		t.Errorf("TakeInvitation: %v, %v; want %v", i, err, want)
	}
}

func oneTakesTheInvitation(t *testing.T, s storage.Store) {
	_, digest := invited(t, s, "")
	won := race(32, func(int) bool {
		_, err := takeInvitation(t, s, digest, epoch)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("TakeInvitation: %v", err)
		}
		return err == nil
	})
	if won != 1 {
		t.Errorf("%d took the invitation, want 1", won)
	}
}
