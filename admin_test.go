package stepkey_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

// An operator is shown users without the hash of the password, and deleted ones only by name.
func TestAdminShowsUsers(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.enrolled("Mira", authenticator.Config{})
		f.signUp("noor")
		f.signUp("olga")
		admin := f.service.Admin()
		noor, err := admin.FindUser(f.Context(), " NOOR ")
		if err != nil || noor.Username != "noor" || noor.PasswordHash != "" {
			f.Errorf("FindUser: %+v, %v", noor, err)
		}
		wantError(f.TB, "DeleteUser", admin.DeleteUser(f.Context(), noor.ID), nil)
		wantError(f.TB, "FindUser of a deleted user", second(admin.FindUser(f.Context(), "noor")), stepkey.ErrNotFound)
		wantError(f.TB, "FindUser of nobody", second(admin.FindUser(f.Context(), "nobody")), stepkey.ErrNotFound)
		wantError(f.TB, "FindUser of no name", second(admin.FindUser(f.Context(), "two words")), stepkey.ErrUsernameInvalid)

		var listed []stepkey.UserSummary
		for after := uuid.Nil; ; {
			page, err := admin.Users(f.Context(), after, 1)
			if err != nil {
				f.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			listed, after = append(listed, page[0]), page[0].User.ID
		}
		if len(listed) != 2 {
			f.Fatalf("%d users listed, want 2", len(listed))
		}
		for _, u := range listed {
			signedIn := u.LastSignInAt != nil
			if isMira := u.User.Username == "Mira"; u.User.PasswordHash != "" || signedIn != isMira || (u.Passkeys == 1) != isMira {
				f.Errorf("listed: %+v", u)
			}
		}

		f.clock.Advance(time.Minute)
		f.logIn("mira")
		mira, err := admin.InspectUser(f.Context(), "mira", 1)
		if err != nil || mira.User.PasswordHash != "" || len(mira.Passkeys) != 1 || len(mira.Sessions) != 2 {
			f.Errorf("UserDetails: %+v, %v", mira, err)
		}
		if len(mira.Events) != 1 || mira.Events[0].Kind != storage.EventSignedIn {
			f.Errorf("events: %+v, want the latest one", mira.Events)
		}
		gone, err := admin.InspectUser(f.Context(), "noor", 1)
		if err != nil || gone.User.DeletedAt == nil || gone.User.PasswordHash != "" || len(gone.Events) != 0 {
			f.Errorf("InspectUser of a deleted user: %+v, %v", gone, err)
		}
		wantError(f.TB, "InspectUser of nobody", second(admin.InspectUser(f.Context(), "nobody", 1)), stepkey.ErrNotFound)
		wantError(f.TB, "InspectUser of no name", second(admin.InspectUser(f.Context(), "two words", 1)), stepkey.ErrUsernameInvalid)
	})
}
