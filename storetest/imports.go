package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// newRecord is a user with everything that a record can have.
func newRecord(name string, passkeys int) storage.UserRecord {
	r := storage.UserRecord{User: newUser(name)}
	disabled := epoch.Add(time.Hour)
	r.User.DisabledAt = &disabled
	r.Email = &storage.ConfirmedEmail{Address: "Somebody@example.com", ConfirmedAt: epoch.Add(time.Minute)}
	for i := range passkeys {
		p := newPasskey(r.User)
		p.CreatedAt = epoch.Add(time.Duration(i) * time.Second)
		p.LastUsedAt = &p.CreatedAt
		p.Credential.SignCount = 1<<32 - 1
		r.Passkeys = append(r.Passkeys, p)
	}
	return r
}

func importUsers(t *testing.T, s storage.Store, batch ...storage.UserRecord) []storage.UserOutcome {
	t.Helper()
	var outcomes []storage.UserOutcome
	inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
		outcomes, err = tx.ImportUsers(ctx, batch)
		return err
	})
	return outcomes
}

// wantRecords checks everything that the store holds, read in pages of two.
func wantRecords(t *testing.T, s storage.Store, want ...storage.UserRecord) {
	t.Helper()
	slices.SortFunc(want, func(a, b storage.UserRecord) int { return bytes.Compare(a.User.ID[:], b.User.ID[:]) })
	var got []storage.UserRecord
	for after := uuid.Nil; ; after = got[len(got)-1].User.ID {
		page, err := s.UserRecords(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page...)
		if len(page) < 2 {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the store holds (-want +got):\n%s", diff)
	}
}

func wantOutcomes(t *testing.T, what string, got []storage.UserOutcome, want ...storage.UserOutcome) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func added() storage.UserOutcome   { return storage.UserOutcome{Status: storage.ImportAdded} }
func present() storage.UserOutcome { return storage.UserOutcome{Status: storage.ImportPresent} }
func leftOut(p storage.ImportProblem) storage.UserOutcome {
	return storage.UserOutcome{Status: storage.ImportLeftOut, Problem: p}
}

func importing(t *testing.T, s storage.Store) {
	wantRecords(t, s)
	wantOutcomes(t, "nobody", importUsers(t, s), []storage.UserOutcome{}...)
	mira, noor, olga := newRecord("mira", 2), newRecord("noor", 0), newRecord("olga", 1)
	noor.User.DisabledAt, noor.Email = nil, nil
	wantOutcomes(t, "first import", importUsers(t, s, mira, noor, olga), added(), added(), added())
	wantRecords(t, s, mira, noor, olga)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		found, err := tx.Addressees(ctx, storage.AddresseesOf{Address: "sOMEBODY@example.com"})
		if len(found) != 2 {
			t.Errorf("%d users are found by the address, want two", len(found))
		}
		return err
	})
	if u, err := s.UserByName(t.Context(), "mira"); err != nil || u.Active() {
		t.Errorf("mira is active, %v", err)
	}

	// Existing users are not changed, whatever is imported.
	again := newRecord("mira", 3)
	again.User.ID = mira.User.ID
	again.Email.Address = "mallory@example.com"
	for i := range again.Passkeys {
		again.Passkeys[i].UserID = mira.User.ID
	}
	pia := newRecord("pia", 1)
	wantOutcomes(t, "second import", importUsers(t, s, olga, again, pia, noor), present(), present(), added(), present())
	wantRecords(t, s, mira, noor, olga, pia)

	// Names, handles and credential ids are unique.
	name, handle, both := newRecord("mira", 1), newRecord("quin", 1), newRecord("rosa", 3)
	handle.User.Handle = mira.User.Handle
	both.Passkeys[0].Credential.ID = mira.Passkeys[1].Credential.ID
	both.Passkeys[2].Credential.ID = pia.Passkeys[0].Credential.ID
	rosa := added()
	rosa.TakenPasskeys = []int{0, 2}
	wantOutcomes(t, "collisions", importUsers(t, s, name, handle, both),
		leftOut(storage.ProblemUsernameTaken), leftOut(storage.ProblemHandleTaken), rosa)
	both.Passkeys = both.Passkeys[1:2]
	wantRecords(t, s, mira, noor, olga, pia, both)
}

// A whole batch of users with many passkeys is within the limits of a statement.
func importingMany(t *testing.T, s storage.Store) {
	var batch []storage.UserRecord
	var events []storage.Event
	for i := range storage.MaxImportBatch + 1 {
		r := newRecord(fmt.Sprintf("user%d", i), 3)
		batch = append(batch, r)
		events = append(events, storage.Event{ID: uuid.New(), Kind: storage.EventUserImported, At: epoch, UserID: r.User.ID})
	}
	want := slices.Repeat([]storage.UserOutcome{added()}, len(batch))
	wantOutcomes(t, "first import", importUsers(t, s, batch...), want...)
	want = slices.Repeat([]storage.UserOutcome{present()}, len(batch))
	wantOutcomes(t, "second import", importUsers(t, s, batch...), want...)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.RecordEvents(ctx, events) })
	page, err := s.UserRecords(t.Context(), uuid.Nil, len(batch)+1)
	if err != nil || len(page) != len(batch) {
		t.Fatalf("UserRecords: %d, %v; want %d", len(page), err, len(batch))
	}
	for _, r := range page {
		if len(r.Passkeys) != 3 {
			t.Fatalf("%d passkeys, want 3", len(r.Passkeys))
		}
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.RecordEvents(ctx, nil) })
}

// Of concurrent imports of the same users, one adds each user.
func importsAtOnce(t *testing.T, s storage.Store) {
	batch := []storage.UserRecord{newRecord("mira", 1), newRecord("noor", 1), newRecord("olga", 1)}
	backwards := slices.Clone(batch)
	slices.Reverse(backwards)
	totals := make([]int, 8)
	race(len(totals), func(i int) bool {
		err := s.InTx(t.Context(), func(tx storage.Tx) error {
			order := batch
			if i%2 == 0 {
				order = backwards // so that they meet in the middle
			}
			outcomes, err := tx.ImportUsers(t.Context(), order)
			totals[i] = 0 // the transaction may run again
			for _, o := range outcomes {
				if o.Status == storage.ImportAdded {
					totals[i]++
				} else if o.Status != storage.ImportPresent {
					t.Errorf("outcome: %+v", o)
				}
			}
			return err
		})
		if err != nil && !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("ImportUsers: %v", err)
		}
		if err != nil {
			totals[i] = 0
		}
		return err == nil
	})
	sum := 0
	for _, n := range totals {
		sum += n
	}
	if sum != len(batch) {
		t.Errorf("%d users were added, want %d", sum, len(batch))
	}
	wantRecords(t, s, batch...)
}
