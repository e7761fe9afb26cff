package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
)

func passkeysUnique(t *testing.T, s stepkey.Store) {
	a, b := signedIn(t, s, "mira", 1), signedIn(t, s, "noor", 0)
	stolen := newPasskey(b.User)
	stolen.Credential.ID = a.Passkeys[0].Credential.ID
	err := s.InTx(t.Context(), func(tx stepkey.Tx) error { return tx.CreatePasskey(t.Context(), stolen) })
	if !errors.Is(err, stepkey.ErrPasskeyExists) {
		t.Fatalf("CreatePasskey: %v, want ErrPasskeyExists", err)
	}
	got, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch)
	if diff := cmp.Diff(a, got, sameAddr()); err != nil || diff != "" {
		t.Errorf("the owner's passkey changed: %v, -want +got:\n%s", err, diff)
	}
}

func lockAccount(t *testing.T, s stepkey.Store) {
	a := signedIn(t, s, "mira", 0)
	won := race(8, func(int) bool {
		first := false
		err := s.InTx(t.Context(), func(tx stepkey.Tx) error {
			locked, err := tx.LockAccount(t.Context(), a.User.ID, a.Session.ID, epoch)
			if first = len(locked.Passkeys) == 0; err != nil || !first {
				return err
			}
			return tx.CreatePasskey(t.Context(), newPasskey(a.User))
		})
		if err != nil {
			t.Errorf("InTx: %v", err)
		}
		return first
	})
	if won != 1 {
		t.Errorf("%d transactions saw an account without passkey, want 1", won)
	}
}

func signatureCounter(t *testing.T, s stepkey.Store) {
	for _, test := range []struct {
		stored, sent uint32
		taken        bool
	}{
		{0, 0, true},
		{0, 1, true},
		{5, 6, true},
		{5, 1 << 31, true},
		{1<<32 - 2, 1<<32 - 1, true},
		{5, 5, false},
		{5, 4, false},
		{5, 0, false},
		{1<<32 - 1, 0, false},
	} {
		u := newUser(uuid.NewString())
		a := stepkey.Account{User: u, Session: newSession(u)}
		p := newPasskey(u)
		p.Credential.SignCount = test.stored
		at := epoch.Add(time.Minute)
		var taken bool
		inTx(t, s, func(ctx context.Context, tx stepkey.Tx) (err error) {
			err = errors.Join(tx.CreateUser(ctx, u), tx.CreateSession(ctx, a.Session), tx.CreatePasskey(ctx, p))
			if err != nil {
				return err
			}
			taken, err = tx.UsePasskey(ctx, stepkey.PasskeyUse{PasskeyID: p.ID, SignCount: test.sent, Flags: 0x0d, At: at})
			return err
		})
		want := p
		if test.taken {
			want.Credential.SignCount, want.Credential.Flags, want.LastUsedAt = test.sent, 0x0d, &at
		}
		got, err := s.Account(t.Context(), u.ID, a.Session.ID, epoch)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]stepkey.Passkey{want}, got.Passkeys); taken != test.taken || diff != "" {
			t.Errorf("counter %d after %d: taken %v, want %v; -want +got:\n%s",
				test.sent, test.stored, taken, test.taken, diff)
		}
	}
}

func oneUseWins(t *testing.T, s stepkey.Store) {
	a := signedIn(t, s, "mira", 1)
	won := race(16, func(int) bool {
		var taken bool
		err := s.InTx(t.Context(), func(tx stepkey.Tx) (err error) {
			taken, err = tx.UsePasskey(t.Context(), stepkey.PasskeyUse{PasskeyID: a.Passkeys[0].ID, SignCount: 6, At: epoch})
			return err
		})
		if err != nil {
			t.Errorf("InTx: %v", err)
		}
		return taken
	})
	if won != 1 {
		t.Errorf("%d uses of one count were taken, want 1", won)
	}
}
