package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// UserSummary is a user in the list of [Admin.Users].
type UserSummary struct {
	User         User // without the hash of the password
	Passkeys     int  // how many the user has
	LastSignInAt *time.Time
}

// UserDetails is the result of [Admin.InspectUser]. It contains neither the hash of the
// password nor anything else that can be used to sign in.
type UserDetails struct {
	User     User
	Email    *ConfirmedEmail // nil for none
	Passkeys []Passkey       // oldest first
	Sessions []Session       // the live ones, newest first

	RefusedCeremonies []RefusedCeremony // latest first
	Events            []Event           // latest first
}

// FindUser returns the user with that name, in any spelling (see [CanonicalUsername]). It
// returns ErrUsernameInvalid for a name that no user can have, and ErrNotFound if there is no
// such user or the account is deleted.
func (a *Admin) FindUser(ctx context.Context, username string) (User, error) {
	canonical, err := CanonicalUsername(username)
	if err != nil {
		return User{}, err
	}
	u, err := a.service.store.UserByName(ctx, canonical)
	if err != nil {
		return User{}, err
	}
	if u.DeletedAt != nil {
		return User{}, ErrNotFound
	}
	u.PasswordHash = ""
	return u, nil
}

// Users returns up to limit users whose id is greater than after, in the order of their
// ids; start with uuid.Nil. Fewer than limit users mean that there are no more. Deleted
// users are not listed.
func (a *Admin) Users(ctx context.Context, after uuid.UUID, limit int) ([]UserSummary, error) {
	records, err := a.service.store.UserRecords(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(records))
	for i, r := range records {
		ids[i] = r.User.ID
	}
	last, err := a.service.store.LastSignIns(ctx, ids)
	if err != nil {
		return nil, err
	}
	users := make([]UserSummary, len(records))
	for i, r := range records {
		r.User.PasswordHash = ""
		users[i] = UserSummary{User: r.User, Passkeys: len(r.Passkeys)}
		if at, known := last[r.User.ID]; known {
			users[i].LastSignInAt = &at
		}
	}
	return users, nil
}

// InspectUser returns everything stored about the user with that name, with up to events
// events. Its errors are those of FindUser, except that a deleted user is returned as long as
// the name is quarantined (NameQuarantine), with User.DeletedAt set and nothing else.
func (a *Admin) InspectUser(ctx context.Context, username string, events int) (UserDetails, error) {
	canonical, err := CanonicalUsername(username)
	if err != nil {
		return UserDetails{}, err
	}
	store, now := a.service.store, a.service.now()
	r, err := store.UserRecord(ctx, canonical)
	if err != nil {
		return UserDetails{}, err
	}
	r.User.PasswordHash = ""
	details := UserDetails{User: r.User, Email: r.Email, Passkeys: r.Passkeys}
	if r.User.DeletedAt != nil {
		return details, nil
	}
	details.Sessions, err = store.Sessions(ctx, r.User.ID, now, now.Add(-SessionIdle), nil, MaxListedSessions)
	if err != nil {
		return UserDetails{}, err
	}
	if details.Events, err = store.Events(ctx, r.User.ID, nil, events); err != nil {
		return UserDetails{}, err
	}
	details.RefusedCeremonies, err = store.RefusedCeremonies(ctx, r.User.ID)
	return details, err
}

// Export returns up to limit users whose id is greater than after, in the order of their
// ids; start with uuid.Nil. Fewer than limit users mean that there are no more. Password
// hashes are included. A user who is added or changed during the export is returned in the
// state before or after the change, or left out.
func (a *Admin) Export(ctx context.Context, after uuid.UUID, limit int) ([]PortableUser, error) {
	records, err := a.service.store.UserRecords(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	users := make([]PortableUser, len(records))
	for i, r := range records {
		users[i] = r.Portable()
	}
	return users, nil
}
