//go:build unix

package sqlstore_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
)

// BenchmarkSteps runs what a step-up and a refresh ask of the store. The metric cpu-ns/op is the CPU
// time of this process alone, without PostgreSQL's, and tells more than ns/op on a machine that is busy.
func BenchmarkSteps(b *testing.B) {
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + b.TempDir() + "/stepkey.db" },
		"postgres": func() string { return pgtest.NewDatabase(b) },
	} {
		store, err := storeurl.Open(b.Context(), url(), sqlstore.Options{
			Clock: func() time.Time { return epoch }, Timeout: patience.Long,
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = store.Close() })
		person := newSteadyPerson(b, store)
		for what, step := range map[string]func() error{"step-up": person.stepUp, "refresh": person.refresh} {
			b.Run(name+"/"+what, func(b *testing.B) {
				b.ReportAllocs()
				before := cpuTime(b)
				for b.Loop() {
					if err := step(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// steadyPerson steps up and refreshes again and again.
type steadyPerson struct {
	b       *testing.B
	store   *sqlstore.Store
	session storage.Session
	passkey uuid.UUID
	uses    uint32
}

func newSteadyPerson(b *testing.B, store *sqlstore.Store) *steadyPerson {
	b.Helper()
	u := storage.User{ID: uuid.New(), Username: "mira", CanonicalName: "mira", PasswordVersion: 1, Handle: []byte("handle"), CreatedAt: epoch}
	p := &steadyPerson{b: b, store: store, passkey: uuid.New(), session: storage.Session{
		ID: uuid.New(), UserID: u.ID, PasswordVersion: 1, PasswordAt: epoch, CreatedAt: epoch, LastSeenAt: epoch, RotatedAt: epoch,
		ExpiresAt: epoch.Add(time.Hour), Refresh: storage.RefreshBody, Salt: make([]byte, 16),
	}}
	key := storage.Credential{ID: p.passkey[:], PublicKey: make([]byte, 77), Transports: []string{"internal"}}
	err := store.InTx(b.Context(), func(tx storage.Tx) error {
		return errors.Join(tx.CreateUser(b.Context(), u), tx.CreateSession(b.Context(), p.session),
			tx.CreatePasskey(b.Context(), storage.Passkey{ID: p.passkey, UserID: u.ID, Name: "phone", Credential: key, CreatedAt: epoch}))
	})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func (p *steadyPerson) stepUp() error {
	ctx := p.b.Context()
	if _, err := p.store.Account(ctx, p.session.UserID, p.session.ID, epoch); err != nil {
		return err
	}
	p.uses++
	challenge := storage.ChallengeKey{
		Digest:  sha256.Sum256(binary.BigEndian.AppendUint32(nil, p.uses)),
		Purpose: storage.PurposeStepUp, UserID: p.session.UserID, SessionID: p.session.ID,
	}
	if err := p.store.Put(ctx, challenge, make([]byte, 200), time.Minute); err != nil {
		return err
	}
	if _, _, err := p.store.TakeWithAccount(ctx, challenge, epoch); err != nil {
		return err
	}
	event := storage.Event{
		ID: uuid.Max, Kind: storage.EventSteppedUp, At: epoch, UserID: p.session.UserID, SessionID: p.session.ID,
		PasskeyID: p.passkey, Device: "Firefox on Linux", Network: "192.0.2.0/24", PasskeyName: "phone",
	}
	binary.BigEndian.PutUint32(event.ID[:], p.uses)
	generation, err := p.store.Elevate(ctx, storage.Elevation{
		Verified: storage.Verified{
			UserID: p.session.UserID, SessionID: p.session.ID, Events: []storage.Event{event},
			Use: storage.PasskeyUse{PasskeyID: p.passkey, SignCount: p.uses, At: epoch},
		},
		ExpiresAt: p.session.ExpiresAt,
	})
	p.session.Generation = generation
	return err
}

func (p *steadyPerson) refresh() error {
	ctx := p.b.Context()
	since := epoch.Add(-time.Hour)
	rotated, err := p.store.RotateSession(ctx, storage.Rotation{
		SessionID: p.session.ID, Salt: p.session.Salt, Generation: p.session.Generation, At: epoch,
		IdleSince: since, NoStepUpSince: since, FullSince: since, FullIdleSince: since,
	})
	p.session.Generation = rotated.Session.Generation
	return err
}
