package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

func passkeysUnique(t *testing.T, s storage.Store) {
	a, b := signedIn(t, s, "mira", 1), signedIn(t, s, "noor", 0)
	stolen := newPasskey(b.User)
	stolen.Credential.ID = a.Passkeys[0].Credential.ID
	err := s.InTx(t.Context(), func(tx storage.Tx) error { return tx.CreatePasskey(t.Context(), stolen) })
	if !errors.Is(err, storage.ErrPasskeyExists) {
		t.Fatalf("CreatePasskey: %v, want ErrPasskeyExists", err)
	}
	got, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch)
	if diff := cmp.Diff(a, got, sameAddr()); err != nil || diff != "" {
		t.Errorf("the owner's passkey changed: %v, -want +got:\n%s", err, diff)
	}
}

func lockAccount(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 0)
	won := race(8, func(int) bool {
		first := false
		err := s.InTx(t.Context(), func(tx storage.Tx) error {
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

// usePasskey stores nothing but the use of a passkey, and reports whether it was stored.
func usePasskey(ctx context.Context, tx storage.Tx, use storage.PasskeyUse) (bool, error) {
	err := tx.StoreVerified(ctx, storage.Verified{Use: use})
	if errors.Is(err, storage.ErrPasskeyStale) {
		return false, nil
	}
	return err == nil, err
}

func signatureCounter(t *testing.T, s storage.Store) {
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
		a := storage.Account{User: u, Session: newSession(u)}
		p := newPasskey(u)
		p.Credential.SignCount = test.stored
		at := epoch.Add(time.Minute)
		var taken bool
		inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
			err = errors.Join(tx.CreateUser(ctx, u), tx.CreateSession(ctx, a.Session), tx.CreatePasskey(ctx, p))
			if err != nil {
				return err
			}
			taken, err = usePasskey(ctx, tx, storage.PasskeyUse{PasskeyID: p.ID, SignCount: test.sent, Flags: 0x0d, At: at})
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
		if diff := cmp.Diff([]storage.Passkey{want}, got.Passkeys); taken != test.taken || diff != "" {
			t.Errorf("counter %d after %d: taken %v, want %v; -want +got:\n%s",
				test.sent, test.stored, taken, test.taken, diff)
		}
	}
}

// A passkey whose backup eligibility changed is never again counted as attested,
// whatever it claims later.
func backupChange(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 2)
	use := func(p storage.Passkey, count uint32, changed bool) bool {
		var taken bool
		inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
			taken, err = usePasskey(ctx, tx, storage.PasskeyUse{
				PasskeyID: p.ID, SignCount: count, Flags: 0x05, At: epoch, BackupChanged: changed,
			})
			return err
		})
		return taken
	}
	at := epoch
	want := a.Passkeys
	for _, step := range []struct {
		count            uint32
		changed          bool
		taken, remaining bool
	}{
		{4, true, false, true},
		{6, false, true, true},
		{7, true, true, false},
		{8, false, true, false},
	} {
		if taken := use(a.Passkeys[0], step.count, step.changed); taken != step.taken {
			t.Errorf("count %d: taken %t", step.count, taken)
		}
		if step.taken {
			want[0].Credential.SignCount, want[0].Credential.Flags, want[0].LastUsedAt = step.count, 0x05, &at
		}
		want[0].Credential.Attested = step.remaining
		got, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Passkeys); diff != "" {
			t.Errorf("count %d (-want +got):\n%s", step.count, diff)
		}
	}
}

func oneUseWins(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 1)
	won := race(16, func(int) bool {
		var taken bool
		err := s.InTx(t.Context(), func(tx storage.Tx) (err error) {
			taken, err = usePasskey(t.Context(), tx, storage.PasskeyUse{PasskeyID: a.Passkeys[0].ID, SignCount: 6, At: epoch})
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

func passkeyOwner(t *testing.T, s storage.Store) {
	a, _ := signedIn(t, s, "mira", 2), signedIn(t, s, "noor", 1)
	want := storage.UserRecord{User: a.User, Passkeys: a.Passkeys[1:]}
	got, err := s.PasskeyOwner(t.Context(), a.Passkeys[1].Credential.ID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("PasskeyOwner: %v, -want +got:\n%s", err, diff)
	}
	if _, err := s.PasskeyOwner(t.Context(), []byte("nobody's")); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("nobody's: %v, want ErrNotFound", err)
	}
	at := epoch.Add(time.Minute)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.SetDisabled(ctx, a.User.ID, &at)
		return err
	})
	if got, err = s.PasskeyOwner(t.Context(), a.Passkeys[0].Credential.ID); err != nil || got.User.Active() {
		t.Errorf("a disabled user's: %v, active %t", err, got.User.Active())
	}
}

func ownPasskeys(t *testing.T, s storage.Store) {
	a, noor := signedIn(t, s, "mira", 2), signedIn(t, s, "noor", 1)
	change := func(what string, want error, fn func(storage.Tx) error) {
		t.Helper()
		if err := s.InTx(t.Context(), fn); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	for what, id := range map[string]uuid.UUID{"somebody else's": noor.Passkeys[0].ID, "nobody's": uuid.New()} {
		change("rename "+what, storage.ErrNotFound, func(tx storage.Tx) error {
			return tx.RenamePasskey(t.Context(), a.User.ID, id, "Stolen")
		})
		change("delete "+what, storage.ErrNotFound, func(tx storage.Tx) error {
			return tx.DeletePasskey(t.Context(), a.User.ID, id)
		})
	}
	change("rename", nil, func(tx storage.Tx) error {
		return tx.RenamePasskey(t.Context(), a.User.ID, a.Passkeys[0].ID, "Laptop")
	})
	change("delete", nil, func(tx storage.Tx) error {
		return tx.DeletePasskey(t.Context(), a.User.ID, a.Passkeys[1].ID)
	})
	change("delete again", storage.ErrNotFound, func(tx storage.Tx) error {
		return tx.DeletePasskey(t.Context(), a.User.ID, a.Passkeys[1].ID)
	})
	a.Passkeys = a.Passkeys[:1]
	a.Passkeys[0].Name = "Laptop"
	for _, want := range []storage.Account{a, noor} {
		got, err := s.Account(t.Context(), want.User.ID, want.Session.ID, epoch)
		if diff := cmp.Diff(want, got, sameAddr()); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", want.User.Username, err, diff)
		}
	}
}

// A session that begins at level full, without a password, is kept as it is.
func restingSessions(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 2)
	noor := signedIn(t, s, "noor", 1)
	gone, other := a.Passkeys[0].ID, a.Passkeys[1].ID
	add := func(u storage.User, password bool, raisedWith *uuid.UUID) storage.Session {
		session := refreshable(u)
		session.FullAt, session.FullPasskeyID, session.FullHardware = &session.CreatedAt, raisedWith, true
		session.LastPasskeyID = raisedWith
		if !password {
			session.PasswordAt = time.Time{}
		}
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.CreateSession(ctx, session) })
		wantSession(t, s, "as it was created", session)
		return session
	}
	raised, alone, fallen := add(a.User, true, &gone), add(a.User, false, &gone), add(a.User, false, nil)
	current := add(a.User, true, &gone)
	for _, session := range []storage.Session{
		add(a.User, true, nil), add(a.User, true, &other), add(a.User, false, &other), add(noor.User, true, &gone), add(noor.User, false, nil),
	} {
		defer wantSession(t, s, "one that does not rest on it", session)
	}
	var ended, lowered []uuid.UUID
	inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
		ended, err = tx.EndSessions(ctx, storage.EndSessions{
			UserID: a.User.ID, Passkey: gone, Except: current.ID, At: epoch.Add(time.Minute), Reason: storage.EndedByPasskey,
		})
		if err != nil {
			return err
		}
		lowered, err = tx.LowerSessions(ctx, a.User.ID, gone, epoch.Add(time.Minute))
		return err
	})
	if !sameIDs(lowered, []uuid.UUID{current.ID}) {
		t.Errorf("lowered %v, want %v", lowered, current.ID)
	}
	if want := []uuid.UUID{raised.ID, alone.ID, fallen.ID}; !sameIDs(ended, want) {
		t.Errorf("ended %v, want %v", ended, want)
	}
	wantEnded(t, s, epoch.Add(time.Minute), 3)
	current.FullPasskeyID = nil
	wantSession(t, s, "the one that is kept", current)
	wantLowered(t, s, epoch.Add(time.Minute), storage.LoweredSession{ID: current.ID, At: epoch.Add(time.Minute)})
	wantLowered(t, s, epoch.Add(time.Minute+time.Microsecond))

	elevate(t, s, current, a.Passkeys[1], epoch.Add(2*time.Minute))
	wantLowered(t, s, epoch, storage.LoweredSession{ID: current.ID, At: epoch.Add(time.Minute), SteppedUp: true})
}

func wantLowered(t *testing.T, s storage.Store, since time.Time, want ...storage.LoweredSession) {
	t.Helper()
	got, err := s.LoweredSessions(t.Context(), since)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("LoweredSessions since %s: %+v, %v; want %+v", since, got, err, want)
	}
}
