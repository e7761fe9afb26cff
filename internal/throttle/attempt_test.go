package throttle_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/memstore"
	"github.com/stepkey/stepkey/storage"
)

var errWait = errors.New("wait")

// answers counts attempts as it says.
type answers struct {
	storage.Attempts
	err error
}

func (a *answers) ChargeAttempt(context.Context, storage.Attempt) (storage.Attempts, error) {
	return a.Attempts, a.err
}

func (*answers) RefundAttempt(context.Context, storage.Attempt) error { return nil }

func newThrottle(attempts throttle.Attempts) *throttle.Throttle {
	return throttle.New(throttle.Config{
		Limiter: memstore.NewLimiter(0, time.Now), Attempts: attempts, Gate: password.NewGate(1, time.Minute), Key: make([]byte, 32),
		AttackFailures: 300, Refuse: func(time.Duration) error { return errWait }, Log: slog.New(slog.DiscardHandler),
	})
}

var home = storage.Client{IP: netip.MustParseAddr("192.0.2.1")}

// An attempt that does not begin leaves its place, or a few of them would shut the user out.
func TestAttemptThatDoesNotBeginLeavesItsPlace(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		counts answers
		want   error
	}{
		{answers{Attempts: storage.Attempts{Wait: time.Hour}}, errWait},
		{answers{err: broken}, broken},
	} {
		counts := test.counts
		limits := newThrottle(&counts)
		session, now := storage.Session{ID: uuid.New(), UserID: uuid.New()}, time.Now()
		for range 2 * throttle.MaxAccountPlaces {
			if _, err := limits.BeginCurrentPassword(t.Context(), session, home, now, now.Add(time.Hour)); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		}
		counts = answers{Attempts: storage.Attempts{Charged: true}}
		for i := range throttle.MaxAccountPlaces {
			attempt, err := limits.BeginCurrentPassword(t.Context(), session, home, now, now.Add(time.Hour))
			if err != nil {
				t.Fatalf("attempt %d after refusals: %v", i, err)
			}
			defer attempt.Leave()
		}
	}
}

// A device that may not try waits among strangers, where the account has places of its own.
func TestDeviceBeyondItsLimitIsAStranger(t *testing.T) {
	limits, now := newThrottle(&answers{Attempts: storage.Attempts{Charged: true}}), time.Now()
	d := &throttle.Device{ID: "laptop", UserID: uuid.New(), ExpiresAt: now.Add(time.Hour)}
	held := 0
	for i := range 100 {
		attempt, err := limits.EnterLogIn("mira", d, home)
		if err != nil {
			t.Fatal(err)
		}
		err = attempt.Charge(t.Context(), throttle.Account{Exists: true, Device: d}, now)
		switch {
		case err == nil && attempt.OnKnownDevice():
			attempt.Leave()
		case err == nil:
			held++ // with a place of the account's, until the test ends
			defer attempt.Leave()
		case held < throttle.MaxAccountPlaces || !errors.Is(err, errWait):
			t.Fatalf("attempt %d: %v with %d held", i, err, held)
		default:
			attempt.Leave()
			return
		}
	}
	t.Errorf("%d logins as a stranger hold places at once, want %d at most", held, throttle.MaxAccountPlaces)
}
