package storetest

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// languages are read wherever a user is.
func languages(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 1)
	imported, created := newUser("noor"), newUser("sol")
	imported.Language, created.Language = "pt-BR", "de"
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		if _, err := tx.ImportUsers(ctx, []storage.UserRecord{{User: imported}}); err != nil {
			return err
		}
		if err := tx.CreateUser(ctx, created); err != nil {
			return err
		}
		_, err := tx.SetEmail(ctx, a.User.ID, "mira@example.com", epoch)
		return err
	})
	want := func(language string) {
		t.Helper()
		got := map[string]string{}
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
			locked, err := tx.LockUser(ctx, a.User.ID)
			if err != nil {
				return err
			}
			account, err := tx.LockAccount(ctx, a.User.ID, a.Session.ID, epoch)
			if err != nil {
				return err
			}
			addressees, err := tx.Addressees(ctx, storage.AddresseesOf{UserID: a.User.ID})
			if err != nil || len(addressees) != 1 {
				t.Fatalf("%d addressees, %v", len(addressees), err)
			}
			got["LockUser"], got["LockAccount"], got["Addressees"] = locked.Language, account.User.Language, addressees[0].Language
			return nil
		})
		byName, err := s.UserByName(t.Context(), "mira")
		if err != nil {
			t.Fatal(err)
		}
		account, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch)
		if err != nil {
			t.Fatal(err)
		}
		record, err := s.UserRecord(t.Context(), "mira")
		if err != nil {
			t.Fatal(err)
		}
		got["UserByName"], got["Account"], got["UserRecord"] = byName.Language, account.User.Language, record.User.Language
		for method, found := range got {
			if found != language {
				t.Errorf("%s: the language is %q, want %q", method, found, language)
			}
		}
	}
	want("")
	set := func(language string, verified bool) {
		t.Helper()
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
			return tx.SetLanguage(ctx, a.User.ID, language, verified)
		})
	}
	set("de", true)
	set("en", false) // the user has a passkey
	want("de")
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		if err := tx.SetLanguage(ctx, created.ID, "fr", false); err != nil {
			return err
		}
		return tx.SetLanguage(ctx, created.ID, "de", false)
	})
	records, err := s.UserRecords(t.Context(), uuid.Nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if want := map[string]string{"mira": "de", "noor": "pt-BR", "sol": "de"}[r.User.Username]; r.User.Language != want || r.Portable().Language != want {
			t.Errorf("%s: %q, want %q", r.User.Username, r.User.Language, want)
		}
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		return tx.DeleteUser(ctx, a.User.ID, "hash of nothing", epoch)
	})
	if u, err := s.UserByName(t.Context(), "mira"); err != nil || u.Language != "" {
		t.Errorf("of a deleted account %q is left, %v", u.Language, err)
	}
}
