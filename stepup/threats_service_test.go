package stepup_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/sqlstore/postgres"
	"github.com/stepkey/stepkey/sqlstore/sqlite"
	"github.com/stepkey/stepkey/stepup"
)

// store opens the tables of the application's Kit for another program.
func (a *app) store() *sqlstore.Store {
	a.Helper()
	options := sqlstore.Options{Schema: "stepkey", Clock: a.clock.Now}
	store, err := postgres.NewDB(a.Context(), a.db, options)
	if err != nil {
		store, err = sqlite.New(a.Context(), a.db, options)
	}
	if err != nil {
		a.Fatal(err)
	}
	return store
}

// countedMailer counts what it is given.
type countedMailer struct{ sent atomic.Int32 }

func (m *countedMailer) Send(context.Context, stepkey.Mail) error { m.sent.Add(1); return nil }

const servicePassword = "correct horse battery staple"

// service is a Service on the tables of the Kit, with a secret of its own.
func (a *app) service(mailer stepkey.Mailer) *stepkey.Service {
	a.Helper()
	store := a.store()
	s, err := stepkey.New(a.Context(), stepkey.Config{
		Store: store, Challenges: store, Limiter: store, Secret: "aT3vNWS6yCC8ly5gq4/GBrxqj4L0dCryss/HOhbNB8I=",
		Origins: []string{a.url}, Clock: a.clock.Now, Mailer: mailer,
	})
	if err != nil {
		a.Fatal(err)
	}
	return s
}

// A Service on the same tables: its users and those of the Kit never meet, whatever their names are.
func TestThreatServiceOnTheSameTables(t *testing.T) {
	onBothWays(t, nil, func(a *app) {
		s := a.service(nil)
		signedUp, err := s.SignUp(a.Context(), stepkey.SignUpRequest{Username: "mira", Password: servicePassword})
		if err != nil {
			a.Fatal(err)
		}
		for _, key := range []string{"mira", signedUp.ID.String()} {
			visitor := a.arrives(key)
			a.wantCode("a user of the service with that key", visitor.Client, visitor.Call("/_stepkey/begin", map[string]string{"purpose": "payout"}), http.StatusConflict, "no_passkeys")
		}
		owner := a.owner("mira")
		owner.verifies()
		users, err := s.Admin().Users(a.Context(), uuid.Nil, 10)
		if err != nil || len(users) != 1 || users[0].User.ID != signedUp.ID || users[0].Passkeys != 0 {
			a.Errorf("the service lists %+v, %v; want its own user alone", users, err)
		}
		options, err := s.BeginPasskeyLogIn(a.Context(), stepkey.Client{})
		if err != nil {
			a.Fatal(err)
		}
		if _, err := s.FinishPasskeyLogIn(a.Context(), stepkey.PasskeyLogInRequest{Response: a.answered(owner, options)}); !errors.Is(err, stepkey.ErrVerificationFailed) {
			a.Errorf("signing in at the service with a passkey of the application: %v, want ErrVerificationFailed", err)
		}
		grant, err := s.LogIn(a.Context(), stepkey.LogInRequest{Username: "mira", Password: servicePassword, Refresh: stepkey.RefreshBody})
		if err != nil {
			a.Fatal(err)
		}
		if err := a.kit.Forget(a.Context(), nil, "mira"); err != nil {
			a.Fatal(err)
		}
		a.wantPass("after Forget", owner.Client, false)
		if _, err := s.Refresh(a.Context(), grant.RefreshToken); err != nil {
			a.Errorf("the service's session after Forget: %v", err)
		}
		again := a.owner("mira")
		again.verifies()
		if err := s.Admin().DeleteUser(a.Context(), signedUp.ID); err != nil {
			a.Fatal(err)
		}
		a.wantPass("after the service deleted its user", again.Client, true)
	})
}

// answered is the answer of the person's device to options of the service that name no passkey.
func (a *app) answered(p person, options stepkey.RequestOptions) (response stepkey.AssertionResponse) {
	a.Helper()
	text, err := json.Marshal(options)
	if err != nil {
		a.Fatal(err)
	}
	answer, err := p.device.Get(a.url, text)
	if err != nil {
		a.Fatal(err)
	}
	if err := json.Unmarshal(answer, &response); err != nil {
		a.Fatal(err)
	}
	return response
}

// Neither of the two delivers, delays or sweeps what is the other's.
func TestThreatServiceAndKitRunOnTheSameTables(t *testing.T) {
	var told atomic.Int32
	onBoth(t, func(c *stepup.Config) {
		told.Store(0)
		c.Notify = func(context.Context, stepup.Event) error { told.Add(1); return nil }
	}, func(a *app) {
		mailer := &countedMailer{}
		s := a.service(mailer)
		if _, err := s.SignUp(a.Context(), stepkey.SignUpRequest{Username: "mira", Password: servicePassword}); err != nil {
			a.Fatal(err)
		}
		if err := s.RequestPasswordReset(a.Context(), stepkey.ResetRequest{Username: "mira"}); err != nil {
			a.Fatal(err)
		}
		owner := a.owner("mira")
		a.whileRunning(func(ctx context.Context) { _ = a.kit.Run(ctx) }, func() bool { return told.Load() > 0 })
		if n := a.number("SELECT count(*) FROM " + table(a, "outbox") + " WHERE kind = 'find_accounts' AND tries = 0 AND state = 'ready'"); n != 1 {
			a.Errorf("the Kit ran: %d requests of the service wait untouched, want 1", n)
		}
		owner.verifies()
		a.whileRunning(s.Run, func() bool {
			return a.number("SELECT count(*) FROM "+table(a, "outbox")+" WHERE kind = 'find_accounts'") == 0
		})
		if n := a.number("SELECT count(*) FROM " + table(a, "outbox") + " WHERE kind = 'event of app' AND tries = 0 AND state = 'ready'"); n != 1 {
			a.Errorf("the service ran: %d events of the Kit wait untouched, want 1", n)
		}

		// A month later the Kit sweeps a user without a passkey. Its other users and those of the service stay.
		a.arrives("somebody").Call("/_stepkey/skip", struct{}{})
		a.clock.Advance(31 * 24 * time.Hour)
		a.whileRunning(func(ctx context.Context) { _ = a.kit.Run(ctx) }, func() bool { return a.number("SELECT count(*) FROM "+table(a, "users")) == 2 })
		if _, err := s.LogIn(a.Context(), stepkey.LogInRequest{Username: "mira", Password: servicePassword}); err != nil {
			a.Errorf("the service's user: %v", err)
		}
		a.arrives("somebody").Call("/_stepkey/skip", struct{}{})
		a.clock.Advance(31 * 24 * time.Hour)
		a.whileRunning(s.Run, func() bool { return a.number("SELECT count(*) FROM "+table(a, "users")) == 2 })
		owner.elsewhere().verifies()
	})
}

// whileRunning runs something until a condition holds.
func (a *app) whileRunning(run func(context.Context), until func() bool) {
	a.Helper()
	ctx, stop := context.WithCancel(a.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { run(ctx) })
	for deadline := time.Now().Add(patience.Long); !until(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			a.Fatal("what should have happened has not")
		}
	}
}

// number is the answer to a query for one.
func (a *app) number(query string) (n int) {
	a.Helper()
	if err := a.db.QueryRowContext(a.Context(), query).Scan(&n); err != nil {
		a.Fatal(err)
	}
	return n
}

// An empty session value proves nothing, even where another program has verified and confirmed under it.
func TestThreatEmptySessionThatHasAProof(t *testing.T) {
	onBothWays(t, nil, func(a *app) {
		owner := a.owner("42")
		store := a.store()
		realm, err := stepkey.NewRealm(a.Context(), stepkey.RealmConfig{
			Name: "app", Store: store, Challenges: store, Limiter: store, Secret: testSecret, Origins: []string{a.url}, Clock: a.clock.Now,
		})
		if err != nil {
			a.Fatal(err)
		}
		id := a.identity(owner.cookie)
		c, err := realm.Enter(a.Context(), stepkey.Visit{User: "42", SignedInAt: id.SignedInAt, PasswordAt: id.SignedInAt})
		if err != nil {
			a.Fatal(err)
		}
		options, err := realm.BeginStepUp(a.Context(), c, "payout", nil)
		if err != nil {
			a.Fatal(err)
		}
		if _, err := realm.FinishStepUp(a.Context(), c, a.answered(owner, options)); err != nil {
			a.Fatal(err)
		}
		_, action := owner.sealed("/transfer", "amount=1&to=Ada")
		a.wantCode("confirmed", owner.Client, owner.finish(owner.asserted(action)), http.StatusOK, "")
		moved := "UPDATE " + table(a, "consents") + " SET session_id = (SELECT id FROM " + table(a, "sessions") + " WHERE full_at IS NOT NULL)"
		if _, err := a.db.ExecContext(a.Context(), moved); err != nil {
			a.Fatal(err)
		}

		id.Session = ""
		a.setIdentity(owner.cookie, &id)
		a.wantCode("a script", owner.Client, owner.Do(a.request(http.MethodGet, "/payouts", nil)), http.StatusForbidden, "session_required")
		transfer := a.request(http.MethodPost, "/transfer", strings.NewReader("amount=1&to=Ada"), "Content-Type", "application/x-www-form-urlencoded")
		a.wantCode("an action", owner.Client, owner.Do(transfer), http.StatusForbidden, "session_required")
		var needed *stepup.NeededError
		if err := a.kit.Check(a.Context(), id, "payout"); !errors.As(err, &needed) {
			a.Errorf("Check: %v, want a NeededError", err)
		}
		if _, ok := a.kit.Proof(a.request(http.MethodGet, "/", nil, "Cookie", "session="+owner.cookie)); ok {
			a.Error("Proof returns one")
		}
	})
}
