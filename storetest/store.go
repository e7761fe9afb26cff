package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/ceremony"
)

// TestStore checks a stepkey.Store. open returns an empty one.
func TestStore(t *testing.T, open func(t *testing.T) stepkey.Store) {
	run := func(name string, test func(*testing.T, stepkey.Store)) {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
	run("users", users)
	run("of 50 sign-ups with one name one wins", oneSignUpWins)
	run("an error undoes the transaction", errorUndoes)
	run("a cancelled client undoes nothing", cancelUndoesNothing)
	run("account", accountOfSession)
	run("account of a session that is not live", accountNotLive)
	run("passkeys are unique over all users", passkeysUnique)
	run("of 8 that lock the account one sees no passkey", lockAccount)
	run("signature counter", signatureCounter)
	run("of 16 uses of one count one wins", oneUseWins)
	run("elevation", elevation)
	run("rotation", rotation)
	run("rotation falls back from full", rotationFallsBack)
	run("of 32 rotations of one generation one wins", oneRotationWins)
	run("ending sessions", endingSessions)
	run("disabling", disabling)
	run("deleting", deleting)
	run("events", eventsOfUser)
	run("a new password ends sessions but the one that adopts it", newPassword)
	run("attempts wait longer and longer", attemptsWait)
	run("attempts end at a hundred", attemptsEnd)
	run("attempts do not wait for others made at the same time", attemptsOutOfOrder)
	run("waits start over after a day", attemptsStartOver)
	run("attempts that were not made are taken back", attemptsRefunded)
	run("attempts are forgotten", attemptsForgotten)
	run("of 64 attempts at once ten pass", tenOf64Attempts)
	run("hash is replaced by compare and swap", replaceHash)
	run("legacy hashes are noticed", legacyHashes)
	run("imports", importing)
	run("imports of many", importingMany)
	run("imports at once", importsAtOnce)
	run("settings are pinned", pinSetting)
	run("signing keys", signingKeys)
	run("of 32 that spend one action one is first", oneSpends)
	run("of 16 transactions that spend one challenge one is first", oneSpendsChallenge)
	run("a mail is handed out", mailIsHandedOut)
	run("a mail is put off, and deleted", mailIsPutOff)
	run("a mail goes with its transaction", mailUndone)
	run("of 16 that claim mails each gets others", mailsHandedOutOnce)
	run("a link is taken once", linkIsTakenOnce)
	run("a link that is void", linkThatIsVoid)
	run("of 32 that take a link one gets it", oneTakesTheLink)
	run("password", setPassword)
	run("e-mail addresses", emails)
	run("addressees are bounded", addresseesAreBounded)
}

// epoch is when everything in these tests happens, in microseconds as stores keep
// them.
var epoch = time.Date(2030, 5, 17, 9, 30, 0, 123_456_000, time.UTC)

func newUser(name string) stepkey.User {
	id := uuid.New()
	return stepkey.User{
		ID: id, Username: name, CanonicalName: name, PasswordHash: "hash of " + name,
		PasswordVersion: 1, Handle: id[:], CreatedAt: epoch,
	}
}

func newSession(u stepkey.User) stepkey.Session {
	return stepkey.Session{
		ID: uuid.New(), UserID: u.ID, PasswordVersion: u.PasswordVersion,
		PasswordAt: epoch, CreatedAt: epoch, LastSeenAt: epoch, RotatedAt: epoch,
		ExpiresAt: epoch.Add(15 * time.Minute),
	}
}

func newPasskey(u stepkey.User) stepkey.Passkey {
	id := uuid.New()
	return stepkey.Passkey{
		ID: id, UserID: u.ID, Name: "Passkey", CreatedAt: epoch,
		Credential: ceremony.Credential{
			ID: id[:], PublicKey: []byte{1, 2, 3}, Algorithm: -7, AAGUID: uuid.New(),
			SignCount: 5, Flags: 0x1d, Transports: []string{"usb", "nfc"}, Attested: true,
		},
	}
}

func inTx(t *testing.T, s stepkey.Store, fn func(context.Context, stepkey.Tx) error) {
	t.Helper()
	if err := s.InTx(t.Context(), func(tx stepkey.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// signedIn adds a user with a session and passkeys.
func signedIn(t *testing.T, s stepkey.Store, name string, passkeys int) stepkey.Account {
	t.Helper()
	u := newUser(name)
	a := stepkey.Account{User: u, Session: newSession(u)}
	inTx(t, s, func(ctx context.Context, tx stepkey.Tx) error {
		err := errors.Join(tx.CreateUser(ctx, u), tx.CreateSession(ctx, a.Session))
		for i := range passkeys {
			p := newPasskey(u)
			p.CreatedAt = epoch.Add(time.Duration(i) * time.Second)
			a.Passkeys = append(a.Passkeys, p)
			err = errors.Join(err, tx.CreatePasskey(ctx, p))
		}
		return err
	})
	return a
}

func users(t *testing.T, s stepkey.Store) {
	if _, err := s.UserByName(t.Context(), "mira"); !errors.Is(err, stepkey.ErrNotFound) {
		t.Fatalf("UserByName before sign-up: %v, want ErrNotFound", err)
	}
	want := newUser("mira")
	want.Username = "Mira"
	inTx(t, s, func(ctx context.Context, tx stepkey.Tx) error { return tx.CreateUser(ctx, want) })
	got, err := s.UserByName(t.Context(), "mira")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("UserByName: %v, -want +got:\n%s", err, diff)
	}
	err = s.InTx(t.Context(), func(tx stepkey.Tx) error { return tx.CreateUser(t.Context(), newUser("mira")) })
	if !errors.Is(err, stepkey.ErrUsernameTaken) {
		t.Fatalf("second CreateUser: %v, want ErrUsernameTaken", err)
	}
}

func oneSignUpWins(t *testing.T, s stepkey.Store) {
	won := race(50, func(int) bool {
		err := s.InTx(t.Context(), func(tx stepkey.Tx) error { return tx.CreateUser(t.Context(), newUser("mira")) })
		if err != nil && !errors.Is(err, stepkey.ErrUsernameTaken) {
			t.Errorf("CreateUser: %v", err)
		}
		return err == nil
	})
	if won != 1 {
		t.Errorf("%d sign-ups succeeded, want 1", won)
	}
}

func errorUndoes(t *testing.T, s stepkey.Store) {
	fault := errors.New("fault")
	err := s.InTx(t.Context(), func(tx stepkey.Tx) error {
		return errors.Join(tx.CreateUser(t.Context(), newUser("mira")), fault)
	})
	if !errors.Is(err, fault) {
		t.Fatalf("InTx: %v, want the error that fn returned", err)
	}
	if _, err := s.UserByName(t.Context(), "mira"); !errors.Is(err, stepkey.ErrNotFound) {
		t.Fatalf("UserByName: %v, want ErrNotFound", err)
	}
}

func cancelUndoesNothing(t *testing.T, s stepkey.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	err := s.InTx(ctx, func(tx stepkey.Tx) error {
		cancel()
		return tx.CreateUser(ctx, newUser("mira"))
	})
	if err != nil {
		t.Fatalf("InTx: %v", err)
	}
	if _, err := s.UserByName(t.Context(), "mira"); err != nil {
		t.Fatalf("UserByName: %v", err)
	}
}

func accountOfSession(t *testing.T, s stepkey.Store) {
	for _, passkeys := range []int{0, 1, 3} {
		want := signedIn(t, s, "user"+string(rune('a'+passkeys)), passkeys)
		got, err := s.Account(t.Context(), want.User.ID, want.Session.ID, epoch)
		if diff := cmp.Diff(want, got, sameAddr()); err != nil || diff != "" {
			t.Errorf("Account with %d passkeys: %v, -want +got:\n%s", passkeys, err, diff)
		}
	}
}

func accountNotLive(t *testing.T, s stepkey.Store) {
	a, other := signedIn(t, s, "mira", 1), signedIn(t, s, "noor", 1)
	outdated := newSession(a.User)
	outdated.PasswordVersion = 0
	inTx(t, s, func(ctx context.Context, tx stepkey.Tx) error { return tx.CreateSession(ctx, outdated) })

	for _, test := range []struct {
		name            string
		userID, session uuid.UUID
		now             time.Time
		live            bool
	}{
		{"just before its end", a.User.ID, a.Session.ID, a.Session.ExpiresAt.Add(-time.Microsecond), true},
		{"at its end", a.User.ID, a.Session.ID, a.Session.ExpiresAt, false},
		{"somebody else's", other.User.ID, a.Session.ID, epoch, false},
		{"unknown", a.User.ID, uuid.New(), epoch, false},
		{"of another password", a.User.ID, outdated.ID, epoch, false},
	} {
		_, err := s.Account(t.Context(), test.userID, test.session, test.now)
		if test.live != (err == nil) || (err != nil && !errors.Is(err, stepkey.ErrNotFound)) {
			t.Errorf("%s: %v, want live %v", test.name, err, test.live)
		}
	}
}

func passkeysUnique(t *testing.T, s stepkey.Store) {
	a, b := signedIn(t, s, "mira", 1), signedIn(t, s, "noor", 0)
	stolen := newPasskey(b.User)
	stolen.Credential.ID = a.Passkeys[0].Credential.ID
	err := s.InTx(t.Context(), func(tx stepkey.Tx) error { return tx.CreatePasskey(t.Context(), stolen) })
	if !errors.Is(err, stepkey.ErrPasskeyExists) {
		t.Fatalf("CreatePasskey: %v, want ErrPasskeyExists", err)
	}
	got, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch)
	if diff := cmp.Diff(a, got, sameAddr()); err != nil || diff != "" {
		t.Errorf("the owner's passkey changed: %v, -want +got:\n%s", err, diff)
	}
}

func lockAccount(t *testing.T, s stepkey.Store) {
	a := signedIn(t, s, "mira", 0)
	won := race(8, func(int) bool {
		first := false
		err := s.InTx(t.Context(), func(tx stepkey.Tx) error {
			locked, err := tx.LockAccount(t.Context(), a.User.ID, a.Session.ID, epoch)
			if first = len(locked.Passkeys) == 0; err != nil || !first {
				return err
			}
			return tx.CreatePasskey(t.Context(), newPasskey(a.User))
		})
		if err != nil {
			t.Errorf("InTx: %v", err)
		}
		return first
	})
	if won != 1 {
		t.Errorf("%d transactions saw an account without passkey, want 1", won)
	}
}

func signatureCounter(t *testing.T, s stepkey.Store) {
	for _, test := range []struct {
		stored, sent uint32
		taken        bool
	}{
		{0, 0, true},
		{0, 1, true},
		{5, 6, true},
		{5, 1 << 31, true},
		{1<<32 - 2, 1<<32 - 1, true},
		{5, 5, false},
		{5, 4, false},
		{5, 0, false},
		{1<<32 - 1, 0, false},
	} {
		u := newUser(uuid.NewString())
		a := stepkey.Account{User: u, Session: newSession(u)}
		p := newPasskey(u)
		p.Credential.SignCount = test.stored
		at := epoch.Add(time.Minute)
		var taken bool
		inTx(t, s, func(ctx context.Context, tx stepkey.Tx) (err error) {
			err = errors.Join(tx.CreateUser(ctx, u), tx.CreateSession(ctx, a.Session), tx.CreatePasskey(ctx, p))
			if err != nil {
				return err
			}
			taken, err = tx.UsePasskey(ctx, stepkey.PasskeyUse{PasskeyID: p.ID, SignCount: test.sent, Flags: 0x0d, At: at})
			return err
		})
		want := p
		if test.taken {
			want.Credential.SignCount, want.Credential.Flags, want.LastUsedAt = test.sent, 0x0d, &at
		}
		got, err := s.Account(t.Context(), u.ID, a.Session.ID, epoch)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]stepkey.Passkey{want}, got.Passkeys); taken != test.taken || diff != "" {
			t.Errorf("counter %d after %d: taken %v, want %v; -want +got:\n%s",
				test.sent, test.stored, taken, test.taken, diff)
		}
	}
}

func oneUseWins(t *testing.T, s stepkey.Store) {
	a := signedIn(t, s, "mira", 1)
	won := race(16, func(int) bool {
		var taken bool
		err := s.InTx(t.Context(), func(tx stepkey.Tx) (err error) {
			taken, err = tx.UsePasskey(t.Context(), stepkey.PasskeyUse{PasskeyID: a.Passkeys[0].ID, SignCount: 6, At: epoch})
			return err
		})
		if err != nil {
			t.Errorf("InTx: %v", err)
		}
		return taken
	})
	if won != 1 {
		t.Errorf("%d uses of one count were taken, want 1", won)
	}
}

func replaceHash(t *testing.T, s stepkey.Store) {
	a := signedIn(t, s, "mira", 0)
	for _, test := range []struct {
		old, replacement string
		replaced         bool
	}{
		{"another hash", "wrong", false},
		{a.User.PasswordHash, "new hash", true},
		{a.User.PasswordHash, "late", false},
	} {
		replaced, err := s.ReplacePasswordHash(t.Context(), a.User.ID, test.old, test.replacement)
		if err != nil || replaced != test.replaced {
			t.Errorf("replace %q: %v, %v; want %v", test.old, replaced, err, test.replaced)
		}
	}
	got, err := s.UserByName(t.Context(), "mira")
	if err != nil || got.PasswordHash != "new hash" || got.PasswordVersion != a.User.PasswordVersion {
		t.Errorf("after replacing: %v, hash %q, version %d", err, got.PasswordHash, got.PasswordVersion)
	}
}

func legacyHashes(t *testing.T, s stepkey.Store) {
	want := func(what string, want bool) {
		t.Helper()
		if got, err := s.HasLegacyHashes(t.Context()); err != nil || got != want {
			t.Errorf("HasLegacyHashes %s: %v, %v; want %v", what, got, err, want)
		}
	}
	want("without users", false)
	u := newUser("mira")
	u.PasswordHash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"
	inTx(t, s, func(ctx context.Context, tx stepkey.Tx) error { return tx.CreateUser(ctx, u) })
	want("with argon2id", false)
	u = newUser("noor")
	u.PasswordHash = "$2b$12$abcdefghijklmnopqrstuv"
	inTx(t, s, func(ctx context.Context, tx stepkey.Tx) error { return tx.CreateUser(ctx, u) })
	want("with bcrypt", true)
}

func pinSetting(t *testing.T, s stepkey.Store) {
	values := make([]string, 8)
	race(len(values), func(i int) bool {
		err := s.InTx(t.Context(), func(tx stepkey.Tx) (err error) {
			values[i], err = tx.PinSetting(t.Context(), "name", string(rune('a'+i)))
			return err
		})
		if err != nil {
			t.Errorf("PinSetting: %v", err)
		}
		return err == nil
	})
	for _, value := range values {
		if value == "" || value != values[0] {
			t.Fatalf("the pinned value is not the same for all: %q", values)
		}
	}
}

func oneSpends(t *testing.T, s stepkey.Store) {
	won := race(32, func(int) bool {
		first, err := s.SpendAction(t.Context(), "action", epoch)
		if err != nil {
			t.Errorf("SpendAction: %v", err)
		}
		return first
	})
	if won != 1 {
		t.Errorf("%d were told to be first, want 1", won)
	}
	if first, err := s.SpendAction(t.Context(), "another", epoch); !first || err != nil {
		t.Errorf("another action: %v, %v; want it to be first", first, err)
	}
}

func signingKeys(t *testing.T, s stepkey.Store) {
	older := stepkey.SealedKey{ID: "older", Sealed: []byte{1}, CreatedAt: epoch, ActivatesAt: epoch}
	newer := stepkey.SealedKey{ID: "newer", Sealed: []byte{2}, CreatedAt: epoch, ActivatesAt: epoch.Add(time.Hour)}
	for _, key := range []stepkey.SealedKey{older, newer} {
		inTx(t, s, func(ctx context.Context, tx stepkey.Tx) error { return tx.AddSigningKey(ctx, key) })
	}
	got, err := s.SigningKeys(t.Context())
	if diff := cmp.Diff([]stepkey.SealedKey{newer, older}, got); err != nil || diff != "" {
		t.Errorf("SigningKeys: %v, -want +got:\n%s", err, diff)
	}
	revoke := func(id string, at time.Time) error {
		return s.InTx(t.Context(), func(tx stepkey.Tx) error { return tx.RevokeSigningKey(t.Context(), id, at) })
	}
	if err := revoke("unknown", epoch); !errors.Is(err, stepkey.ErrNotFound) {
		t.Errorf("RevokeSigningKey of an unknown key: %v, want ErrNotFound", err)
	}
	at := epoch.Add(time.Minute)
	for _, again := range []time.Duration{0, time.Hour} {
		if err := revoke("older", at.Add(again)); err != nil {
			t.Errorf("RevokeSigningKey: %v", err)
		}
	}
	older.RevokedAt = &at
	got, err = s.SigningKeys(t.Context())
	if diff := cmp.Diff([]stepkey.SealedKey{newer, older}, got); err != nil || diff != "" {
		t.Errorf("SigningKeys after revoking: %v, -want +got:\n%s", err, diff)
	}
}

// One that is rolled back has spent nothing.
func oneSpendsChallenge(t *testing.T, s stepkey.Store) {
	digest, until := [32]byte{1}, epoch.Add(time.Minute)
	undo := errors.New("undo")
	err := s.InTx(t.Context(), func(tx stepkey.Tx) error {
		first, err := tx.SpendChallenge(t.Context(), digest, until)
		if err != nil || !first {
			t.Errorf("SpendChallenge = %v, %v; want true", first, err)
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	won := race(16, func(int) (first bool) {
		err := s.InTx(t.Context(), func(tx stepkey.Tx) (err error) {
			first, err = tx.SpendChallenge(t.Context(), digest, until)
			return err
		})
		if err != nil {
			t.Errorf("SpendChallenge: %v", err)
		}
		return first
	})
	if won != 1 {
		t.Errorf("%d transactions were first, want 1", won)
	}
	inTx(t, s, func(ctx context.Context, tx stepkey.Tx) error {
		first, err := tx.SpendChallenge(ctx, [32]byte{2}, until)
		if !first {
			t.Error("another challenge counts as spent")
		}
		return err
	})
}

func deleting(t *testing.T, s stepkey.Store) {
	a, other := signedIn(t, s, "mira", 2), signedIn(t, s, "noor", 1)
	remove := func() error {
		return s.InTx(t.Context(), func(tx stepkey.Tx) error {
			return tx.DeleteUser(t.Context(), a.User.ID, "hash of nothing", epoch)
		})
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	if err := remove(); !errors.Is(err, stepkey.ErrNotFound) {
		t.Errorf("again: %v, want ErrNotFound", err)
	}
	got, err := s.UserByName(t.Context(), "mira")
	if err != nil || got.Active() || got.DeletedAt == nil || got.Username != "" || got.PasswordHash != "hash of nothing" {
		t.Errorf("what is left: %+v, %v", got, err)
	}
	if _, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch); !errors.Is(err, stepkey.ErrNotFound) {
		t.Errorf("its account: %v, want ErrNotFound", err)
	}
	if records, err := s.UserRecords(t.Context(), uuid.Nil, 10); err != nil || len(records) != 1 || records[0].User.ID != other.User.ID {
		t.Errorf("records to export: %+v, %v; want the other user's", records, err)
	}
	err = s.InTx(t.Context(), func(tx stepkey.Tx) error {
		changed, err := tx.SetDisabled(t.Context(), a.User.ID, nil)
		if changed {
			t.Error("a deleted user was enabled")
		}
		// What was somebody's passkey may be anybody's.
		return errors.Join(err, tx.CreatePasskey(t.Context(), func() stepkey.Passkey {
			p := a.Passkeys[0]
			p.ID, p.UserID = uuid.New(), other.User.ID
			return p
		}()))
	})
	if err != nil {
		t.Error(err)
	}
	if got, err := s.Account(t.Context(), other.User.ID, other.Session.ID, epoch); err != nil || len(got.Passkeys) != 2 {
		t.Errorf("somebody else's account: %+v, %v", got, err)
	}
}

func eventsOfUser(t *testing.T, s stepkey.Store) {
	user, somebody := uuid.New(), uuid.New()
	var want []stepkey.Event
	inTx(t, s, func(ctx context.Context, tx stepkey.Tx) error {
		var err error
		for i := range 4 {
			e := stepkey.Event{
				ID: uuid.New(), Kind: stepkey.EventSteppedUp, At: epoch.Add(time.Duration(i) * time.Second),
				UserID: user, SessionID: uuid.New(), PasskeyID: uuid.New(), Reason: "reason",
			}
			if i%2 == 1 {
				e.SessionID, e.PasskeyID = uuid.Nil, uuid.Nil
			}
			want = append([]stepkey.Event{e}, want...)
			other := e
			other.ID, other.UserID = uuid.New(), somebody
			err = errors.Join(err, tx.RecordEvent(ctx, e), tx.RecordEvent(ctx, other))
		}
		return err
	})
	got, err := s.Events(t.Context(), user, 3)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[:3], got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
