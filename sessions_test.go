package stepkey_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

func TestEndingSessions(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		f.signUp("noor")
		one, two, three := f.logInForRefresh("mira"), f.logInForRefresh("mira"), f.logInForRefresh("mira")
		noor := f.logInForRefresh("noor")
		sessions, _, err := f.service.Sessions(f.Context(), one.Caller(), nil, stepkey.MaxListedSessions)
		if err != nil || len(sessions) != 3 || sessions[0].Client.Device != "Firefox on Linux" {
			f.Fatalf("Sessions: %+v, %v", sessions, err)
		}

		idOf := func(g stepkey.Grant) uuid.UUID { return uuid.MustParse(g.Claims.SessionID) }
		wantError(f.TB, "somebody else's session", f.service.EndSession(f.Context(), one.Caller(), idOf(noor)), stepkey.ErrNotFound)
		wantError(f.TB, "one of one's own", f.service.EndSession(f.Context(), one.Caller(), idOf(two)), nil)
		wantError(f.TB, "the same again", f.service.EndSession(f.Context(), one.Caller(), idOf(two)), stepkey.ErrNotFound)
		f.wantRefused("the ended one", two.RefreshToken)

		if n, err := f.service.LogOutOthers(f.Context(), one.Caller()); n != 1 || err != nil {
			f.Errorf("LogOutOthers: %d, %v; want 1", n, err)
		}
		f.wantRefused("the other one", three.RefreshToken)
		one = f.refresh(one.RefreshToken)

		wantError(f.TB, "LogOut", f.service.LogOut(f.Context(), one.Caller()), nil)
		wantError(f.TB, "LogOut again", f.service.LogOut(f.Context(), one.Caller()), nil)
		f.wantRefused("after the logout", one.RefreshToken)
		f.refresh(noor.RefreshToken)

		four, five := f.logInForRefresh("mira"), f.logInForRefresh("mira")
		if n, err := f.service.LogOutEverywhere(f.Context(), four.Caller()); n != 2 || err != nil {
			f.Errorf("LogOutEverywhere: %d, %v; want 2", n, err)
		}
		f.wantRefused("everywhere", five.RefreshToken)
		if n := f.events(storage.EventSessionEnded); n != 5 {
			f.Errorf("%d ends recorded, want 5", n)
		}
	})
}

func TestRevokeAndIntrospect(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	byAccess, byRefresh := f.logInForRefresh("mira"), f.logInForRefresh("mira")
	for _, g := range []stepkey.Grant{byAccess, byRefresh} {
		if c, err := f.service.Introspect(t.Context(), g.AccessToken); err != nil || c.SessionID != g.Claims.SessionID {
			t.Errorf("Introspect: %+v, %v", c, err)
		}
	}
	for _, worthless := range []string{"", "x", byAccess.AccessToken + "x", "rt2.x", flipLast(byRefresh.RefreshToken)} {
		wantError(t, "revoking what is worth nothing", f.service.Revoke(t.Context(), worthless, one), nil)
	}
	wantError(t, "revoke by access token", f.service.Revoke(t.Context(), byAccess.AccessToken, one), nil)
	wantError(t, "revoke by refresh token", f.service.Revoke(t.Context(), byRefresh.RefreshToken, one), nil)
	for _, g := range []stepkey.Grant{byAccess, byRefresh} {
		f.wantRefused("revoked", g.RefreshToken)
		wantError(t, "Introspect after", second(f.service.Introspect(t.Context(), g.AccessToken)), stepkey.ErrUnauthorized)
	}
	wantError(t, "Introspect garbage", second(f.service.Introspect(t.Context(), "x")), stepkey.ErrUnauthorized)
	wantError(t, "Introspect a refresh token", second(f.service.Introspect(t.Context(), byAccess.RefreshToken)), stepkey.ErrUnauthorized)
}

func flipLast(s string) string { return s[:len(s)-5] + flip(s[len(s)-5:len(s)-4]) + s[len(s)-4:] }

// Another instance refuses a disabled user's tokens as soon as it looks, and it
// looks twice a second.
func TestDisabledUserIsRefusedEverywhere(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		g := f.logInForRefresh("mira")
		f.signUp("noor")
		noor := f.logInForRefresh("noor")
		u, err := f.store.UserByName(f.Context(), "mira")
		if err != nil {
			f.Fatal(err)
		}
		wantError(f.TB, "DisableUser", f.service.Admin().DisableUser(f.Context(), u.ID), nil)
		wantError(f.TB, "DisableUser again", f.service.Admin().DisableUser(f.Context(), u.ID), nil)

		other := f.newService(f.config()) // New looks once, as Run does again and again
		for _, test := range []struct {
			what string
			s    *stepkey.Service
		}{{"this instance", f.service}, {"another", other}} {
			for _, row := range []struct {
				id   string
				want bool
			}{{g.Claims.SessionID, true}, {noor.Claims.SessionID, false}} {
				if ended, err := test.s.Ended(token.Claims{SessionID: row.id}); ended != row.want || err != nil {
					f.Errorf("%s: Ended %v, %v; want %v", test.what, ended, err, row.want)
				}
			}
		}
		f.wantRefused("refresh", g.RefreshToken)
		wantError(f.TB, "login", second(f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: password})),
			stepkey.ErrInvalidCredentials)
		wantError(f.TB, "EnableUser", f.service.Admin().EnableUser(f.Context(), u.ID), nil)
		f.wantRefused("refresh after enabling", g.RefreshToken)
		f.logInForRefresh("mira")
		if d, e := f.events(storage.EventUserDisabled), f.events(storage.EventUserEnabled); d != 1 || e != 1 {
			f.Errorf("%d and %d events, want one each", d, e)
		}
	})
}

func TestRunFollowsWhatOthersEnd(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	g := f.logInForRefresh("mira")
	other := f.newService(f.config())
	go other.Run(t.Context())
	wantError(t, "LogOut", f.service.LogOut(t.Context(), g.Caller()), nil)
	for {
		ended, err := other.Ended(g.Claims)
		if err != nil {
			t.Fatal(err)
		}
		if ended {
			return // the test's own deadline is the bound
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestAtMost50Sessions(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	oldest := f.logInForRefresh("mira")
	for range stepkey.MaxSessions - 1 {
		f.clock.Advance(time.Second)
		f.addSession("mira", stepkey.RefreshBody) // without the cost of a login
	}
	oldest = f.refresh(oldest.RefreshToken) // 50 are not too many
	f.clock.Advance(time.Second)
	newest := f.logInForRefresh("mira")
	f.wantRefused("the oldest", oldest.RefreshToken)
	if sessions, _, err := f.service.Sessions(t.Context(), newest.Caller(), nil, stepkey.MaxListedSessions); err != nil || len(sessions) != stepkey.MaxSessions {
		t.Errorf("%d sessions, %v; want %d", len(sessions), err, stepkey.MaxSessions)
	}
}

func TestAtMost100SessionsWithoutRefreshToken(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		refreshing := f.logInForRefresh("mira")
		oldest := f.logIn("mira")
		f.clock.Advance(time.Millisecond)
		second := f.logIn("mira")
		for range stepkey.MaxPlainSessions - 2 {
			f.clock.Advance(time.Millisecond)
			f.addSession("mira", stepkey.RefreshNone)
		}
		wantError(f.TB, "the oldest of 100", f.noSessions(oldest), nil)
		f.clock.Advance(time.Millisecond)
		newest := f.logIn("mira")
		wantError(f.TB, "the oldest", f.noSessions(oldest), stepkey.ErrUnauthorized)
		wantError(f.TB, "the second", f.noSessions(second), nil)
		wantError(f.TB, "the one with refresh token", f.noSessions(refreshing.Caller()), nil)
		sessions, next, err := f.service.Sessions(f.Context(), newest, nil, stepkey.MaxListedSessions)
		if err != nil || next != nil || len(sessions) != stepkey.MaxPlainSessions+1 {
			f.Errorf("%d sessions, next %v, %v; want %d in one page", len(sessions), next, err, stepkey.MaxPlainSessions+1)
		}
		for _, limit := range []int{-1, 0, stepkey.MaxListedSessions + 1} {
			_, _, err := f.service.Sessions(f.Context(), newest, nil, limit)
			wantError(f.TB, "a limit out of bounds", err, stepkey.ErrInvalidRequest)
		}
	})
}

// noSessions is the error of listing the sessions.
func (f *fixture) noSessions(c stepkey.Caller) error {
	_, _, err := f.service.Sessions(f.Context(), c, nil, 1)
	return err
}

// addSession stores a session that began now.
func (f *fixture) addSession(name string, refresh stepkey.RefreshMode) {
	f.Helper()
	now := f.clock.Now()
	u, err := f.store.UserByName(f.Context(), name)
	if err == nil {
		err = f.store.InTx(f.Context(), func(tx storage.Tx) error {
			return tx.CreateSession(f.Context(), stepkey.Session{
				ID: uuid.New(), UserID: u.ID, PasswordVersion: u.PasswordVersion, PasswordAt: now,
				CreatedAt: now, LastSeenAt: now, RotatedAt: now, ExpiresAt: now.Add(stepkey.SessionLifetime),
				Refresh: refresh, Salt: []byte("salt of sixteen!"), Generation: 1,
			})
		})
	}
	if err != nil {
		f.Fatal(err)
	}
}
