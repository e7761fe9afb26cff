package stepkey_test

import (
	"context"
	"testing"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/memstore"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// restorable keeps challenges apart from the store, and can bring the one back that
// was taken last, as a fail-over to a replica that is behind does.
type restorable struct {
	stepkey.Challenges
	key   storage.ChallengeKey
	state []byte
}

func (r *restorable) Take(ctx context.Context, key storage.ChallengeKey) ([]byte, error) {
	state, err := r.Challenges.Take(ctx, key)
	if err == nil {
		r.key, r.state = key, state
	}
	return state, err
}

func (r *restorable) restore(f *fixture) {
	f.Helper()
	if err := r.Put(f.Context(), r.key, r.state, stepkey.ChallengeLifetime); err != nil {
		f.Fatal(err)
	}
}

// withChallengesApart makes the fixture's service keep its challenges elsewhere.
func (f *fixture) withChallengesApart() *restorable {
	f.Helper()
	apart := &restorable{Challenges: memstore.NewChallenges(0, f.clock.Now)}
	config := f.config()
	config.Challenges = apart
	f.service = f.newService(config)
	return apart
}

func (f *fixture) usedChallenges() (n int) {
	f.Helper()
	if err := f.sql.QueryRowContext(f.Context(), `SELECT count(*) FROM used_challenges`).Scan(&n); err != nil {
		f.Fatal(err)
	}
	return n
}

func TestRestoredChallengeIsNotTakenAgain(t *testing.T) {
	onBoth(t, func(f *fixture) {
		apart := f.withChallengesApart()
		claims, device := f.enrolled("mira", authenticator.Config{})
		for _, test := range []struct {
			what   string
			action *token.Action
		}{{"step-up", nil}, {"consent", payout("100")}} {
			options, err := f.service.BeginStepUp(f.Context(), claims, test.action)
			if err != nil {
				f.Fatal(err)
			}
			response := f.got(device, f.marshal(options))
			if _, err := f.service.FinishStepUp(f.Context(), claims, response); err != nil {
				f.Fatal(err)
			}
			apart.restore(f)
			wantError(f.TB, test.what, second(f.service.FinishStepUp(f.Context(), claims, response)), stepkey.ErrChallengeExpired)
		}
		if n := f.events(storage.EventSteppedUp) + f.events(storage.EventActionConfirmed); n != 3 {
			f.Errorf("%d verifications recorded, want 2 beside the registration", n)
		}

		full := f.stepUp(claims, device)
		options := f.registrationOptions(full)
		for i, want := range []error{nil, stepkey.ErrChallengeExpired} {
			if i > 0 {
				apart.restore(f)
			}
			response := f.created(authenticator.New(authenticator.Config{}), options)
			wantError(f.TB, "registration", second(f.service.FinishRegistration(f.Context(), full, response, "")), want)
		}
	})
}

// The store itself needs no second memory: its transactions and its challenges are
// restored together.
func TestChallengesAreRememberedOnlyWhereTheyAreApart(t *testing.T) {
	f := newFixture(t)
	claims, device := f.enrolled("mira", authenticator.Config{})
	f.stepUp(claims, device)
	if n := f.usedChallenges(); n != 0 {
		t.Errorf("%d challenges remembered that the store itself keeps, want 0", n)
	}
	f.withChallengesApart()
	f.stepUp(claims, device)
	if n := f.usedChallenges(); n != 1 {
		t.Errorf("%d challenges remembered, want 1", n)
	}
	f.clock.Advance(2 * stepkey.ChallengeLifetime)
	if err := f.store.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := f.usedChallenges(); n != 0 {
		t.Errorf("%d challenges remembered after their time, want 0", n)
	}
}
