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

// verifiedStep is one of the steps that store a verified response, alone or with more in its
// transaction.
type verifiedStep struct {
	name   string
	raises bool
	also   bool
}

func verifiedSteps() []verifiedStep {
	return []verifiedStep{
		{"elevation", true, false},
		{"elevation with more", true, true},
		{"consent", false, false},
		{"consent with more", false, true},
	}
}

// verifiedOf is a response of a's first passkey with the next count, one event and a challenge
// that another store keeps.
func verifiedOf(a storage.Account) storage.Verified {
	at := epoch.Add(time.Minute)
	return storage.Verified{
		UserID: a.User.ID, SessionID: a.Session.ID,
		Use: storage.PasskeyUse{
			PasskeyID: a.Passkeys[0].ID, SignCount: a.Passkeys[0].Credential.SignCount + 1, Flags: 0x05, At: at,
		},
		Spent:  &storage.SpentChallenge{Digest: newKey().Digest, Until: epoch.Add(time.Hour)},
		Events: []storage.Event{eventOf(a, at)},
	}
}

func eventOf(a storage.Account, at time.Time) storage.Event {
	id := uuid.New()
	id[len(id)-1] |= 1
	return storage.Event{
		ID: id, Kind: storage.EventSteppedUp, At: at, UserID: a.User.ID, SessionID: a.Session.ID,
		PasskeyID: a.Passkeys[0].ID, Reason: "reason",
	}
}

// run stores v. The step with more also clears PasswordByMail of the user.
func (step verifiedStep) run(t *testing.T, s storage.Store, v storage.Verified) (generation int64, err error) {
	if step.also && v.Also == nil {
		v.Also = func(tx storage.Tx) error { return tx.TrustPassword(t.Context(), v.UserID) }
	}
	if !step.raises {
		return 0, s.Consent(t.Context(), v)
	}
	return s.Elevate(t.Context(), storage.Elevation{
		Verified: v, Hardware: true, ExpiresAt: epoch.Add(2 * time.Hour),
	})
}

// stored is all that a verified response can change.
type stored struct {
	Record  storage.UserRecord
	Session storage.Session
	Events  []storage.Event
}

func storedOf(t *testing.T, s storage.Store, a storage.Account) (now stored) {
	t.Helper()
	var err error
	if now.Record, err = s.UserRecord(t.Context(), a.User.CanonicalName); err != nil {
		t.Fatal(err)
	}
	if now.Session, err = s.RefreshSession(t.Context(), a.Session.ID); err != nil {
		t.Fatal(err)
	}
	if now.Events, err = s.Events(t.Context(), a.User.ID, nil, 10); err != nil {
		t.Fatal(err)
	}
	return now
}

// byMail adds a user whose password was set by mail, with a session and passkeys.
func byMail(t *testing.T, s storage.Store, passkeys int) storage.Account {
	t.Helper()
	a := withRefresh(t, s, uuid.NewString(), passkeys)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.SetPassword(ctx, a.User.ID, 1, "hash", &epoch)
		return err
	})
	a.User.PasswordVersion = 2
	a.Session = refreshable(a.User)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.CreateSession(ctx, a.Session) })
	return a
}

func verifiedIsStored(t *testing.T, s storage.Store) {
	for _, step := range verifiedSteps() {
		t.Run(step.name, func(t *testing.T) {
			a := byMail(t, s, 2)
			want := storedOf(t, s, a)
			v := verifiedOf(a)
			v.Use.BackupChanged = true
			at := v.Use.At
			generation, err := step.run(t, s, v)
			if err != nil {
				t.Fatal(err)
			}

			p := &want.Record.Passkeys[0]
			p.Credential.SignCount, p.Credential.Flags, p.Credential.Attested, p.LastUsedAt = v.Use.SignCount, v.Use.Flags, false, &at
			want.Events = v.Events
			if step.raises {
				session := &want.Session
				session.FullAt, session.FullPasskeyID, session.FullHardware = &at, &p.ID, true
				session.LastPasskeyID = &p.ID
				session.LastSeenAt, session.RotatedAt, session.ExpiresAt = at, at, epoch.Add(2*time.Hour)
				session.Generation, session.StepUpGeneration = 3, 3
				if generation != 3 {
					t.Errorf("generation %d, want 3", generation)
				}
			}
			if step.also {
				want.Record.User.PasswordByMail, want.Record.User.PasswordByMailAt = false, nil
			}
			if diff := cmp.Diff(want, storedOf(t, s, a), sameAddr()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !spent(t, s, *v.Spent) {
				t.Error("the challenge can be spent again")
			}
		})
	}
}

// spent reports whether c was spent.
func spent(t *testing.T, s storage.Store, c storage.SpentChallenge) bool {
	t.Helper()
	undo := errors.New("undo")
	err := s.InTx(t.Context(), func(tx storage.Tx) error {
		if err := tx.SpendChallenge(t.Context(), &c); err != nil {
			return err
		}
		return undo
	})
	if !errors.Is(err, undo) && !errors.Is(err, storage.ErrChallengeExpired) {
		t.Fatal(err)
	}
	return !errors.Is(err, undo)
}

// A response with several events, and one without a spent challenge.
func verifiedWithMoreOrLess(t *testing.T, s storage.Store) {
	for _, step := range verifiedSteps() {
		t.Run(step.name, func(t *testing.T) {
			a := byMail(t, s, 1)
			v := verifiedOf(a)
			v.Spent = nil
			v.Events = append(v.Events, eventOf(a, epoch.Add(time.Second)))
			if _, err := step.run(t, s, v); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.Events, storedOf(t, s, a).Events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			again := verifiedOf(a)
			again.Spent, again.Use.SignCount = nil, v.Use.SignCount+1
			if _, err := step.run(t, s, again); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
	}
}

// Each condition alone stops the step, and what was stored stays as it was.
func verifiedIsRefused(t *testing.T, s storage.Store) {
	fault := errors.New("fault")
	for _, test := range []struct {
		name   string
		change func(ctx context.Context, tx storage.Tx, a storage.Account, v *storage.Verified) error
		want   error
	}{
		{"spent challenge", func(ctx context.Context, tx storage.Tx, _ storage.Account, v *storage.Verified) error {
			return tx.SpendChallenge(ctx, v.Spent)
		}, storage.ErrChallengeExpired},
		{"spent challenge and old counter", func(ctx context.Context, tx storage.Tx, _ storage.Account, v *storage.Verified) error {
			v.Use.SignCount--
			return tx.SpendChallenge(ctx, v.Spent)
		}, storage.ErrChallengeExpired},
		{"old counter", func(_ context.Context, _ storage.Tx, _ storage.Account, v *storage.Verified) error {
			v.Use.SignCount--
			return nil
		}, storage.ErrPasskeyStale},
		{"counter at zero again", func(_ context.Context, _ storage.Tx, _ storage.Account, v *storage.Verified) error {
			v.Use.SignCount = 0
			return nil
		}, storage.ErrPasskeyStale},
		{"deleted passkey", func(ctx context.Context, tx storage.Tx, a storage.Account, _ *storage.Verified) error {
			return tx.DeletePasskey(ctx, a.User.ID, a.Passkeys[0].ID)
		}, storage.ErrPasskeyStale},
		{"ended session", func(ctx context.Context, tx storage.Tx, a storage.Account, _ *storage.Verified) error {
			return second(tx.EndSessions(ctx, storage.EndSessions{
				UserID: a.User.ID, Only: a.Session.ID, At: epoch, Reason: storage.EndedByLogout,
			}))
		}, storage.ErrNotFound},
		{"expired session", func(_ context.Context, _ storage.Tx, a storage.Account, v *storage.Verified) error {
			v.Use.At = a.Session.ExpiresAt
			return nil
		}, storage.ErrNotFound},
		{"somebody else's session", func(_ context.Context, _ storage.Tx, _ storage.Account, v *storage.Verified) error {
			v.UserID = uuid.New()
			return nil
		}, storage.ErrNotFound},
		{"disabled user", func(ctx context.Context, tx storage.Tx, a storage.Account, _ *storage.Verified) error {
			return second(tx.SetDisabled(ctx, a.User.ID, &epoch))
		}, storage.ErrNotFound},
		{"another password", func(ctx context.Context, tx storage.Tx, a storage.Account, _ *storage.Verified) error {
			return second(tx.SetPassword(ctx, a.User.ID, a.User.PasswordVersion, "another", nil))
		}, storage.ErrNotFound},
		{"failure of what comes with it", func(_ context.Context, _ storage.Tx, _ storage.Account, v *storage.Verified) error {
			v.Also = func(storage.Tx) error { return fault }
			return nil
		}, fault},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, step := range verifiedSteps() {
				a := byMail(t, s, 1)
				v := verifiedOf(a)
				inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return test.change(ctx, tx, a, &v) })
				want, wasSpent := storedOf(t, s, a), spent(t, s, *v.Spent)
				if _, err := step.run(t, s, v); !errors.Is(err, test.want) {
					t.Errorf("%s: %v, want %v", step.name, err, test.want)
				}
				if diff := cmp.Diff(want, storedOf(t, s, a), sameAddr()); diff != "" {
					t.Errorf("%s changed something (-want +got):\n%s", step.name, diff)
				}
				if spent(t, s, *v.Spent) != wasSpent {
					t.Errorf("%s spent the challenge", step.name)
				}
			}
		})
	}
}

// Of one count, and of one challenge of a passkey that has no counter, one response is stored.
func oneVerifiedWins(t *testing.T, s storage.Store) {
	for _, step := range verifiedSteps() {
		for _, counter := range []bool{true, false} {
			a := byMail(t, s, 1)
			first := verifiedOf(a)
			lost := storage.ErrPasskeyStale
			if !counter {
				lost = storage.ErrChallengeExpired
				p := newPasskey(a.User)
				p.Credential.SignCount, a.Passkeys[0], first.Use.SignCount = 0, p, 0
				first.Use.PasskeyID = p.ID
				inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.CreatePasskey(ctx, p) })
			}
			won := race(16, func(int) bool {
				v := first
				v.Events = []storage.Event{eventOf(a, epoch)}
				if counter {
					v.Spent = nil
				}
				_, err := step.run(t, s, v)
				if err != nil && !errors.Is(err, lost) {
					t.Errorf("%s, counter %t: %v, want %v", step.name, counter, err, lost)
				}
				return err == nil
			})
			got := storedOf(t, s, a)
			if won != 1 || len(got.Events) != 1 {
				t.Errorf("%s, counter %t: %d stored with %d events, want 1", step.name, counter, won, len(got.Events))
			}
			if step.raises && got.Session.Generation != 3 {
				t.Errorf("%s, counter %t: generation %d, want 3", step.name, counter, got.Session.Generation)
			}
		}
	}
}

// Responses with ever higher counts are stored in some order, and the count never goes back.
func verifiedCountsGrow(t *testing.T, s storage.Store) {
	for _, step := range verifiedSteps() {
		a := byMail(t, s, 1)
		won := race(16, func(i int) bool {
			v := verifiedOf(a)
			v.Use.SignCount += uint32(i)
			_, err := step.run(t, s, v)
			if err != nil && !errors.Is(err, storage.ErrPasskeyStale) {
				t.Errorf("%s: %v", step.name, err)
			}
			return err == nil
		})
		got := storedOf(t, s, a)
		if count := got.Record.Passkeys[0].Credential.SignCount; count != 21 {
			t.Errorf("%s: count %d, want 21", step.name, count)
		}
		if len(got.Events) != min(won, 10) {
			t.Errorf("%s: %d events of %d stored", step.name, len(got.Events), won)
		}
		if step.raises && got.Session.Generation != int64(1+2*won) {
			t.Errorf("%s: generation %d after %d elevations", step.name, got.Session.Generation, won)
		}
	}
}

// A response that waits for another transaction is stored by what that one left behind.
func verifiedMeanwhile(t *testing.T, s storage.Store) {
	for _, test := range []struct {
		name  string
		other func(ctx context.Context, tx storage.Tx, a storage.Account, v storage.Verified) error
		want  error
	}{
		{"the count is used", func(ctx context.Context, tx storage.Tx, _ storage.Account, v storage.Verified) error {
			return second(usePasskey(ctx, tx, v.Use))
		}, storage.ErrPasskeyStale},
		{"the passkey is deleted", func(ctx context.Context, tx storage.Tx, a storage.Account, _ storage.Verified) error {
			return tx.DeletePasskey(ctx, a.User.ID, a.Passkeys[0].ID)
		}, storage.ErrPasskeyStale},
		{"the session ends", func(ctx context.Context, tx storage.Tx, a storage.Account, _ storage.Verified) error {
			return second(tx.EndSessions(ctx, storage.EndSessions{
				UserID: a.User.ID, Only: a.Session.ID, At: epoch, Reason: storage.EndedByLogout,
			}))
		}, storage.ErrNotFound},
		{"the challenge is spent", func(ctx context.Context, tx storage.Tx, _ storage.Account, v storage.Verified) error {
			return tx.SpendChallenge(ctx, v.Spent)
		}, storage.ErrChallengeExpired},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, step := range verifiedSteps() {
				a := byMail(t, s, 1)
				v := verifiedOf(a)
				result := make(chan error, 1)
				inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
					if err := test.other(ctx, tx, a, v); err != nil {
						return err
					}
					go func() { result <- second(step.run(t, s, v)) }()
					time.Sleep(50 * time.Millisecond) // for it to wait; without, it comes later
					return nil
				})
				if err := <-result; !errors.Is(err, test.want) {
					t.Errorf("%s: %v, want %v", step.name, err, test.want)
				}
				got := storedOf(t, s, a)
				if len(got.Events) != 0 || got.Session.FullAt != nil {
					t.Errorf("%s: %d events, full at %v; want nothing stored", step.name, len(got.Events), got.Session.FullAt)
				}
				if test.want == storage.ErrNotFound && got.Record.Passkeys[0].LastUsedAt != nil {
					t.Errorf("%s: the passkey was used", step.name)
				}
			}
		})
	}
}
