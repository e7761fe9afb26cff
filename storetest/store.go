package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// TestStore checks a storage.Store. open returns an empty one.
func TestStore(t *testing.T, open func(t *testing.T) storage.Store) {
	run := func(name string, test func(*testing.T, storage.Store)) {
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
	run("the owner of a passkey", passkeyOwner)
	run("a passkey is renamed and deleted by its owner", ownPasskeys)
	run("sessions that rest on a passkey", restingSessions)
	run("signature counter", signatureCounter)
	run("of 16 uses of one count one wins", oneUseWins)
	run("a change of backup eligibility ends an attestation", backupChange)
	run("a verified response is stored", verifiedIsStored)
	run("a verified response with more and with less", verifiedWithMoreOrLess)
	run("a verified response that is refused changes nothing", verifiedIsRefused)
	run("of 16 verified responses one is stored", oneVerifiedWins)
	run("verified responses with growing counts", verifiedCountsGrow)
	run("a verified response that waits", verifiedMeanwhile)
	run("rotation", rotation)
	run("rotation falls back from full", rotationFallsBack)
	run("of 32 rotations of one generation one wins", oneRotationWins)
	run("ending sessions", endingSessions)
	run("ended sessions, page by page", endedInPages)
	run("open sessions", openSessions)
	run("sessions, page by page", sessionsInPages)
	run("disabling", disabling)
	run("groups and own claims", attributes)
	run("deleting", deleting)
	run("events", eventsOfUser)
	run("events, page by page", eventsInPages)
	run("attempts counted in events", attemptsCounted)
	run("events of a deleted user", eventsOfDeleted)
	run("a new password ends sessions but the one that adopts it", newPassword)
	run("attempts wait longer and longer", attemptsWait)
	run("attempts end at a hundred", attemptsEnd)
	run("attempts do not wait for others made at the same time", attemptsOutOfOrder)
	run("waits start over after a day", attemptsStartOver)
	run("attempts that were not made are refunded", attemptsRefunded)
	run("attempts are forgotten", attemptsForgotten)
	run("of 64 attempts at once ten pass", tenOf64Attempts)
	run("hash is replaced by compare and swap", replaceHash)
	run("old hashes are found", oldHashes)
	run("languages", languages)
	run("users who await an address", awaiting)
	run("imports", importing)
	run("imports of many", importingMany)
	run("imports at once", importsAtOnce)
	run("record of a user", userRecord)
	run("last sign-ins", lastSignIns)
	run("refused ceremonies", refusedCeremonies)
	run("16 refused ceremonies at once", refusedAtOnce)
	run("settings are pinned", pinSetting)
	run("signing keys", signingKeys)
	run("of 32 that spend one action one is first", oneSpends)
	run("of 16 transactions that spend one challenge one is first", oneSpendsChallenge)
	run("a mail is handed out", mailIsHandedOut)
	run("a mail of other kinds is left alone", mailOfOtherKindsIsLeftAlone)
	run("a mail is put off, and deleted", mailIsPutOff)
	run("a mail goes with its transaction", mailUndone)
	run("of 16 that claim mails each gets others", mailsHandedOutOnce)
	run("a mail for later", mailForLater)
	run("urgent mails come first", urgentMailFirst)
	run("mailboxes take turns with mails", mailboxesTakeTurns)
	run("a mailbox is sent one mail at a time", oneMailAtATimeToAMailbox)
	run("equal mails are one mail", equalMailsAreOne)
	run("equal mails at once are one mail", equalMailsAtOnceAreOne)
	run("a link is taken once", linkIsTakenOnce)
	run("a link that is void", linkThatIsVoid)
	run("of 32 that take a link one gets it", oneTakesTheLink)
	run("invitations", invitations)
	run("an invitation of a transaction that fails", invitationUndone)
	run("of 32 that take an invitation one gets it", oneTakesTheInvitation)
	run("browser sessions", browserSessions)
	run("what starts no browser session", noBrowserSession)
	run("a visit lowers the level as a refresh does", visitLowers)
	run("of 32 that use a code one starts a browser session", oneStartsTheBrowserSession)
	run("password", setPassword)
	run("e-mail addresses", emails)
	run("recovery codes", recoveryCodes)
	run("of 32 that spend a recovery code one does", oneSpendsTheCode)
	run("a recovery waits", recoveryWaits)
	run("a password set by mail", passwordByMail)
	run("a password that is stopped", passwordStopped)
	run("a session at level recovery", recoveredSession)
	run("passkeys that wait are dropped", waitingPasskeysDropped)
	run("mails are dropped by kind", mailsDropped)
	run("addressees are bounded", addresseesAreBounded)
	run("external users", externalUsers)
	run("external users are apart from the service's own", externalUsersApart)
	run("16 entries of one external user make one user", oneExternalUser)
	run("sessions of external users", externalSessions)
	run("proofs of external users end", externalProofsEnd)
	run("an external user is forgotten", externalForgotten)
	run("an external user recovers", externalRecovery)
	run("an allowance is spent once", externalAllowance)
	run("a consent is taken once", consents)
	run("counts of purposes add up", purposeCounts)
}

// epoch is when everything in these tests happens, in microseconds as stores keep
// them.
var epoch = time.Date(2030, 5, 17, 9, 30, 0, 123_456_000, time.UTC)

func newUser(name string) storage.User {
	id := uuid.New()
	return storage.User{
		ID: id, Username: name, CanonicalName: name, PasswordHash: "hash of " + name,
		PasswordVersion: 1, Handle: id[:], CreatedAt: epoch,
	}
}

func newSession(u storage.User) storage.Session {
	return storage.Session{
		ID: uuid.New(), UserID: u.ID, PasswordVersion: u.PasswordVersion,
		PasswordAt: epoch, CreatedAt: epoch, LastSeenAt: epoch, RotatedAt: epoch,
		ExpiresAt: epoch.Add(15 * time.Minute),
	}
}

func newPasskey(u storage.User) storage.Passkey {
	id := uuid.New()
	return storage.Passkey{
		ID: id, UserID: u.ID, Name: "Passkey", CreatedAt: epoch,
		Credential: storage.Credential{
			ID: id[:], PublicKey: []byte{1, 2, 3}, Algorithm: -7, AAGUID: uuid.New(),
			SignCount: 5, Flags: 0x1d, Transports: []string{"usb", "nfc"}, Attested: true,
		},
	}
}

func inTx(t *testing.T, s storage.Store, fn func(context.Context, storage.Tx) error) {
	t.Helper()
	if err := s.InTx(t.Context(), func(tx storage.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// signedIn adds a user with a session and passkeys.
func signedIn(t *testing.T, s storage.Store, name string, passkeys int) storage.Account {
	t.Helper()
	u := newUser(name)
	a := storage.Account{User: u, Session: newSession(u)}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
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

func errorUndoes(t *testing.T, s storage.Store) {
	fault := errors.New("fault")
	err := s.InTx(t.Context(), func(tx storage.Tx) error {
		return errors.Join(tx.CreateUser(t.Context(), newUser("mira")), fault)
	})
	if !errors.Is(err, fault) {
		t.Fatalf("InTx: %v, want the error that fn returned", err)
	}
	if _, err := s.UserByName(t.Context(), "mira"); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("UserByName: %v, want ErrNotFound", err)
	}
}

func cancelUndoesNothing(t *testing.T, s storage.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	err := s.InTx(ctx, func(tx storage.Tx) error {
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

func accountOfSession(t *testing.T, s storage.Store) {
	for _, passkeys := range []int{0, 1, 3} {
		want := signedIn(t, s, "user"+string(rune('a'+passkeys)), passkeys)
		got, err := s.Account(t.Context(), want.User.ID, want.Session.ID, epoch)
		if diff := cmp.Diff(want, got, sameAddr()); err != nil || diff != "" {
			t.Errorf("Account with %d passkeys: %v, -want +got:\n%s", passkeys, err, diff)
		}
	}
}

func accountNotLive(t *testing.T, s storage.Store) {
	a, other := signedIn(t, s, "mira", 1), signedIn(t, s, "noor", 1)
	outdated := newSession(a.User)
	outdated.PasswordVersion = 0
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.CreateSession(ctx, outdated) })

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
		if test.live != (err == nil) || (err != nil && !errors.Is(err, storage.ErrNotFound)) {
			t.Errorf("%s: %v, want live %v", test.name, err, test.live)
		}
	}
}
