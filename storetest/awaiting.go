package storetest

import (
	"context"
	"testing"

	"github.com/stepkey/stepkey/storage"
)

// awaiting users are read as such wherever a user is read before a sign-in, until an address is
// confirmed or the account is deleted.
func awaiting(t *testing.T, s storage.Store) {
	mira, noor, sol := newUser("mira"), newUser("noor"), newUser("sol")
	mira.AwaitsAddressSince, noor.AwaitsAddressSince = &epoch, &epoch
	p := newPasskey(mira)
	l := linkOf(mira, storage.LinkVerifyEmail, 1)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		for _, u := range []storage.User{mira, noor, sol} {
			if err := tx.CreateUser(ctx, u); err != nil {
				return err
			}
		}
		if err := tx.CreatePasskey(ctx, p); err != nil {
			return err
		}
		return tx.PutLink(ctx, l)
	})
	want := func(when string, wanted bool) {
		t.Helper()
		owner, err := s.PasskeyOwner(t.Context(), p.Credential.ID)
		byName, errByName := s.UserByName(t.Context(), "mira")
		linked, errLinked := s.LinkOwner(t.Context(), l.Digest, l.Purpose, epoch)
		var locked storage.User
		inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
			locked, err = tx.LockUser(ctx, mira.ID)
			return err
		})
		if err != nil || errByName != nil || errLinked != nil {
			t.Fatal(err, errByName, errLinked)
		}
		for method, u := range map[string]storage.User{"PasskeyOwner": owner.User, "UserByName": byName, "LinkOwner": linked, "LockUser": locked} {
			since := u.AwaitsAddressSince
			if wanted != (since != nil) || wanted && !since.Equal(epoch) {
				t.Errorf("%s, %s: awaits an address since %v", when, method, since)
			}
		}
	}
	setEmail := func(address string) {
		t.Helper()
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
			return second(tx.SetEmail(ctx, mira.ID, address, epoch))
		})
	}
	want("at first", true)
	setEmail("")
	want("without an address", true)
	setEmail("mira@example.com")
	want("confirmed", false)
	setEmail("")
	want("removed later", false)
	for name, wanted := range map[string]bool{"noor": true, "sol": false} {
		if u, err := s.UserByName(t.Context(), name); err != nil || wanted != (u.AwaitsAddressSince != nil) {
			t.Errorf("%s awaits an address since %v, %v", name, u.AwaitsAddressSince, err)
		}
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.DeleteUser(ctx, noor.ID, "!", epoch) })
	if u, err := s.UserByName(t.Context(), "noor"); err != nil || u.AwaitsAddressSince != nil {
		t.Errorf("deleted, and awaits an address since %v, %v", u.AwaitsAddressSince, err)
	}
}
