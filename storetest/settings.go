package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/storage"
)

func pinSetting(t *testing.T, s storage.Store) {
	values := make([]string, 8)
	race(len(values), func(i int) bool {
		err := s.InTx(t.Context(), func(tx storage.Tx) (err error) {
			values[i], err = tx.PinSetting(t.Context(), "name", string(rune('a'+i)))
			return err
		})
		if err != nil {
			t.Errorf("PinSetting: %v", err)
		}
		return err == nil
	})
	for _, value := range values {
		if value == "" || value != values[0] {
			t.Fatalf("the pinned value is not the same for all: %q", values)
		}
	}
}

func oneSpends(t *testing.T, s storage.Store) {
	won := race(32, func(int) bool {
		first, err := s.SpendAction(t.Context(), "action", epoch)
		if err != nil {
			t.Errorf("SpendAction: %v", err)
		}
		return first
	})
	if won != 1 {
		t.Errorf("%d were told to be first, want 1", won)
	}
	if first, err := s.SpendAction(t.Context(), "another", epoch); !first || err != nil {
		t.Errorf("another action: %v, %v; want it to be first", first, err)
	}
}

func signingKeys(t *testing.T, s storage.Store) {
	older := storage.SealedKey{ID: "older", Sealed: []byte{1}, CreatedAt: epoch, ActivatesAt: epoch}
	newer := storage.SealedKey{ID: "newer", Sealed: []byte{2}, CreatedAt: epoch, ActivatesAt: epoch.Add(time.Hour)}
	for _, key := range []storage.SealedKey{older, newer} {
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.AddSigningKey(ctx, key) })
	}
	got, err := s.SigningKeys(t.Context())
	if diff := cmp.Diff([]storage.SealedKey{newer, older}, got); err != nil || diff != "" {
		t.Errorf("SigningKeys: %v, -want +got:\n%s", err, diff)
	}
	revoke := func(id string, at time.Time) error {
		return s.InTx(t.Context(), func(tx storage.Tx) error { return tx.RevokeSigningKey(t.Context(), id, at) })
	}
	if err := revoke("unknown", epoch); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("RevokeSigningKey of an unknown key: %v, want ErrNotFound", err)
	}
	at := epoch.Add(time.Minute)
	for _, again := range []time.Duration{0, time.Hour} {
		if err := revoke("older", at.Add(again)); err != nil {
			t.Errorf("RevokeSigningKey: %v", err)
		}
	}
	older.RevokedAt = &at
	got, err = s.SigningKeys(t.Context())
	if diff := cmp.Diff([]storage.SealedKey{newer, older}, got); err != nil || diff != "" {
		t.Errorf("SigningKeys after revoking: %v, -want +got:\n%s", err, diff)
	}
}

// One that is rolled back has spent nothing, and nil spends nothing.
func oneSpendsChallenge(t *testing.T, s storage.Store) {
	challenge := storage.SpentChallenge{Digest: [32]byte{1}, Until: epoch.Add(time.Minute)}
	if spent(t, s, challenge) {
		t.Error("the challenge was spent before")
	}
	won := race(16, func(int) bool {
		err := s.InTx(t.Context(), func(tx storage.Tx) error { return tx.SpendChallenge(t.Context(), &challenge) })
		if err != nil && !errors.Is(err, storage.ErrChallengeExpired) {
			t.Errorf("SpendChallenge: %v", err)
		}
		return err == nil
	})
	if won != 1 {
		t.Errorf("%d transactions were first, want 1", won)
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		another := storage.SpentChallenge{Digest: [32]byte{2}, Until: challenge.Until}
		return errors.Join(tx.SpendChallenge(ctx, &another), tx.SpendChallenge(ctx, nil), tx.SpendChallenge(ctx, nil))
	})
}
