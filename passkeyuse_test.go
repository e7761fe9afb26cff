package stepkey_test

import (
	"context"
	"testing"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

// usedMeanwhile is a store where another response with the same passkey always comes first.
type usedMeanwhile struct{ stepkey.Store }

func (s usedMeanwhile) InTx(ctx context.Context, fn func(storage.Tx) error) error {
	return s.Store.InTx(ctx, func(tx storage.Tx) error { return fn(usedMeanwhileTx{tx}) })
}

func (usedMeanwhile) Elevate(context.Context, storage.Elevation) (int64, error) {
	return 0, storage.ErrPasskeyStale
}

func (usedMeanwhile) Consent(context.Context, storage.Verified) error { return storage.ErrPasskeyStale }

type usedMeanwhileTx struct{ storage.Tx }

func (usedMeanwhileTx) StoreVerified(context.Context, storage.Verified) error {
	return storage.ErrPasskeyStale
}

// A verified response whose passkey was used or deleted before it could be stored is refused in
// every use-case like one with a counter that did not grow, and yields nothing.
func TestPasskeyUsedMeanwhileIsRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		finish func(f *fixture, late *stepkey.Service, device *authenticator.Authenticator) (stepkey.Grant, error)
	}{
		{"step-up", func(f *fixture, late *stepkey.Service, device *authenticator.Authenticator) (stepkey.Grant, error) {
			c := f.logIn("mira")
			return late.FinishStepUp(f.Context(), c, f.got(device, f.stepUpOptions(c)))
		}},
		{"action", func(f *fixture, late *stepkey.Service, device *authenticator.Authenticator) (stepkey.Grant, error) {
			c := f.logIn("mira")
			options, err := f.service.BeginStepUp(f.Context(), c, payout("100"))
			if err != nil {
				f.Fatal(err)
			}
			return late.FinishStepUp(f.Context(), c, f.got(device, f.marshal(options)))
		}},
		{"log in", func(f *fixture, late *stepkey.Service, device *authenticator.Authenticator) (stepkey.Grant, error) {
			response := f.got(device, f.logInOptions())
			return late.FinishPasskeyLogIn(f.Context(), stepkey.PasskeyLogInRequest{Response: response, Client: f.stranger()})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			_, device := f.enrolled("mira", authenticator.Config{})
			config := f.config()
			config.Store = usedMeanwhile{f.store}
			g, err := test.finish(f, f.newService(config), device)
			if err != stepkey.ErrVerificationFailed || g.AccessToken+g.ActionToken != "" {
				t.Errorf("%+v, %v; want exactly ErrVerificationFailed", g, err)
			}
			if n := f.events(storage.EventCounterRegression); n != 1 {
				t.Errorf("%d counter regressions recorded, want 1", n)
			}
			if n := f.events(storage.EventSteppedUp) + f.events(storage.EventActionConfirmed); n != 1 {
				t.Errorf("%d successes recorded, want that of the registration", n)
			}
		})
	}
}
