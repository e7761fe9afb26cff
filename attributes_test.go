package stepkey_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/tokens"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// withClaims makes the fixture's service one whose users can have a department and a locale.
func (f *fixture) withClaims() *stepkey.Admin {
	c := f.config()
	c.OwnClaims = []string{"department", "locale"}
	f.service = f.newService(c)
	return f.service.Admin()
}

// A user who is removed from a group has no token with it any more, at any instance, and
// refreshes to one without.
func TestRemovalFromAGroup(t *testing.T) {
	onBoth(t, func(f *fixture) {
		admin := f.withClaims()
		f.signUp("mira")
		f.signUp("noor")
		noor := f.logInForRefresh("noor")
		u, err := f.store.UserByName(f.Context(), "mira")
		if err != nil {
			f.Fatal(err)
		}
		change := func(want bool, add []string, remove ...string) {
			f.Helper()
			if changed, err := admin.ChangeGroups(f.Context(), u.ID, add, remove); changed != want || err != nil {
				f.Errorf("+%q -%q: %v, %v; want %v", add, remove, changed, err, want)
			}
		}
		before := f.logInForRefresh("mira")
		change(true, []string{"ops", "dev"})
		change(false, []string{"ops"})
		granted := f.refresh(before.RefreshToken)
		if !slices.Equal(granted.Claims.Groups, []string{"dev", "ops"}) {
			f.Errorf("groups after a refresh: %q", granted.Claims.Groups)
		}
		change(true, nil, "ops")
		other := f.newService(f.config()) // New looks once, as Run does again and again
		outdated := []struct {
			grant stepkey.Grant
			ended bool
		}{{before, true}, {granted, true}, {noor, false}}
		for i, s := range []*stepkey.Service{f.service, other} {
			for _, test := range outdated {
				if ended, err := s.Ended(test.grant.Claims); ended != test.ended || err != nil {
					f.Errorf("instance %d, groups %q: ended %v, %v; want %v", i, test.grant.Claims.Groups, ended, err, test.ended)
				}
			}
		}
		follower := f.followThrough(f.behindOneURL(other)) // a guard that verifies offline
		for _, test := range outdated {
			if ended, err := follower.Ended(test.grant.Claims); ended != test.ended || err != nil {
				f.Errorf("offline, groups %q: ended %v, %v; want %v", test.grant.Claims.Groups, ended, err, test.ended)
			}
		}
		wantError(f.TB, "Introspect the token of before", second(f.service.Introspect(f.Context(), granted.AccessToken)), stepkey.ErrUnauthorized)
		now := f.refresh(granted.RefreshToken)
		if ended, err := f.service.Ended(now.Claims); ended || err != nil || !slices.Equal(now.Claims.Groups, []string{"dev"}) {
			f.Errorf("after a refresh: ended %v, %v, groups %q", ended, err, now.Claims.Groups)
		}
		if got, err := f.service.Introspect(f.Context(), now.AccessToken); err != nil || !slices.Equal(got.Groups, []string{"dev"}) {
			f.Errorf("introspected: %q, %v", got.Groups, err)
		}
		if n := f.events(storage.EventAttributesChanged); n != 2 {
			f.Errorf("%d events, want 2", n)
		}
	})
}

// Many ends of sessions in one minute become one entry for the user. A change of groups stays on
// the list beside it.
func TestRemovalFromAGroupBesideManyEnds(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		before := f.logInForRefresh("mira")
		u, err := f.store.UserByName(f.Context(), "mira")
		if err != nil {
			f.Fatal(err)
		}
		if _, err := f.service.Admin().ChangeGroups(f.Context(), u.ID, []string{"ops"}, nil); err != nil {
			f.Fatal(err)
		}
		now := f.refresh(before.RefreshToken)
		f.ends(u, 2*tokens.CollapseFrom, time.Second)
		f.clock.Advance(3 * time.Minute)
		f.look(f.service)
		follower := f.followThrough(f.behindOneURL(f.service))
		for _, test := range []struct {
			grant stepkey.Grant
			ended bool
		}{{before, true}, {now, false}} {
			if ended, err := follower.Ended(test.grant.Claims); ended != test.ended || err != nil {
				f.Errorf("version %d: ended %v, %v; want %v", test.grant.Claims.AttributesVersion, ended, err, test.ended)
			}
		}
	})
}

// An assertion is no access token to the service, even for its own audience, and a service that
// signs with a shared secret makes none.
func TestAssertionOfTheService(t *testing.T) {
	f := newFixture(t)
	admin := f.withClaims()
	c, device := f.enrolled("mira", authenticator.Config{})
	id := uuid.MustParse(c.Claims().Subject)
	if _, err := admin.ChangeGroups(t.Context(), id, []string{"ops"}, nil); err != nil {
		t.Fatal(err)
	}
	full := f.stepUpGrant(f.logInForRefresh("mira").Caller(), device)
	a, err := f.store.Account(t.Context(), id, uuid.MustParse(full.Claims.SessionID), f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := f.service.Assertion(a.User, a.Session, origin)
	if err != nil {
		t.Fatal(err)
	}
	var refusal *token.Error
	if _, err := f.service.CallerOf(t.Context(), raw); !errors.As(err, &refusal) || refusal.Reason != token.ReasonType {
		t.Errorf("as an access token: %v", err)
	}
	v, err := token.NewAssertionVerifier(stepkey.SigningKeysOf(f.service), token.Expect{Issuer: origin, Audience: origin, Clock: f.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Verify(t.Context(), raw)
	if err != nil || got.Subject != id.String() || !got.InGroup("ops") || got.ACR != token.LevelFull || got.PasskeyTime != full.Claims.PasskeyTime {
		t.Errorf("%+v, %v", got, err)
	}
	shared := f.config()
	shared.SharedSecret = "rX0hW8Yt2kq5vN7bZ3mC9dJ1sL6pF4aG"
	wantError(t, "with a shared secret", second(f.newService(shared).Assertion(a.User, a.Session, origin)), token.ErrSymmetricKey)
}

// A step-up and a sign-in have groups and own claims too, and so has the account's export.
func TestWhereGroupsAndClaimsTravel(t *testing.T) {
	onBoth(t, func(f *fixture) {
		admin := f.withClaims()
		c, device := f.enrolled("mira", authenticator.Config{})
		id := uuid.MustParse(c.Claims().Subject)
		for _, err := range []error{
			second(admin.ChangeGroups(f.Context(), id, []string{"ops"}, nil)),
			second(admin.ChangeClaims(f.Context(), id, map[string]string{"department": "Sales", "locale": "de"})),
			second(admin.ChangeClaims(f.Context(), id, map[string]string{"locale": ""})),
		} {
			if err != nil {
				f.Fatal(err)
			}
		}
		want := map[string]string{"department": "Sales"}
		check := func(what string, got token.Claims) {
			f.Helper()
			if !slices.Equal(got.Groups, []string{"ops"}) || !maps.Equal(got.OwnClaims, want) || got.AttributesVersion != 3 {
				f.Errorf("%s: %q %q %d", what, got.Groups, got.OwnClaims, got.AttributesVersion)
			}
		}
		signedIn := f.logInForRefresh("mira")
		check("a sign-in", signedIn.Claims)
		full := f.stepUpGrant(signedIn.Caller(), device)
		check("a step-up", full.Claims)
		data, err := f.service.ExportAccount(f.Context(), full.Caller())
		if err != nil || data.User.Attributes.Groups != "ops" || !maps.Equal(data.User.Attributes.Claims.Map(), want) {
			f.Errorf("export: %+v, %v", data.User.Attributes, err)
		}
		// A name that is taken off the list leaves the tokens.
		f.service = f.newService(f.config())
		if got := f.logInForRefresh("mira").Claims.OwnClaims; len(got) != 0 {
			f.Errorf("claims that are not listed: %q", got)
		}
	})
}

func TestRefusedGroupsAndClaims(t *testing.T) {
	f := newFixture(t)
	admin := f.withClaims()
	f.signUp("mira")
	u, err := f.store.UserByName(t.Context(), "mira")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what string
		err  error
		want error
	}{
		{"a group with a space", second(admin.ChangeGroups(t.Context(), u.ID, []string{"a b"}, nil)), stepkey.ErrInvalidRequest},
		{"leaving such a group", second(admin.ChangeGroups(t.Context(), u.ID, nil, []string{"A"})), stepkey.ErrInvalidRequest},
		{"a claim that is not listed", second(admin.ChangeClaims(t.Context(), u.ID, map[string]string{"name": "x"})), stepkey.ErrInvalidRequest},
		{"sub", second(admin.ChangeClaims(t.Context(), u.ID, map[string]string{"sub": "x"})), stepkey.ErrInvalidRequest},
		{"a long value", second(admin.ChangeClaims(t.Context(), u.ID, map[string]string{"locale": strings.Repeat("x", 129)})), stepkey.ErrInvalidRequest},
		{"nobody", second(admin.ChangeGroups(t.Context(), uuid.New(), []string{"ops"}, nil)), stepkey.ErrNotFound},
	} {
		wantError(t, test.what, test.err, test.want)
	}
	if got, err := f.store.UserByName(t.Context(), "mira"); err != nil || got.Attributes != (storage.Attributes{}) {
		t.Errorf("after refusals: %+v, %v", got.Attributes, err)
	}
	for _, name := range []string{"sub", "groups", "email", "Name", ""} {
		c := f.config()
		c.OwnClaims = []string{name}
		if _, err := stepkey.New(t.Context(), c); err == nil {
			t.Errorf("a service has the own claim %q", name)
		}
	}
}

// An import takes groups and claims as an export writes them, and leaves out users whose are
// outside the rules.
func TestImportOfGroupsAndClaims(t *testing.T) {
	onBoth(t, func(f *fixture) {
		admin := f.withClaims()
		f.signUp("mira")
		sent := f.exported()[0]
		user := func(name string, groups []string, claims map[string]string) stepkey.PortableUser {
			u := sent
			u.ID, u.Username, u.Handle, u.Groups, u.Claims = uuid.New(), name, nil, groups, claims
			return u
		}
		noor := user("noor", []string{"ops", "dev"}, map[string]string{"department": "Sales"})
		f.wantResults("import", f.importAll(false, noor,
			user("omar", []string{"Ops"}, nil),
			user("lena", nil, map[string]string{"name": "x"}),
			user("luis", nil, map[string]string{"sub": "x"}),
		),
			stepkey.ImportResult{Status: stepkey.ImportAdded},
			stepkey.ImportResult{Status: stepkey.ImportLeftOut, Problem: storage.ProblemGroups},
			stepkey.ImportResult{Status: stepkey.ImportLeftOut, Problem: storage.ProblemClaims},
			stepkey.ImportResult{Status: stepkey.ImportLeftOut, Problem: storage.ProblemClaims})
		i := slices.IndexFunc(f.exported(), func(u stepkey.PortableUser) bool { return u.ID == noor.ID })
		if got := f.exported()[i]; !slices.Equal(got.Groups, []string{"dev", "ops"}) || !maps.Equal(got.Claims, noor.Claims) {
			f.Errorf("exported: %q %q", got.Groups, got.Claims)
		}
		if u, err := admin.FindUser(f.Context(), "noor"); err != nil || u.Attributes.Groups != "dev ops" {
			f.Errorf("imported: %+v, %v", u.Attributes, err)
		}
	})
}
