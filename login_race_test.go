package stepkey_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
)

// meanwhile is a store in which something happens before the next transaction: with a
// login, between the comparison of the password and the session.
type meanwhile struct {
	*sqlstore.Store
	happens func()
}

func (m *meanwhile) InTx(ctx context.Context, fn func(storage.Tx) error) error {
	if happens := m.happens; happens != nil {
		m.happens = nil
		happens()
	}
	return m.Store.InTx(ctx, fn)
}

func TestLoginIsOfThePasswordAndUserOfThatMoment(t *testing.T) {
	onBoth(t, func(f *fixture) {
		other := f.service
		store := &meanwhile{Store: f.store}
		config := f.config()
		config.Store = store
		f.service = f.newService(config)
		for _, test := range []struct {
			name    string
			happens func(user uuid.UUID, c stepkey.Grant) error
		}{
			{"changed", func(_ uuid.UUID, g stepkey.Grant) error {
				current := password
				return second(other.ChangePassword(f.Context(), g.Caller(), stepkey.ChangePasswordRequest{Current: &current, New: newPassword}))
			}},
			{"disabled", func(user uuid.UUID, _ stepkey.Grant) error { return other.Admin().DisableUser(f.Context(), user) }},
			{"deleted", func(user uuid.UUID, _ stepkey.Grant) error { return other.Admin().DeleteUser(f.Context(), user) }},
		} {
			f.signUp(test.name)
			g := f.logInForRefresh(test.name)
			store.happens = func() {
				if err := test.happens(uuid.MustParse(g.Claims.Subject), g); err != nil {
					f.Errorf("%s: %v", test.name, err)
				}
			}
			_, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: test.name, Password: password})
			wantError(f.TB, "a login while the user is "+test.name, err, stepkey.ErrInvalidCredentials)
		}
	})
}

// A user who is disabled during a login has no session afterwards that goes on.
func TestNoLoginSlipsInWhileAUserIsDisabled(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		user := uuid.MustParse(f.logIn("mira").Claims().Subject)
		config := f.config()
		config.Origins, config.DangerNoLimits = []string{"http://localhost:3000"}, true // disabled users fail
		other := f.newService(config)
		through := 0
		for range 20 {
			if err := f.service.Admin().EnableUser(f.Context(), user); err != nil {
				f.Fatal(err)
			}
			var granted [4]stepkey.Grant
			signedIn := make(chan bool, len(granted))
			race(5, func(i int) error {
				if i == 4 {
					waitForOne(signedIn) // so that logins are under way
					return f.service.Admin().DisableUser(f.Context(), user)
				}
				g, err := other.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: password})
				var overloaded *stepkey.OverloadedError
				if err != nil && !errors.Is(err, stepkey.ErrInvalidCredentials) && !errors.As(err, &overloaded) {
					f.Errorf("LogIn: %v", err)
				}
				granted[i] = g
				signedIn <- err == nil
				return nil
			})
			for _, g := range granted {
				if g.AccessToken == "" {
					continue
				}
				through++
				if !f.ended(g.Claims.SessionID) {
					f.Fatalf("a session goes on of a user who is disabled")
				}
			}
		}
		if through == 0 {
			f.Error("no login got through")
		}
	})
}

// waitForOne waits until one try has succeeded, or all that the channel has room for have failed.
func waitForOne(tries <-chan bool) {
	for range cap(tries) {
		if <-tries {
			return
		}
	}
}
