package stepkey_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/internal/rawsql"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
	"github.com/stepkey/stepkey/token"
)

func TestMain(m *testing.M) {
	// A game of the refresh model signs somebody in, which costs a password hash. For
	// more games: go test -run RefreshModel . -args -rapid.checks=1000
	if err := flag.Set("rapid.checks", "30"); err != nil {
		panic(err)
	}
	os.Exit(pgtest.Main(m))
}

const (
	origin   = "https://app.example.com"
	password = "correct horse battery staple"
)

// Two generated secrets of 32 bytes.
const (
	rootSecret   = "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw="
	sharedSecret = "qQyMBDKC9BFEa3hiMDyjLprRfRyl98MQFPNDcIYylg8="
)

// fixture is a service on a database of its own, with a clock that stands still.
type fixture struct {
	testing.TB
	clock   *storetest.Clock
	store   *sqlstore.Store
	service *stepkey.Service
	sql     *rawsql.DB

	addresses atomic.Uint32
}

func newFixture(t testing.TB) *fixture {
	return fixtureOn(t, "sqlite:"+filepath.Join(t.TempDir(), "stepkey.db"))
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(f *fixture)) {
	t.Run("sqlite", func(t *testing.T) { test(newFixture(t)) })
	t.Run("postgres", func(t *testing.T) { test(fixtureOn(t, migrated(t))) })
}

// migrated returns a PostgreSQL database with the schema in it, which is quicker to copy
// than to make.
func migrated(t testing.TB) string {
	t.Helper()
	return pgtest.Clone(t, "stepkey", func(dsn string) error {
		store, err := storeurl.Open(context.Background(), dsn, sqlstore.Options{Timeout: patience.Long})
		if err != nil {
			return err
		}
		return store.Close()
	})
}

func fixtureOn(t testing.TB, url string) *fixture {
	t.Helper()
	f := &fixture{TB: t, clock: storetest.NewClock()}
	store, err := storeurl.Open(t.Context(), url, sqlstore.Options{Clock: f.clock.Now, Timeout: patience.Long})
	if err != nil {
		t.Fatal(err)
	}
	f.store = store
	if f.sql, err = rawsql.Open(url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(f.sql.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	f.service = f.newService(f.config())
	return f
}

func (f *fixture) config() stepkey.Config {
	return stepkey.Config{
		Store: f.store, Challenges: f.store, Limiter: f.store, Clock: f.clock.Now,
		Secret: rootSecret, Origins: []string{origin}, HashWait: patience.Long,
	}
}

func (f *fixture) newService(c stepkey.Config) *stepkey.Service {
	f.Helper()
	s, err := stepkey.NewCheap(f.Context(), c)
	if err != nil {
		f.Fatal(err)
	}
	return s
}

func (f *fixture) exec(statement string, args ...any) {
	f.Helper()
	if _, err := f.sql.ExecContext(f.Context(), statement, args...); err != nil {
		f.Fatal(err)
	}
}

// events counts the events of a kind.
func (f *fixture) events(kind stepkey.EventKind) (n int) {
	f.Helper()
	row := f.sql.QueryRowContext(f.Context(), `SELECT count(*) FROM events WHERE kind = $1`, string(kind))
	if err := row.Scan(&n); err != nil {
		f.Fatal(err)
	}
	return n
}

// signUpOf is a try from an address that nobody had before.
func (f *fixture) signUpOf(name, newPassword string) stepkey.SignUpRequest {
	n := f.addresses.Add(1)
	return stepkey.SignUpRequest{
		Username: name, Password: newPassword,
		Client: stepkey.Client{IP: netip.AddrFrom4([4]byte{203, byte(n >> 8), byte(n), 1})},
	}
}

func (f *fixture) signUp(name string) {
	f.Helper()
	if _, err := f.service.SignUp(f.Context(), f.signUpOf(name, password)); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) logIn(name string) stepkey.Caller {
	f.Helper()
	granted, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: name, Password: password})
	if err != nil {
		f.Fatal(err)
	}
	return granted.Caller()
}

func (f *fixture) registrationOptions(c stepkey.Caller) []byte {
	f.Helper()
	options, err := f.service.BeginRegistration(f.Context(), c)
	if err != nil {
		f.Fatal(err)
	}
	return f.marshal(options)
}

func (f *fixture) stepUpOptions(c stepkey.Caller) []byte {
	f.Helper()
	options, err := f.service.BeginStepUp(f.Context(), c, nil)
	if err != nil {
		f.Fatal(err)
	}
	return f.marshal(options)
}

func (f *fixture) marshal(v any) []byte {
	f.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		f.Fatal(err)
	}
	return text
}

// created answers registration options with device.
func (f *fixture) created(device *authenticator.Authenticator, options []byte) stepkey.RegistrationResponse {
	f.Helper()
	answer, err := device.Create(origin, options)
	return parsed[stepkey.RegistrationResponse](f, answer, err)
}

// got answers request options with device.
func (f *fixture) got(device *authenticator.Authenticator, options []byte) stepkey.AssertionResponse {
	f.Helper()
	answer, err := device.Get(origin, options)
	return parsed[stepkey.AssertionResponse](f, answer, err)
}

func parsed[T any](f *fixture, answer []byte, err error) (response T) {
	f.Helper()
	if err == nil {
		err = json.Unmarshal(answer, &response)
	}
	if err != nil {
		f.Fatal(err)
	}
	return response
}

func (f *fixture) register(c stepkey.Caller, device *authenticator.Authenticator) stepkey.Passkey {
	f.Helper()
	response := f.created(device, f.registrationOptions(c))
	added, err := f.service.FinishRegistration(f.Context(), c, response, "")
	if err != nil {
		f.Fatal(err)
	}
	return added.Passkey
}

func (f *fixture) stepUp(c stepkey.Caller, device *authenticator.Authenticator) stepkey.Caller {
	f.Helper()
	granted, err := f.service.FinishStepUp(f.Context(), c, f.got(device, f.stepUpOptions(c)))
	if err != nil {
		f.Fatal(err)
	}
	return granted.Caller()
}

// race calls try n times at once and returns the errors.
func race(n int, try func(i int) error) []error {
	var wg sync.WaitGroup
	start, results := make(chan struct{}), make([]error, n)
	for i := range n {
		wg.Go(func() {
			<-start
			results[i] = try(i)
		})
	}
	close(start)
	wg.Wait()
	return results
}

func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func wantStepUp(t testing.TB, what string, err error) {
	t.Helper()
	var required *stepkey.StepUpRequiredError
	if !errors.As(err, &required) || required.MaxAge != stepkey.FullWindow {
		t.Errorf("%s: %v, want a step-up not older than %s", what, err, stepkey.FullWindow)
	}
}

func TestWholePath(t *testing.T) {
	onBoth(t, func(f *fixture) {
		device := authenticator.New(authenticator.Config{Transports: []string{"internal", "hybrid"}})
		f.signUp("Mira")
		claims := f.logIn(" mira ")
		if claims.Claims().Level != token.LevelPassword || claims.Claims().Username != "Mira" || claims.Claims().PasskeyVerified {
			f.Errorf("after the password: %+v", claims)
		}
		wantError(f.TB, "step-up without passkey", second(f.service.BeginStepUp(f.Context(), claims, nil)), stepkey.ErrNoPasskeys)
		f.register(claims, device)

		f.clock.Advance(time.Minute)
		full := f.stepUp(claims, device)
		if full.Claims().Level != token.LevelFull || !full.Claims().PasskeyVerified || full.Claims().SessionID != claims.Claims().SessionID {
			f.Errorf("after the passkey: %+v", full)
		}
		if full.Claims().PasswordTime != claims.Claims().PasswordTime || full.Claims().PasskeyTime != claims.Claims().PasswordTime+60 ||
			full.Claims().AuthTime != full.Claims().PasskeyTime || full.Claims().ID == claims.Claims().ID {
			f.Errorf("times after the passkey: %+v", full)
		}
		for _, test := range []struct {
			kind stepkey.EventKind
			want int
		}{
			{storage.EventSignedUp, 1},
			{storage.EventSignedIn, 1},
			{storage.EventPasskeyAdded, 1},
			{storage.EventSteppedUp, 2}, // the registration is one
		} {
			if got := f.events(test.kind); got != test.want {
				f.Errorf("%d events %s, want %d", got, test.kind, test.want)
			}
		}
	})
}

// second drops the value of a call that is made for its error.
func second[T any](_ T, err error) error { return err }
