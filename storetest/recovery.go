package storetest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

func codeNumber(n byte) storage.RecoveryCodeDigest { return storage.RecoveryCodeDigest{n} }

func giveCodes(t *testing.T, s storage.Store, u storage.User, at time.Time, numbers ...byte) {
	t.Helper()
	var codes []storage.RecoveryCodeDigest
	for _, n := range numbers {
		codes = append(codes, codeNumber(n))
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		return tx.ReplaceRecoveryCodes(ctx, u.ID, codes, at)
	})
}

func spendCode(t *testing.T, s storage.Store, u storage.User, n byte) (spent bool) {
	t.Helper()
	inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
		spent, err = tx.SpendRecoveryCode(ctx, u.ID, codeNumber(n))
		return err
	})
	return spent
}

func wantCodes(t *testing.T, s storage.Store, what string, u storage.User, left int, since *time.Time) {
	t.Helper()
	got, createdAt, err := s.RecoveryCodes(t.Context(), u.ID)
	if diff := cmp.Diff(since, createdAt); err != nil || got != left || diff != "" {
		t.Errorf("%s: %d codes, %v; want %d; since, -want +got:\n%s", what, got, err, left, diff)
	}
}

func recoveryCodes(t *testing.T, s storage.Store) {
	mira, noor := signedIn(t, s, "mira", 0).User, signedIn(t, s, "noor", 0).User
	wantCodes(t, s, "none", mira, 0, nil)
	giveCodes(t, s, mira, epoch, 1, 2, 3)
	giveCodes(t, s, noor, epoch, 4, 5)
	wantCodes(t, s, "three", mira, 3, &epoch)
	later := epoch.Add(time.Hour)
	giveCodes(t, s, mira, later, 6, 7)
	wantCodes(t, s, "replaced", mira, 2, &later)
	for what, spent := range map[string]bool{
		"replaced": spendCode(t, s, mira, 1), "another user's": spendCode(t, s, mira, 4), "unknown": spendCode(t, s, mira, 9),
	} {
		if spent {
			t.Errorf("a code was spent that is %s", what)
		}
	}
	if !spendCode(t, s, mira, 7) {
		t.Error("a code was not spent")
	}
	wantCodes(t, s, "the rest stays", mira, 1, &later)
	wantCodes(t, s, "another user's stay", noor, 2, &epoch)
	if spendCode(t, s, mira, 7) {
		t.Error("a code was spent twice")
	}
	if !spendCode(t, s, mira, 6) {
		t.Error("a code was not spent after another of its set")
	}
	wantCodes(t, s, "the last is spent", mira, 0, nil)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.DeleteUser(ctx, noor.ID, "no hash", epoch) })
	wantCodes(t, s, "of a deleted user", noor, 0, nil)
}

func oneSpendsTheCode(t *testing.T, s storage.Store) {
	u := signedIn(t, s, "mira", 0).User
	giveCodes(t, s, u, epoch, 1, 2, 3)
	var wg sync.WaitGroup
	var spent atomic.Int32
	for i := range 32 {
		wg.Go(func() {
			won := false
			err := s.InTx(t.Context(), func(tx storage.Tx) (err error) {
				won, err = tx.SpendRecoveryCode(t.Context(), u.ID, codeNumber(byte(1+i%2)))
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if won {
				spent.Add(1)
			}
		})
	}
	wg.Wait()
	if spent.Load() != 2 {
		t.Errorf("%d of 32 spent one of two codes, want 2", spent.Load())
	}
	wantCodes(t, s, "the third stays", u, 1, &epoch)
}

func wantRecovery(t *testing.T, s storage.Store, what string, a storage.Account, want *storage.PendingRecovery) {
	t.Helper()
	byName, err := s.UserByName(t.Context(), a.User.CanonicalName)
	if diff := cmp.Diff(want, byName.Recovery); err != nil || diff != "" {
		t.Errorf("%s, UserByName: %v, -want +got:\n%s", what, err, diff)
	}
	got, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch)
	if diff := cmp.Diff(want, got.User.Recovery); err != nil || diff != "" {
		t.Errorf("%s, Account: %v, -want +got:\n%s", what, err, diff)
	}
}

func recoveryWaits(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 1)
	wantRecovery(t, s, "none", a, nil)
	want := &storage.PendingRecovery{StartedAt: epoch, ReadyAt: epoch.Add(72 * time.Hour)}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.BeginRecovery(ctx, a.User.ID, *want) })
	wantRecovery(t, s, "begun", a, want)
	cancel := func() (cancelled bool) {
		inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
			cancelled, err = tx.CancelRecovery(ctx, a.User.ID)
			return err
		})
		return cancelled
	}
	if !cancel() || cancel() {
		t.Error("a recovery was not cancelled once")
	}
	wantRecovery(t, s, "cancelled", a, nil)
}

func passwordByMail(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 0)
	want := func(what string, byMail *time.Time) {
		t.Helper()
		u, err := s.UserByName(t.Context(), "mira")
		if diff := cmp.Diff(byMail, u.PasswordByMailAt); err != nil || diff != "" || u.PasswordByMail != (byMail != nil) {
			t.Errorf("%s: by mail %v, %v; when, -want +got:\n%s", what, u.PasswordByMail, err, diff)
		}
	}
	set := func(version int, byMail *time.Time) {
		t.Helper()
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
			return second(tx.SetPassword(ctx, a.User.ID, version, "a hash", byMail))
		})
	}
	want("at first", nil)
	set(1, &epoch)
	want("set by mail", &epoch)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.TrustPassword(ctx, a.User.ID) })
	want("trusted", nil)
	set(2, &epoch)
	set(3, nil)
	want("changed", nil)
}

func passwordStopped(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 1)
	stop := func(what string, stopped, changes bool) {
		t.Helper()
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
			changed, err := tx.StopPassword(ctx, a.User.ID, stopped)
			if changed != changes {
				t.Errorf("%s: changed %v, want %v", what, changed, changes)
			}
			return err
		})
		byName, err := s.UserByName(t.Context(), "mira")
		if err != nil || byName.PasswordStopped != stopped {
			t.Errorf("%s, UserByName: stopped %v, %v", what, byName.PasswordStopped, err)
		}
		got, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch)
		if err != nil || got.User.PasswordStopped != stopped {
			t.Errorf("%s, Account: stopped %v, %v", what, got.User.PasswordStopped, err)
		}
	}
	stop("not stopped", false, false)
	stop("stopped", true, true)
	stop("again", true, false)
	stop("lifted", false, true)
	stop("stopped again", true, true)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		return second(tx.SetPassword(ctx, a.User.ID, 1, "a hash", nil))
	})
	if u, err := s.UserByName(t.Context(), "mira"); err != nil || u.PasswordStopped {
		t.Errorf("the next password: stopped %v, %v", u.PasswordStopped, err)
	}
}

func recoveredSession(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 0)
	session := newSession(a.User)
	session.RecoveredBy = storage.RecoveredByCode
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.CreateSession(ctx, session) })
	got, err := s.Account(t.Context(), a.User.ID, session.ID, epoch)
	if diff := cmp.Diff(session, got.Session, sameAddr()); err != nil || diff != "" || got.Session.Level() != token.LevelRecovery {
		t.Errorf("%v, level %q, -want +got:\n%s", err, got.Session.Level(), diff)
	}
}

func waitingPasskeysDropped(t *testing.T, s storage.Store) {
	a, other := signedIn(t, s, "mira", 1), signedIn(t, s, "noor", 0)
	until := epoch.Add(24 * time.Hour)
	add := func(u storage.User, at time.Time) storage.Passkey {
		p := newPasskey(u)
		p.UsableFrom, p.CreatedAt = &at, epoch.Add(time.Minute)
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.CreatePasskey(ctx, p) })
		return p
	}
	over, waiting := add(a.User, epoch), add(a.User, until)
	add(other.User, until)
	got, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch)
	if err != nil || len(got.Passkeys) != 3 {
		t.Fatalf("%d passkeys, %v", len(got.Passkeys), err)
	}
	for _, p := range got.Passkeys {
		if p.Waits(epoch) != (p.ID == waiting.ID) {
			t.Errorf("passkey %s: waits %v", p.ID, p.Waits(epoch))
		}
	}
	var dropped map[uuid.UUID]string
	inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
		dropped, err = tx.DropWaitingPasskeys(ctx, a.User.ID, epoch)
		return err
	})
	if diff := cmp.Diff(map[uuid.UUID]string{waiting.ID: waiting.Name}, dropped); diff != "" {
		t.Errorf("dropped, -want +got:\n%s", diff)
	}
	got, err = s.Account(t.Context(), a.User.ID, a.Session.ID, epoch)
	if err != nil || len(got.Passkeys) != 2 || got.Passkeys[1].ID != over.ID {
		t.Errorf("left are %v, %v", got.Passkeys, err)
	}
	still, err := s.Account(t.Context(), other.User.ID, other.Session.ID, epoch)
	if err != nil || len(still.Passkeys) != 1 {
		t.Errorf("another user's: %d, %v", len(still.Passkeys), err)
	}
}

func mailsDropped(t *testing.T, s storage.Store) {
	mine, ofAnotherKind, another := queuedMail("mira@example.com"), queuedMail("mira@example.com"), queuedMail("noor@example.com")
	mine.Kind, another.Kind, ofAnotherKind.UserID = "dropped", "dropped", mine.UserID
	queue(t, s, mine, ofAnotherKind, another)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		return tx.DropMail(ctx, mine.UserID, "dropped", "never_queued")
	})
	left := claimed(t, s, epoch, epoch.Add(time.Minute), 9)
	if diff := cmp.Diff(map[uuid.UUID]int{ofAnotherKind.ID: 1, another.ID: 1}, left); diff != "" {
		t.Errorf("left, -want +got:\n%s", diff)
	}
}
