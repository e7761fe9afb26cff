package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// entry is an external user of a realm, new to the store, with a session.
func entry(realm, key string) (storage.User, storage.Session) {
	id := uuid.New()
	u := storage.User{
		ID: id, CanonicalName: ":" + id.String(), Handle: id[:], CreatedAt: epoch,
		Realm: realm, ExternalKey: key, Username: key + "@example.com", DisplayName: "Display name",
	}
	return u, storage.Session{
		ID: uuid.New(), PasswordAt: epoch, LastSeenAt: epoch, ExpiresAt: epoch.Add(time.Hour),
		Client: storage.Client{Device: "Firefox on Linux", Network: "203.0.113.0/24"},
	}
}

func named(u storage.User) storage.ExternalUser {
	return storage.ExternalUser{Realm: u.Realm, Key: u.ExternalKey}
}

func enter(t *testing.T, s storage.Store, u storage.User, session storage.Session) (userID uuid.UUID, err error) {
	t.Helper()
	err = s.InTx(t.Context(), func(tx storage.Tx) (err error) {
		userID, err = tx.EnterExternal(t.Context(), u, session)
		return err
	})
	return userID, err
}

// entered is an external user who is there, with a session and a passkey.
func entered(t *testing.T, s storage.Store, realm, key string) (storage.User, storage.Session, storage.Passkey) {
	t.Helper()
	u, session := entry(realm, key)
	id, err := enter(t, s, u, session)
	if err != nil {
		t.Fatal(err)
	}
	session.UserID, session.PasswordVersion = id, 1
	p := newPasskey(u)
	p.UserID = id
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.CreatePasskey(ctx, p) })
	return u, session, p
}

// prove verifies the passkey in the session, two minutes after the epoch. count is the signature
// counter, which has to grow.
func prove(t *testing.T, s storage.Store, session storage.Session, p storage.Passkey, count uint32) error {
	t.Helper()
	_, err := s.Elevate(t.Context(), storage.Elevation{
		Verified: storage.Verified{
			UserID: session.UserID, SessionID: session.ID,
			Use: storage.PasskeyUse{PasskeyID: p.ID, SignCount: count, At: epoch.Add(2 * time.Minute)},
		},
		ExpiresAt: epoch.Add(12 * time.Hour),
	})
	return err
}

func wantStanding(t *testing.T, s storage.Store, what string, u storage.User, session uuid.UUID, want storage.Standing) {
	t.Helper()
	got, err := s.Standing(t.Context(), named(u), session, epoch.Add(3*time.Minute))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s: %v, -want +got:\n%s", what, err, diff)
	}
}

func externalUsers(t *testing.T, s storage.Store) {
	u, session := entry("shop", "42")
	if _, err := s.Standing(t.Context(), named(u), session.ID, epoch); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Standing before: %v, want ErrNotFound", err)
	}
	id, err := enter(t, s, u, session)
	if err != nil || id != u.ID {
		t.Fatalf("EnterExternal: %v, %v", id, err)
	}
	again, second := entry("shop", "42")
	again.Username, again.DisplayName = "new@example.com", "New name"
	if id, err = enter(t, s, again, second); err != nil || id != u.ID {
		t.Fatalf("entering again: %v, %v; want the same user", id, err)
	}
	a, err := s.Account(t.Context(), u.ID, second.ID, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if a.User.Username != again.Username || a.User.DisplayName != again.DisplayName || a.User.Realm != "shop" ||
		a.User.ExternalKey != "42" || string(a.User.Handle) != string(u.Handle) || a.Session.Client != second.Client ||
		!a.Session.PasswordAt.Equal(epoch) {
		t.Errorf("account: %+v", a)
	}
	for _, other := range []storage.ExternalUser{{Realm: "shop", Key: "4"}, {Realm: "Shop", Key: "42"}, {Realm: "blog", Key: "42"}} {
		stranger, theirs := entry(other.Realm, other.Key)
		if id, err := enter(t, s, stranger, theirs); err != nil || id != stranger.ID {
			t.Errorf("%v: %v, %v; want a user of their own", other, id, err)
		}
	}
	upper, theirs := entry("shop", "A\x00\xff")
	lower, _ := entry("shop", "a\x00\xff")
	upper.Username, lower.Username = "A", "a"
	for _, u := range []storage.User{upper, lower} {
		theirs.ID = uuid.New()
		if id, err := enter(t, s, u, theirs); err != nil || id != u.ID {
			t.Errorf("%q: %v, %v; want keys to be bytes", u.ExternalKey, id, err)
		}
	}
}

// The service's own lists and its search for old hashes know nothing of external users.
func externalUsersApart(t *testing.T, s storage.Store) {
	entered(t, s, "shop", "42")
	records, err := s.UserRecords(t.Context(), uuid.Nil, 10)
	if err != nil || len(records) != 0 {
		t.Errorf("UserRecords: %v, %v; want none", records, err)
	}
	if hash, err := s.NextOldHash(t.Context(), ""); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("NextOldHash: %q, %v; want ErrNotFound", hash, err)
	}
}

func oneExternalUser(t *testing.T, s storage.Store) {
	ids := make([]uuid.UUID, 16)
	race(len(ids), func(i int) bool {
		u, session := entry("shop", "42")
		id, err := enter(t, s, u, session)
		if err != nil {
			t.Errorf("EnterExternal: %v", err)
		}
		ids[i] = id
		return true
	})
	for _, id := range ids {
		if id != ids[0] || id == uuid.Nil {
			t.Fatalf("several users: %v", ids)
		}
	}
}

func externalSessions(t *testing.T, s storage.Store) {
	u, session, p := entered(t, s, "shop", "42")
	none := storage.Standing{UserID: u.ID, HasPasskeys: true, UsablePasskeys: true}
	wantStanding(t, s, "before", u, session.ID, none)
	if err := prove(t, s, session, p, 11); err != nil {
		t.Fatal(err)
	}
	at := epoch.Add(2 * time.Minute)
	proved := none
	proved.FullAt, proved.FullPasskeyID = &at, p.ID
	wantStanding(t, s, "verified", u, session.ID, proved)
	wantStanding(t, s, "another session", u, uuid.New(), none)

	session.LastSeenAt = epoch.Add(3 * time.Minute)
	session.ExpiresAt = session.LastSeenAt.Add(time.Hour)
	if _, err := enter(t, s, u, session); err != nil {
		t.Fatal(err)
	}
	wantStanding(t, s, "entered again", u, session.ID, proved)
	if _, err := s.Account(t.Context(), u.ID, session.ID, epoch.Add(11*time.Hour)); err != nil {
		t.Errorf("a session ends earlier because it was entered again: %v", err)
	}

	stranger, _ := entry("shop", "43")
	if _, err := enter(t, s, stranger, session); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("another user's session: %v, want ErrNotFound", err)
	}

	late := session
	late.LastSeenAt = epoch.Add(13 * time.Hour)
	late.ExpiresAt = late.LastSeenAt.Add(time.Hour)
	if _, err := enter(t, s, u, late); err != nil {
		t.Fatalf("a session that has expired: %v", err)
	}
	wantStanding(t, s, "after it expired", u, session.ID, none)

	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.EndSessions(ctx, storage.EndSessions{UserID: u.ID, Only: session.ID, At: epoch.Add(14 * time.Hour), Reason: storage.EndedByLogout})
		return err
	})
	if _, err := enter(t, s, u, late); err != nil {
		t.Fatalf("an end after expiry is none: %v", err)
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.EndSessions(ctx, storage.EndSessions{UserID: u.ID, Only: session.ID, At: late.LastSeenAt, Reason: storage.EndedByLogout})
		return err
	})
	if _, err := enter(t, s, u, late); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a session that has ended: %v, want ErrNotFound", err)
	}
	if err := prove(t, s, session, p, 12); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a proof in it: %v, want ErrNotFound", err)
	}
}

func externalProofsEnd(t *testing.T, s storage.Store) {
	u, session, p := entered(t, s, "shop", "42")
	if err := prove(t, s, session, p, 13); err != nil {
		t.Fatal(err)
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.EndExternalProofs(ctx, named(u)) })
	none := storage.Standing{UserID: u.ID, HasPasskeys: true, UsablePasskeys: true}
	wantStanding(t, s, "after EndExternalProofs", u, session.ID, none)
	if err := prove(t, s, session, p, 14); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a verification that was under way: %v, want ErrNotFound", err)
	}
	if _, err := enter(t, s, u, session); err != nil {
		t.Fatal(err)
	}
	wantStanding(t, s, "entered again", u, session.ID, none)
	if err := prove(t, s, session, p, 15); err != nil {
		t.Errorf("a new verification: %v", err)
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.LowerSessions(ctx, u.ID, p.ID, epoch.Add(2*time.Minute))
		return err
	})
	wantStanding(t, s, "lowered", u, session.ID, none)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		return tx.EndExternalProofs(ctx, storage.ExternalUser{Realm: "shop", Key: "nobody"})
	})
}

func externalForgotten(t *testing.T, s storage.Store) {
	u, session, p := entered(t, s, "shop", "42")
	kept, keptSession, _ := entered(t, s, "shop", "43")
	if err := prove(t, s, session, p, 16); err != nil {
		t.Fatal(err)
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		return errors.Join(
			tx.RecordEvent(ctx, storage.Event{ID: uuid.New(), Kind: storage.EventSteppedUp, UserID: u.ID, At: epoch}),
			tx.AddConsent(ctx, session.ID, sha256.Sum256([]byte("a")), epoch.Add(time.Minute)),
		)
	})
	for range 2 {
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.ForgetExternal(ctx, named(u)) })
	}
	if _, err := s.Standing(t.Context(), named(u), session.ID, epoch); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Standing: %v, want ErrNotFound", err)
	}
	if events, err := s.Events(t.Context(), u.ID, nil, 10); err != nil || len(events) != 0 {
		t.Errorf("events: %v, %v", events, err)
	}
	if _, err := s.PasskeyOwner(t.Context(), p.Credential.ID); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("PasskeyOwner: %v, want ErrNotFound", err)
	}
	if taken, err := s.TakeConsent(t.Context(), session.ID, sha256.Sum256([]byte("a")), epoch, epoch.Add(time.Minute)); taken || err != nil {
		t.Errorf("a consent is left: %v, %v", taken, err)
	}
	if err := prove(t, s, session, p, 17); !errors.Is(err, storage.ErrPasskeyStale) {
		t.Errorf("a verification that was under way: %v, want ErrPasskeyStale", err)
	}
	successor, theirs := entry("shop", "42")
	if id, err := enter(t, s, successor, theirs); err != nil || id != successor.ID {
		t.Errorf("the same key again: %v, %v; want a new user", id, err)
	}
	if list, err := s.ExternalPasskeys(t.Context(), named(kept)); err != nil || len(list) != 1 {
		t.Errorf("passkeys of another user: %v, %v", list, err)
	}
	wantStanding(t, s, "another user", kept, keptSession.ID, storage.Standing{UserID: kept.ID, HasPasskeys: true, UsablePasskeys: true})
}

func externalRecovery(t *testing.T, s storage.Store) {
	u, session, p := entered(t, s, "shop", "42")
	other := session
	other.ID = uuid.New()
	if _, err := enter(t, s, u, other); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(prove(t, s, session, p, 31), prove(t, s, other, p, 32)); err != nil {
		t.Fatal(err)
	}
	at, until := epoch.Add(3*time.Minute), epoch.Add(18*time.Minute)
	recoverIn := func(id uuid.UUID) error {
		return s.InTx(t.Context(), func(tx storage.Tx) error {
			return tx.RecoverExternal(t.Context(), u.ID, id, storage.RecoveredByCode, at, until)
		})
	}
	if err := recoverIn(uuid.New()); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("in no session: %v, want ErrNotFound", err)
	}
	if err := recoverIn(session.ID); err != nil {
		t.Fatal(err)
	}
	none := storage.Standing{UserID: u.ID, HasPasskeys: true, UsablePasskeys: true}
	wantStanding(t, s, "the session that recovers", u, session.ID, none)
	wantStanding(t, s, "another session", u, other.ID, none)

	session.LastSeenAt, session.ExpiresAt = at, at.Add(time.Hour)
	if _, err := enter(t, s, u, session); err != nil {
		t.Fatal(err)
	}
	wantBy := func(what string, now time.Time, want storage.RecoveryProof) {
		t.Helper()
		a, err := s.Account(t.Context(), u.ID, session.ID, now)
		if err != nil || a.Session.RecoveredBy != want {
			t.Errorf("%s: recovered by %q, %v; want %q", what, a.Session.RecoveredBy, err, want)
		}
	}
	wantBy("entered again", until.Add(-time.Microsecond), storage.RecoveredByCode)
	if _, err := s.Account(t.Context(), u.ID, session.ID, until); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("after its time: %v, want ErrNotFound", err)
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		return tx.EndExternalRecovery(ctx, u.ID, session.ID, at.Add(time.Hour))
	})
	wantBy("ended", until, storage.RecoveredByNothing)

	if err := recoverIn(session.ID); err != nil {
		t.Fatal(err)
	}
	session.LastSeenAt, session.ExpiresAt = until, until.Add(time.Hour)
	if _, err := enter(t, s, u, session); err != nil {
		t.Fatal(err)
	}
	wantBy("after it expired", until, storage.RecoveredByNothing)
}

func externalAllowance(t *testing.T, s storage.Store) {
	u, session, _ := entered(t, s, "shop", "42")
	until, declined := epoch.Add(time.Hour), epoch.Add(time.Minute)
	allow := func(who storage.ExternalUser, until *time.Time) (allowed bool) {
		inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
			allowed, err = tx.AllowExternal(ctx, who, until)
			return err
		})
		return allowed
	}
	if allow(storage.ExternalUser{Realm: "shop", Key: "nobody"}, &until) || !allow(named(u), &until) {
		t.Error("AllowExternal has to say whether there is such a user")
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.DeclineExternalOffer(ctx, u.ID, declined) })
	wantStanding(t, s, "allowed", u, session.ID, storage.Standing{
		UserID: u.ID, HasPasskeys: true, UsablePasskeys: true, AllowUntil: &until, OfferDeclinedAt: &declined,
	})
	spend := func(now time.Time) (spent bool) {
		err := s.InTx(t.Context(), func(tx storage.Tx) (err error) {
			spent, err = tx.SpendAllowance(t.Context(), u.ID, now)
			return err
		})
		if err != nil {
			t.Errorf("SpendAllowance: %v", err)
		}
		return spent
	}
	if spend(until) {
		t.Error("an allowance that is over was spent")
	}
	if n := race(16, func(int) bool { return spend(until.Add(-time.Microsecond)) }); n != 1 {
		t.Errorf("it was spent %d times, want once", n)
	}
}

func consents(t *testing.T, s storage.Store) {
	u, row, p := entered(t, s, "shop", "42")
	session, digest, until := row.ID, sha256.Sum256([]byte("pay 100")), epoch.Add(time.Minute)
	add := func() {
		t.Helper()
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.AddConsent(ctx, session, digest, until) })
	}
	add()
	add()
	take := func(session uuid.UUID, digest [sha256.Size]byte, now time.Time) bool {
		taken, err := s.TakeConsent(t.Context(), session, digest, now, now.Add(time.Minute))
		if err != nil {
			t.Errorf("TakeConsent: %v", err)
		}
		return taken
	}
	if take(uuid.New(), digest, epoch) || take(session, sha256.Sum256([]byte("pay 900")), epoch) || take(session, digest, until) {
		t.Error("a consent of another session, to something else, or one that has expired was taken")
	}
	if n := race(32, func(int) bool { return take(session, digest, epoch) }); n != 1 {
		t.Errorf("it was taken %d times, want once", n)
	}
	add()
	if take(session, digest, epoch.Add(-time.Microsecond)) {
		t.Error("it was taken before it can have been given")
	}
	for _, end := range []struct {
		name string
		do   func(ctx context.Context, tx storage.Tx) error
	}{
		{"the passkey removed", func(ctx context.Context, tx storage.Tx) error {
			_, err := tx.LowerSessions(ctx, row.UserID, p.ID, epoch)
			return err
		}},
		{"recovery", func(ctx context.Context, tx storage.Tx) error {
			return tx.RecoverExternal(ctx, row.UserID, session, storage.RecoveredByCode, epoch, epoch.Add(time.Hour))
		}},
		{"all proofs ended", func(ctx context.Context, tx storage.Tx) error { return tx.EndExternalProofs(ctx, named(u)) }},
		{"the session ended", func(ctx context.Context, tx storage.Tx) error {
			_, err := tx.EndSessions(ctx, storage.EndSessions{UserID: row.UserID, At: epoch, Only: session, Reason: storage.EndedByLogout})
			return err
		}},
	} {
		add()
		inTx(t, s, end.do)
		_, _ = enter(t, s, u, row) // anybody with the cookie can do that
		if take(session, digest, epoch) {
			t.Errorf("%s: a consent from before was taken", end.name)
		}
	}
}

func purposeCounts(t *testing.T, s storage.Store) {
	day := epoch.Truncate(24 * time.Hour)
	count := storage.PurposeCount{Day: day, Purpose: "payout", Route: "/payouts", Outcome: "pass", N: 3}
	earlier := count
	earlier.Day = day.Add(-24 * time.Hour)
	race(8, func(int) bool {
		if err := s.AddPurposeCounts(t.Context(), "shop", []storage.PurposeCount{count, earlier}); err != nil {
			t.Errorf("AddPurposeCounts: %v", err)
		}
		return true
	})
	if err := s.AddPurposeCounts(t.Context(), "blog", []storage.PurposeCount{count}); err != nil {
		t.Fatal(err)
	}
	want := []storage.PurposeCount{earlier, count}
	want[0].N, want[1].N = 24, 24
	for skip, since := range []time.Time{earlier.Day, day} {
		got, err := s.PurposeCounts(t.Context(), "shop", since)
		if diff := cmp.Diff(want[skip:], got); err != nil || diff != "" {
			t.Errorf("since %s: %v, -want +got:\n%s", since, err, diff)
		}
	}
}
