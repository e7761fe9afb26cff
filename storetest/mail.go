package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// mailKinds are the kinds of mails in these tests.
var mailKinds = []storage.MailKind{"notice", "dropped"}

func queuedMail(to string) storage.QueuedMail {
	return storage.QueuedMail{
		ID: uuid.New(), UserID: uuid.New(), To: to, Kind: "notice", Sealed: []byte("sealed for " + to),
		CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour),
	}
}

func queue(t *testing.T, s storage.Store, mails ...storage.QueuedMail) {
	t.Helper()
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		for _, m := range mails {
			if err := tx.QueueMail(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// claimed maps the ids of the mails that are handed out to how often they were.
func claimed(t *testing.T, s storage.Store, now, until time.Time, limit int) map[uuid.UUID]int {
	t.Helper()
	mails, err := s.ClaimMail(t.Context(), mailKinds, now, until, limit)
	if err != nil {
		t.Fatalf("ClaimMail: %v", err)
	}
	tries := map[uuid.UUID]int{}
	for _, m := range mails {
		tries[m.ID] = m.Tries
	}
	return tries
}

func mailIsHandedOut(t *testing.T, s storage.Store) {
	want, unknown := queuedMail("mira@example.com"), queuedMail("")
	unknown.UserID, unknown.CreatedAt = uuid.Nil, epoch.Add(time.Second)
	queue(t, s, unknown, want)
	lease := epoch.Add(time.Minute)

	if early := claimed(t, s, epoch.Add(-time.Microsecond), lease, 9); len(early) != 0 {
		t.Errorf("handed out before its time: %v", early)
	}
	got, err := s.ClaimMail(t.Context(), mailKinds, epoch.Add(time.Second), lease, 1)
	want.Tries, want.Times = 1, 1
	if diff := cmp.Diff([]storage.QueuedMail{want}, got); err != nil || diff != "" {
		t.Fatalf("the one that waited longest: %v, -want +got:\n%s", err, diff)
	}
	got, err = s.ClaimMail(t.Context(), mailKinds, epoch.Add(time.Second), lease, 1)
	unknown.Tries, unknown.Times = 1, 1
	if diff := cmp.Diff([]storage.QueuedMail{unknown}, got); err != nil || diff != "" {
		t.Fatalf("the next: %v, -want +got:\n%s", err, diff)
	}
	if again := claimed(t, s, lease.Add(-time.Microsecond), lease.Add(time.Minute), 9); len(again) != 0 {
		t.Errorf("handed out twice: %v", again)
	}
	if again := claimed(t, s, lease, lease.Add(time.Minute), 9); again[want.ID] != 2 || again[unknown.ID] != 2 {
		t.Errorf("after a crash: %v, want both for the second time", again)
	}
}

// Mails of kinds that the claimer does not deliver wait untouched for one that does, and keep none of its own from it.
func mailOfOtherKindsIsLeftAlone(t *testing.T, s storage.Store) {
	var theirs []storage.QueuedMail
	for i := range 40 {
		m := queuedMail(fmt.Sprintf("user%d@example.com", i))
		m.Kind, m.CreatedAt, m.Urgent = "theirs", epoch.Add(-time.Hour), true
		theirs = append(theirs, m)
	}
	ours := queuedMail("mira@example.com")
	queue(t, s, append(theirs, ours)...)
	lease := epoch.Add(time.Minute)
	if got := claimed(t, s, epoch, lease, 9); len(got) != 1 || got[ours.ID] != 1 {
		t.Errorf("handed out %v, want ours alone", got)
	}
	if got, err := s.ClaimMail(t.Context(), nil, epoch, lease, 9); err != nil || len(got) != 0 {
		t.Errorf("without a kind: %v, %v", got, err)
	}
	got, err := s.ClaimMail(t.Context(), []storage.MailKind{"notice", "theirs"}, epoch, lease, 99)
	if err != nil || len(got) != len(theirs) {
		t.Fatalf("%d handed out to one that knows both, %v; want %d", len(got), err, len(theirs))
	}
	for _, m := range got {
		if m.Kind != "theirs" || m.Tries != 1 {
			t.Errorf("%s after %d tries, want theirs after 1", m.Kind, m.Tries)
		}
	}
}

func mailIsPutOff(t *testing.T, s storage.Store) {
	m := queuedMail("mira@example.com")
	queue(t, s, m)
	lease := epoch.Add(time.Minute)
	claimed(t, s, epoch, lease, 1)
	for _, test := range []struct {
		tries int
		until time.Time
		due   bool
	}{
		{0, epoch, false}, // somebody else's news, of another try
		{1, epoch.Add(time.Second), true},
	} {
		if err := s.PutOffMail(t.Context(), m.ID, test.tries, test.until); err != nil {
			t.Fatal(err)
		}
		if due := len(claimed(t, s, epoch.Add(time.Second), lease, 1)) == 1; due != test.due {
			t.Errorf("put off after try %d: due %v, want %v", test.tries, due, test.due)
		}
	}
	remove := func() (deleted bool) {
		inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
			deleted, err = tx.DeleteMail(ctx, m.ID)
			return err
		})
		return deleted
	}
	if first, second := remove(), remove(); !first || second {
		t.Errorf("DeleteMail: %v, then %v", first, second)
	}
	if left := claimed(t, s, lease.Add(time.Hour), lease, 1); len(left) != 0 {
		t.Errorf("a deleted mail is handed out: %v", left)
	}
}

func mailUndone(t *testing.T, s storage.Store) {
	undo := errors.New("undo")
	err := s.InTx(t.Context(), func(tx storage.Tx) error {
		return errors.Join(tx.QueueMail(t.Context(), queuedMail("mira@example.com")), undo)
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	if due := claimed(t, s, epoch, epoch.Add(time.Minute), 1); len(due) != 0 {
		t.Error("a mail is sent about what has not happened")
	}
}

// Each of 160 mails goes to one of 16 claimers, and no claim has more than it asked for.
func mailsHandedOutOnce(t *testing.T, s storage.Store) {
	var mails []storage.QueuedMail
	for i := range 160 {
		mails = append(mails, queuedMail(fmt.Sprintf("user%d@example.com", i)))
	}
	queue(t, s, mails...)
	var mu sync.Mutex
	times := map[uuid.UUID]int{}
	race(16, func(int) bool {
		for range 10 {
			got, err := s.ClaimMail(t.Context(), mailKinds, epoch, epoch.Add(time.Minute), 3)
			if err != nil {
				t.Errorf("ClaimMail: %v", err)
				return false
			}
			if len(got) > 3 {
				t.Errorf("%d mails at once, want 3 at most", len(got))
			}
			mu.Lock()
			for _, m := range got {
				times[m.ID]++
			}
			mu.Unlock()
		}
		return true
	})
	for id := range claimed(t, s, epoch, epoch.Add(time.Minute), len(mails)) {
		times[id]++
	}
	for _, m := range mails {
		if times[m.ID] != 1 {
			t.Errorf("%s: handed out %d times", m.To, times[m.ID])
		}
	}
}

func linkOf(u storage.User, purpose storage.LinkPurpose, digest byte) storage.Link {
	return storage.Link{
		Digest: storage.LinkDigest{digest}, Purpose: purpose, UserID: u.ID, Address: u.Username + "@example.com",
		PasswordVersion: u.PasswordVersion, ExpiresAt: epoch.Add(time.Minute),
	}
}

func putLink(t *testing.T, s storage.Store, l storage.Link) {
	t.Helper()
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.PutLink(ctx, l) })
}

func takeLink(t *testing.T, s storage.Store, l storage.Link, now time.Time) (got storage.Link, err error) {
	t.Helper()
	err = s.InTx(t.Context(), func(tx storage.Tx) error {
		got, err = tx.TakeLink(t.Context(), l.Digest, l.Purpose, now)
		return err
	})
	return got, err
}

func linkIsTakenOnce(t *testing.T, s storage.Store) {
	u := signedIn(t, s, "mira", 0).User
	want := linkOf(u, storage.LinkResetPassword, 1)
	setEmail(t, s, u, want.Address)
	putLink(t, s, want)
	for range 2 { // looking takes nothing
		owner, err := s.LinkOwner(t.Context(), want.Digest, want.Purpose, epoch)
		if diff := cmp.Diff(u, owner); err != nil || diff != "" {
			t.Fatalf("LinkOwner: %v, -want +got:\n%s", err, diff)
		}
	}
	got, err := takeLink(t, s, want, want.ExpiresAt.Add(-time.Microsecond))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("TakeLink: %v, -want +got:\n%s", err, diff)
	}
	if _, err := takeLink(t, s, want, epoch); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("TakeLink again: %v, want ErrNotFound", err)
	}
}

// An invalid link is invalid for LinkOwner and for TakeLink.
func linkThatIsVoid(t *testing.T, s storage.Store) {
	for i, test := range []struct {
		name    string
		purpose storage.LinkPurpose
		now     time.Time
		change  func(context.Context, storage.Tx, *storage.Link) error
		holds   bool
	}{
		{"at its end", storage.LinkResetPassword, epoch.Add(time.Minute), nil, false},
		{"another purpose", storage.LinkResetPassword, epoch, func(_ context.Context, _ storage.Tx, l *storage.Link) error {
			l.Purpose = storage.LinkVerifyEmail
			return nil
		}, false},
		{"unknown", storage.LinkResetPassword, epoch, func(_ context.Context, _ storage.Tx, l *storage.Link) error {
			l.Digest[31] = 1
			return nil
		}, false},
		{"disabled", storage.LinkFreeze, epoch, func(ctx context.Context, tx storage.Tx, l *storage.Link) error {
			return second(tx.SetDisabled(ctx, l.UserID, &epoch))
		}, false},
		{"password changed", storage.LinkVerifyEmail, epoch, changePassword, false},
		{"password changed, outlived", storage.LinkFreeze, epoch, changePassword, true},
		{"dropped", storage.LinkResetPassword, epoch, func(ctx context.Context, tx storage.Tx, l *storage.Link) error {
			return tx.DropLinks(ctx, l.UserID, storage.LinkVerifyEmail, storage.LinkResetPassword)
		}, false},
		{"others dropped", storage.LinkResetPassword, epoch, func(ctx context.Context, tx storage.Tx, l *storage.Link) error {
			return errors.Join(tx.DropLinks(ctx, l.UserID, storage.LinkVerifyEmail, storage.LinkFreeze),
				tx.DropLinks(ctx, uuid.New(), storage.LinkResetPassword))
		}, true},
		{"sent to another address", storage.LinkResetPassword, epoch, changeEmail, false},
		{"sent to another address, recovery", storage.LinkFinishRecovery, epoch, changeEmail, false},
		{"sent to another address, outlived", storage.LinkFreeze, epoch, changeEmail, true},
		{"sent to another address, which it confirms", storage.LinkVerifyEmail, epoch, changeEmail, true},
		{"sent to an address that was removed", storage.LinkResetPassword, epoch, func(ctx context.Context, tx storage.Tx, l *storage.Link) error {
			return second(tx.SetEmail(ctx, l.UserID, "", epoch))
		}, false},
		{"asked for by the device", storage.LinkResetPassword, epoch, func(ctx context.Context, tx storage.Tx, l *storage.Link) error {
			return tx.DropLinkAskedBy(ctx, l.UserID, l.Purpose, l.AskedBy)
		}, false},
		{"asked for by another device", storage.LinkResetPassword, epoch, func(ctx context.Context, tx storage.Tx, l *storage.Link) error {
			return tx.DropLinkAskedBy(ctx, l.UserID, l.Purpose, []byte("other"))
		}, true},
		{"another link of the device", storage.LinkResetPassword, epoch, func(ctx context.Context, tx storage.Tx, l *storage.Link) error {
			return tx.DropLinkAskedBy(ctx, l.UserID, storage.LinkRecover, l.AskedBy)
		}, true},
		{"replaced", storage.LinkResetPassword, epoch, func(ctx context.Context, tx storage.Tx, l *storage.Link) error {
			newer := *l
			newer.Digest[31] = 1
			return tx.PutLink(ctx, newer)
		}, false},
		{"one of several", storage.LinkFreeze, epoch, func(ctx context.Context, tx storage.Tx, l *storage.Link) error {
			newer := *l
			newer.Digest[31] = 1
			return tx.PutLink(ctx, newer)
		}, true},
	} {
		u := signedIn(t, s, fmt.Sprintf("user%d", i), 0).User
		l := linkOf(u, test.purpose, byte(i))
		if test.purpose == storage.LinkFreeze {
			l.PasswordVersion = 0
		}
		setEmail(t, s, u, l.Address)
		l.AskedBy = []byte("device")
		putLink(t, s, l)
		if test.change != nil {
			inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return test.change(ctx, tx, &l) })
		}
		_, look := s.LinkOwner(t.Context(), l.Digest, l.Purpose, test.now)
		_, take := takeLink(t, s, l, test.now)
		for what, err := range map[string]error{"LinkOwner": look, "TakeLink": take} {
			if test.holds != (err == nil) || (err != nil && !errors.Is(err, storage.ErrNotFound)) {
				t.Errorf("%s: %s: %v, want it to hold: %v", test.name, what, err, test.holds)
			}
		}
	}
}

func setEmail(t *testing.T, s storage.Store, u storage.User, address string) {
	t.Helper()
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return second(tx.SetEmail(ctx, u.ID, address, epoch)) })
}

func changeEmail(ctx context.Context, tx storage.Tx, l *storage.Link) error {
	return second(tx.SetEmail(ctx, l.UserID, "new@example.com", epoch))
}

func changePassword(ctx context.Context, tx storage.Tx, l *storage.Link) error {
	return second(tx.SetPassword(ctx, l.UserID, 1, "new hash", nil))
}

func second[T any](_ T, err error) error { return err }

func oneTakesTheLink(t *testing.T, s storage.Store) {
	u := signedIn(t, s, "mira", 0).User
	l := linkOf(u, storage.LinkResetPassword, 1)
	setEmail(t, s, u, l.Address)
	putLink(t, s, l)
	won := race(32, func(int) bool {
		_, err := takeLink(t, s, l, epoch)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("TakeLink: %v", err)
		}
		return err == nil
	})
	if won != 1 {
		t.Errorf("%d took the link, want 1", won)
	}
}

func setPassword(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 0)
	set := func(version int, want bool) {
		t.Helper()
		var done bool
		inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
			done, err = tx.SetPassword(ctx, a.User.ID, version, "new hash", nil)
			return err
		})
		if done != want {
			t.Errorf("SetPassword of version %d: %v, want %v", version, done, want)
		}
	}
	set(2, false)
	set(1, true)
	set(1, false)
	u, err := s.UserByName(t.Context(), "mira")
	if err != nil || u.PasswordHash != "new hash" || u.PasswordVersion != 2 {
		t.Errorf("afterwards: %v, hash %q, version %d", err, u.PasswordHash, u.PasswordVersion)
	}
	if _, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the session of before: %v, want ErrNotFound", err)
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return second(tx.SetDisabled(ctx, a.User.ID, &epoch)) })
	set(2, false)
}

func emails(t *testing.T, s storage.Store) {
	mira, noor := signedIn(t, s, "mira", 0).User, signedIn(t, s, "noor", 0).User
	set := func(u storage.User, address, before string) {
		t.Helper()
		var was string
		inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
			was, err = tx.SetEmail(ctx, u.ID, address, epoch)
			return err
		})
		if was != before {
			t.Errorf("SetEmail(%q) returns %q, want %q", address, was, before)
		}
	}
	want := func(what string, u storage.User, now time.Time, want storage.EmailState) {
		t.Helper()
		if got, err := s.Email(t.Context(), u.ID, now); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", what, got, err, want)
		}
	}
	want("without any", mira, epoch, storage.EmailState{})
	set(mira, "Mira@example.com", "")
	set(noor, "mira@example.com", "")
	putLink(t, s, linkOf(mira, storage.LinkResetPassword, 1))
	want("confirmed", mira, epoch, storage.EmailState{Address: "Mira@example.com"})
	pending := linkOf(mira, storage.LinkVerifyEmail, 2)
	putLink(t, s, pending)
	want("another asked for", mira, epoch, storage.EmailState{Address: "Mira@example.com", Pending: pending.Address})
	want("too long ago", mira, pending.ExpiresAt, storage.EmailState{Address: "Mira@example.com"})

	one := storage.Addressee{UserID: mira.ID, Username: "mira", Active: true, PasswordVersion: 1, Address: "Mira@example.com"}
	other := storage.Addressee{UserID: noor.ID, Username: "noor", Active: true, PasswordVersion: 1, Address: "mira@example.com"}
	both := []storage.Addressee{one, other}
	if mira.ID.String() > noor.ID.String() {
		both = []storage.Addressee{other, one}
	}
	wantAddressees(t, s, "by address", storage.AddresseesOf{Address: "MIRA@EXAMPLE.COM"}, both...)
	wantAddressees(t, s, "by name", storage.AddresseesOf{CanonicalName: "noor"}, other)
	wantAddressees(t, s, "by id", storage.AddresseesOf{UserID: mira.ID}, one)
	wantAddressees(t, s, "nobody", storage.AddresseesOf{Address: "sol@example.com"})
	set(mira, "new@example.com", "Mira@example.com")
	wantAddressees(t, s, "the address of before", storage.AddresseesOf{Address: "mira@example.com"}, other)
	set(mira, "", "new@example.com")
	set(mira, "", "")
	wantAddressees(t, s, "without one", storage.AddresseesOf{UserID: mira.ID})

	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return second(tx.SetDisabled(ctx, noor.ID, &epoch)) })
	other.Active = false
	wantAddressees(t, s, "disabled", storage.AddresseesOf{UserID: noor.ID}, other)
	err := s.InTx(t.Context(), func(tx storage.Tx) error {
		return second(tx.SetEmail(t.Context(), uuid.New(), "sol@example.com", epoch))
	})
	if !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("SetEmail of nobody: %v, want ErrNotFound", err)
	}
}

func wantAddressees(t *testing.T, s storage.Store, what string, which storage.AddresseesOf, want ...storage.Addressee) {
	t.Helper()
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		got, err := tx.Addressees(ctx, which)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Addressees, %s: -want +got:\n%s", what, diff)
		}
		return err
	})
}

func addresseesAreBounded(t *testing.T, s storage.Store) {
	for i := range storage.MaxAddressees + 2 {
		u := signedIn(t, s, fmt.Sprintf("user%d", i), 0).User
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
			return second(tx.SetEmail(ctx, u.ID, "shared@example.com", epoch))
		})
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		got, err := tx.Addressees(ctx, storage.AddresseesOf{Address: "shared@example.com"})
		if len(got) != storage.MaxAddressees {
			t.Errorf("%d addressees, want %d", len(got), storage.MaxAddressees)
		}
		return err
	})
}
