package stepkey_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/memstore"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/sqlstore/postgres"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storetest"
	"github.com/stepkey/stepkey/token"
)

// roundTrips notes each message that waits for PostgreSQL's answer. Preparing a statement, which
// happens once on a connection, is not one of them.
type roundTrips struct {
	mu   sync.Mutex
	sent []string
}

func (r *roundTrips) note(sent string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, strings.Join(strings.Fields(sent), " "))
}

// take returns what was sent since the last call.
func (r *roundTrips) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := r.sent
	r.sent = nil
	return sent
}

func (r *roundTrips) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.note(data.SQL)
	return ctx
}

func (r *roundTrips) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (r *roundTrips) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	r.note("a batch")
	return ctx
}

func (r *roundTrips) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (r *roundTrips) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// tracedFixture is a fixture on PostgreSQL whose round trips are noted.
func tracedFixture(t *testing.T) (*fixture, *roundTrips) {
	t.Helper()
	config, err := pgxpool.ParseConfig(migrated(t))
	if err != nil {
		t.Fatal(err)
	}
	trips := &roundTrips{}
	config.ConnConfig.Tracer = trips
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	f := &fixture{TB: t, clock: storetest.NewClock()}
	f.store, err = postgres.New(t.Context(), pool, sqlstore.Options{Clock: f.clock.Now, Timeout: patience.Long})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.store.Close(); err != nil {
			t.Error(err)
		}
	})
	f.service = f.tracedService(f.store, f.store)
	return f, trips
}

// How often a use-case waits for PostgreSQL decides how long it takes where the database is a
// network away. The numbers may fall and must not grow unseen.
func TestRoundTrips(t *testing.T) {
	f, trips := tracedFixture(t)
	want := func(what string, n int, do func() error) {
		t.Helper()
		trips.take()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if sent := trips.take(); len(sent) != n {
			t.Errorf("%s takes %d round trips, want %d:\n%s", what, len(sent), n, strings.Join(sent, "\n"))
		}
	}
	claims, device := f.enrolled("mira", authenticator.Config{})

	var session stepkey.Grant
	want("a sign-in", 14, func() (err error) {
		session, err = f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: password, Refresh: stepkey.RefreshBody})
		return err
	})
	want("a refresh", 1, func() error {
		return second(f.service.Refresh(t.Context(), session.RefreshToken))
	})
	want("a forged refresh token", 0, func() error {
		forged := session.RefreshToken[:40] + flip(session.RefreshToken[40:41]) + session.RefreshToken[41:]
		if _, err := f.service.Refresh(t.Context(), forged); !errors.Is(err, stepkey.ErrUnauthorized) {
			return fmt.Errorf("%v, want ErrUnauthorized", err)
		}
		return nil
	})
	challenges, limiter := memstore.NewChallenges(0, f.clock.Now), memstore.NewLimiter(0, f.clock.Now)
	for _, test := range []struct {
		name                  string
		service               *stepkey.Service
		begin, finish, action int
	}{
		{"with all in the database", f.service, 3, 2, 2},
		{"with limits elsewhere", f.tracedService(f.store, limiter), 2, 2, 2},
		{"with challenges and limits elsewhere", f.tracedService(challenges, limiter), 1, 2, 2},
	} {
		for _, ceremony := range []struct {
			what   string
			action *token.Action
			finish int
		}{{" a step-up ", nil, test.finish}, {" a consent ", payout("100"), test.action}} {
			var options stepkey.RequestOptions
			what, action, finish := ceremony.what, ceremony.action, ceremony.finish
			want("beginning"+what+test.name, test.begin, func() (err error) {
				options, err = test.service.BeginStepUp(t.Context(), claims, action)
				return err
			})
			response := f.got(device, f.marshal(options))
			want("finishing"+what+test.name, finish, func() error {
				return second(test.service.FinishStepUp(t.Context(), claims, response))
			})
		}
	}
}

// tracedService is a service whose events never make it count those of the user, which it
// does for one in 256, chosen by the last byte of a random id.
func (f *fixture) tracedService(challenges stepkey.Challenges, limiter stepkey.Limiter) *stepkey.Service {
	c := f.config()
	c.Challenges, c.Limiter, c.Random = challenges, limiter, withoutZeros{rand.Reader}
	return f.newService(c)
}

// withoutZeros replaces zero bytes.
type withoutZeros struct{ io.Reader }

func (r withoutZeros) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	for i := range p[:n] {
		p[i] = max(p[i], 1)
	}
	return n, err
}
