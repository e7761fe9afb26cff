package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// Parameters of the suite's rotations. A store knows none of these itself.
const (
	sessionIdle      = 7 * 24 * time.Hour
	noStepUpLifetime = 15 * time.Minute
	fullLifetime     = 12 * time.Hour
	fullIdle         = time.Hour
)

// refreshable is newSession with a refresh token, for 30 days.
func refreshable(u storage.User) storage.Session {
	s := newSession(u)
	s.ExpiresAt = epoch.Add(30 * 24 * time.Hour)
	s.Refresh, s.Salt, s.Generation = storage.RefreshBody, []byte("salt of sixteen!"), 1
	s.Client = storage.Client{Device: "Firefox on Linux", Network: "203.0.113.0/24"}
	return s
}

// withRefresh adds a user with a session that has a refresh token, and passkeys.
func withRefresh(t *testing.T, s storage.Store, name string, passkeys int) storage.Account {
	t.Helper()
	a := signedIn(t, s, name, passkeys)
	a.Session = refreshable(a.User)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.CreateSession(ctx, a.Session) })
	return a
}

// sameAddr compares the addresses in sessions, which no store keeps.
func sameAddr() cmp.Option { return cmpopts.EquateComparable(netip.Addr{}) }

func wantSession(t *testing.T, s storage.Store, what string, want storage.Session) {
	t.Helper()
	got, err := s.RefreshSession(t.Context(), want.ID)
	if diff := cmp.Diff(want, got, sameAddr()); err != nil || diff != "" {
		t.Errorf("%s: %v, -want +got:\n%s", what, err, diff)
	}
}

// elevate steps a session up with a passkey that has used every count up to its
// time, and returns it.
func elevate(t *testing.T, s storage.Store, session storage.Session, p storage.Passkey, at time.Time) storage.Session {
	t.Helper()
	use := storage.PasskeyUse{PasskeyID: p.ID, SignCount: uint32(at.Unix()), At: at}
	generation, err := s.Elevate(t.Context(), storage.Elevation{
		Verified:  storage.Verified{UserID: session.UserID, SessionID: session.ID, Use: use},
		ExpiresAt: session.ExpiresAt,
	})
	if err != nil {
		t.Fatal(err)
	}
	session.FullAt, session.FullPasskeyID, session.FullHardware = &at, &p.ID, false
	session.LastPasskeyID = &p.ID
	session.LastSeenAt, session.RotatedAt, session.Generation, session.StepUpGeneration = at, at, generation, generation
	return session
}

// rotationAt is a refresh at a time, by the limits of the service.
func rotationAt(session storage.Session, at time.Time) storage.Rotation {
	return storage.Rotation{
		SessionID: session.ID, Salt: session.Salt, Generation: session.Generation, At: at,
		IdleSince: at.Add(-sessionIdle), NoStepUpSince: at.Add(-noStepUpLifetime),
		FullSince: at.Add(-fullLifetime), FullIdleSince: at.Add(-fullIdle),
	}
}

func rotation(t *testing.T, s storage.Store) {
	const tick = time.Microsecond
	for i, test := range []struct {
		name     string
		passkeys int
		after    time.Duration
		change   func(*storage.Rotation)
		rotates  bool
	}{
		{"at once", 0, 0, nil, true},
		{"just before it is idle", 0, sessionIdle - tick, nil, true},
		{"idle", 0, sessionIdle, nil, false},
		{"just before a passkey is due", 1, noStepUpLifetime - tick, nil, true},
		{"a passkey is due", 1, noStepUpLifetime, nil, false},
		{"no passkey to be due", 0, noStepUpLifetime, nil, true},
		{"older generation", 0, 0, func(r *storage.Rotation) { r.Generation-- }, false},
		{"later generation", 0, 0, func(r *storage.Rotation) { r.Generation++ }, false},
		{"another session", 0, 0, func(r *storage.Rotation) { r.SessionID = uuid.New() }, false},
		{"another salt", 0, 0, func(r *storage.Rotation) { r.Salt = []byte("another salt 16b") }, false},
		{"no salt", 0, 0, func(r *storage.Rotation) { r.Salt = nil }, false},
		{"expired", 0, 0, func(r *storage.Rotation) { r.At = epoch.Add(30 * 24 * time.Hour) }, false},
	} {
		a := withRefresh(t, s, fmt.Sprintf("user%d", i), test.passkeys)
		r := rotationAt(a.Session, epoch.Add(test.after))
		if test.change != nil {
			test.change(&r)
		}
		rotated, err := s.RotateSession(t.Context(), r)
		want := a.Session
		if test.rotates {
			want.Generation, want.RotatedAt, want.LastSeenAt = 2, r.At, r.At
		}
		if diff := cmp.Diff(want, rotated.Session, sameAddr()); test.rotates && diff != "" {
			t.Errorf("%s: the session as returned, -want +got:\n%s", test.name, diff)
		}
		if test.rotates != (err == nil) || (err == nil && (rotated.Username != a.User.Username || rotated.HasPasskeys != (test.passkeys > 0))) ||
			(err != nil && !errors.Is(err, storage.ErrNotFound)) {
			t.Errorf("%s: %+v, %v; want it to rotate: %v", test.name, rotated, err, test.rotates)
		}
		wantSession(t, s, test.name, want)
	}
}

func rotationFallsBack(t *testing.T, s storage.Store) {
	const tick = time.Microsecond
	for i, test := range []struct {
		name      string
		refreshes []time.Duration // after the passkey was verified
		stays     bool
	}{
		{"soon", []time.Duration{time.Minute}, true},
		{"just before it is idle", []time.Duration{fullIdle - tick}, true},
		{"idle", []time.Duration{fullIdle}, false},
		{"idle, and again at once", []time.Duration{fullIdle, fullIdle + tick}, false},
		{"active to its end", every(30*time.Minute, fullLifetime-tick), true},
		{"active beyond its end", every(30*time.Minute, fullLifetime), false},
	} {
		a := withRefresh(t, s, fmt.Sprintf("user%d", i), 1)
		fullAt := epoch.Add(time.Minute)
		a.Session = elevate(t, s, a.Session, a.Passkeys[0], fullAt)
		for _, after := range test.refreshes {
			if _, err := s.RotateSession(t.Context(), rotationAt(a.Session, fullAt.Add(after))); err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			a.Session.Generation++
		}
		got, err := s.RefreshSession(t.Context(), a.Session.ID)
		if err == nil && (got.LastPasskeyID == nil || *got.LastPasskeyID != a.Passkeys[0].ID) {
			t.Errorf("%s: the last passkey is %v", test.name, got.LastPasskeyID)
		}
		if err != nil || (got.FullPasskeyID != nil) != test.stays || got.FullAt == nil || !got.FullAt.Equal(fullAt) {
			t.Errorf("%s: %v, passkey %v, full at %v; want it to stay full: %v", test.name, err, got.FullPasskeyID, got.FullAt, test.stays)
		}
	}
}

// every lists the multiples of step below end, and end.
func every(step, end time.Duration) (list []time.Duration) {
	for d := step; d < end; d += step {
		list = append(list, d)
	}
	return append(list, end)
}

func oneRotationWins(t *testing.T, s storage.Store) {
	a := withRefresh(t, s, "mira", 0)
	won := race(32, func(int) bool {
		_, err := s.RotateSession(t.Context(), rotationAt(a.Session, epoch))
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("RotateSession: %v", err)
		}
		return err == nil
	})
	if won != 1 {
		t.Errorf("%d rotations of one generation, want 1", won)
	}
}

func endingSessions(t *testing.T, s storage.Store) {
	mira, noor := withRefresh(t, s, "mira", 0), withRefresh(t, s, "noor", 0)
	sessions := []storage.Session{mira.Session}
	for i := range 4 {
		session := refreshable(mira.User)
		session.CreatedAt = epoch.Add(time.Duration(i+1) * time.Second)
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.CreateSession(ctx, session) })
		sessions = append(sessions, session)
	}
	at := epoch.Add(time.Minute)
	end := func(what string, which storage.EndSessions, want ...storage.Session) {
		t.Helper()
		which.UserID, which.At, which.Reason = mira.User.ID, at, "test"
		var ended []uuid.UUID
		inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
			ended, err = tx.EndSessions(ctx, which)
			return err
		})
		var ids []uuid.UUID
		for _, session := range want {
			ids = append(ids, session.ID)
		}
		if !sameIDs(ended, ids) {
			t.Errorf("%s: ended %v, want %v", what, ended, ids)
		}
	}
	liveOf := func(a storage.Account) (n int) {
		t.Helper()
		list, err := s.Sessions(t.Context(), a.User.ID, epoch, epoch.Add(-time.Hour), nil, 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}

	before := liveOf(mira)
	end("somebody else's", storage.EndSessions{Only: noor.Session.ID})
	end("one", storage.EndSessions{Only: sessions[2].ID}, sessions[2])
	end("one again", storage.EndSessions{Only: sessions[2].ID})
	end("but one and the newest three", storage.EndSessions{Keep: 3, Except: sessions[0].ID})
	end("but the newest three", storage.EndSessions{Keep: 3}, sessions[0])
	if got := liveOf(mira); got != before-2 {
		t.Errorf("%d live sessions, want %d", got, before-2)
	}
	list, err := s.Sessions(t.Context(), mira.User.ID, epoch, epoch.Add(-time.Hour), nil, 100)
	if err != nil || cmp.Diff(sessions[4], list[0], sameAddr()) != "" {
		t.Errorf("Sessions: %v, newest -want +got:\n%s", err, cmp.Diff(sessions[4], list[0], sameAddr()))
	}

	first, err := s.Account(t.Context(), mira.User.ID, sessions[4].ID, epoch)
	if err != nil {
		t.Fatal(err)
	}
	var others []uuid.UUID
	inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
		others, err = tx.EndSessions(ctx, storage.EndSessions{UserID: mira.User.ID, Except: first.Session.ID, At: at, Reason: "test"})
		return err
	})
	if len(others) != before-3 || liveOf(mira) != 1 || liveOf(noor) != 2 {
		t.Errorf("all but one: ended %d, %d are left, %d of somebody else; want %d, 1 and 2",
			len(others), liveOf(mira), liveOf(noor), before-3)
	}
	wantEnded(t, s, at, before-1)
	wantEnded(t, s, at.Add(time.Microsecond), 0)
}

func wantEnded(t *testing.T, s storage.Store, since time.Time, want int) {
	t.Helper()
	ended, err := s.EndedSessions(t.Context(), storage.EndedSession{At: since}, 1000)
	if err != nil || len(ended) != want {
		t.Errorf("EndedSessions since %s: %d, %v; want %d", since, len(ended), err, want)
	}
	for _, e := range ended {
		if e.At.Before(since) {
			t.Errorf("EndedSessions since %s: one of %s", since, e.At)
		}
	}
}

func sameIDs(a, b []uuid.UUID) bool {
	byText := func(x, y uuid.UUID) int { return slices.Compare(x[:], y[:]) }
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, byText)
	slices.SortFunc(b, byText)
	return slices.Equal(a, b)
}

func disabling(t *testing.T, s storage.Store) {
	a := withRefresh(t, s, "mira", 0)
	set := func(at *time.Time, want bool) {
		t.Helper()
		var changed bool
		inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
			changed, err = tx.SetDisabled(ctx, a.User.ID, at)
			return err
		})
		if changed != want {
			t.Errorf("SetDisabled(%v) changed something: %v, want %v", at, changed, want)
		}
	}
	at := epoch.Add(time.Minute)
	set(nil, false)
	set(&at, true)
	set(&at, false)
	if _, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Account of a disabled user: %v, want ErrNotFound", err)
	}
	if _, err := s.RotateSession(t.Context(), rotationAt(a.Session, epoch)); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("RotateSession of a disabled user: %v, want ErrNotFound", err)
	}
	if u, err := s.UserByName(t.Context(), "mira"); err != nil || u.DisabledAt == nil || !u.DisabledAt.Equal(at) {
		t.Errorf("UserByName: %+v, %v", u.DisabledAt, err)
	}
	set(nil, true)
	if _, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch); err != nil {
		t.Errorf("Account after enabling: %v", err)
	}
}

func newPassword(t *testing.T, s storage.Store) {
	a := withRefresh(t, s, "mira", 0)
	other := a.Session
	other.ID = uuid.New()
	at := epoch.Add(time.Minute)
	want := a.Session
	want.PasswordVersion, want.PasswordAt = a.User.PasswordVersion+1, at
	want.LastSeenAt, want.RotatedAt, want.Generation, want.StepUpGeneration = at, at, 3, 3
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		if err := tx.CreateSession(ctx, other); err != nil {
			return err
		}
		if set, err := tx.SetPassword(ctx, a.User.ID, a.User.PasswordVersion, "new hash", nil); err != nil || !set {
			t.Errorf("SetPassword: %v, %v", set, err)
		}
		if generation, err := tx.AdoptPassword(ctx, want, at); err != nil || generation != 3 {
			t.Errorf("AdoptPassword: %d, %v; want 3", generation, err)
		}
		return nil
	})
	wantSession(t, s, "the session that goes on", want)
	if got, err := s.Account(t.Context(), a.User.ID, want.ID, at); err != nil || got.User.PasswordHash != "new hash" {
		t.Errorf("its account: %q, %v", got.User.PasswordHash, err)
	}
	if _, err := s.Account(t.Context(), a.User.ID, other.ID, at); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the other session's account: %v, want ErrNotFound", err)
	}

	for what, session := range map[string]storage.Session{
		"somebody else's": {ID: want.ID, UserID: uuid.New()},
		"expired":         {ID: want.ID, UserID: want.UserID},
	} {
		err := s.InTx(t.Context(), func(tx storage.Tx) error {
			at := at
			if what == "expired" {
				at = want.ExpiresAt
			}
			_, err := tx.AdoptPassword(t.Context(), session, at)
			return err
		})
		if !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", what, err)
		}
	}
}
