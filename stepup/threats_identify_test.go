package stepup_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepkey/stepkey/stepup"
)

// Row: Identify changes the user midway, within one request. Each request asks once, so that what is decided, stored and
// answered is of one user.
func TestThreatUserChangesWithinARequest(t *testing.T) {
	var asked atomic.Int32
	onBoth(t, func(c *stepup.Config) {
		identify := c.Identify
		c.Identify = func(r *http.Request) (stepup.Identity, error) {
			id, err := identify(r)
			if id.User == "42" && asked.Add(1) > 1 {
				id.User = "43"
			}
			return id, err
		}
		c.Renew = func(http.ResponseWriter, *http.Request) error { return nil }
	}, func(a *app) {
		asked.Store(-1 << 20)
		a.owner("43")
		owner := a.owner("42")
		_, action := owner.sealed("/transfer", "amount=1&to=Ada")
		body := owner.asserted("")
		confirm := owner.asserted(action)
		for _, step := range []struct {
			name   string
			send   func() *http.Response
			status int
		}{
			{"a page", func() *http.Response { return owner.Do(a.posts("/payouts", "amount=1")) }, http.StatusUnauthorized},
			{"the page for a purpose", func() *http.Response {
				return owner.Do(a.request(http.MethodGet, "/_stepkey/verify?p=payout&next=/", nil, asDocument...))
			}, http.StatusOK},
			{"begin", func() *http.Response { return owner.Call("/_stepkey/begin", map[string]string{"purpose": "payout"}) }, http.StatusOK},
			{"finish", func() *http.Response { return owner.finish(body) }, http.StatusOK},
			{"a page that is met", func() *http.Response { return owner.Do(a.request(http.MethodGet, "/payouts", nil)) }, http.StatusOK},
			{"finish of an action", func() *http.Response { return owner.finish(confirm) }, http.StatusOK},
			{"the action", func() *http.Response { return owner.Do(a.posts("/transfer", "amount=1&to=Ada")) }, http.StatusOK},
			{"settings", func() *http.Response { return owner.Do(a.request(http.MethodGet, "/settings", nil)) }, http.StatusOK},
			{"codes", func() *http.Response { return owner.Call("/_stepkey/codes", struct{}{}) }, http.StatusOK},
		} {
			asked.Store(0)
			a.want(step.name, owner.Client, step.send(), step.status, "")
			if n := asked.Load(); n != 1 {
				a.Errorf("%s asked Identify %d times, want once", step.name, n)
			}
		}
	})
}

// Notify is called for three days, and then no more.
func TestNotifyIsGivenUpAfterThreeDays(t *testing.T) {
	var calls atomic.Int32
	log := &lockedBuffer{}
	onBoth(t, func(c *stepup.Config) {
		calls.Store(0)
		c.Log = slog.New(slog.NewTextHandler(log, nil))
		c.Notify = func(context.Context, stepup.Event) error { calls.Add(1); return errors.New("not now") }
	}, func(a *app) {
		a.owner("42")
		run := func(ctx context.Context) { _ = a.kit.Run(ctx) }
		a.whileRunning(run, func() bool { return calls.Load() == 1 })
		a.clock.Advance(71 * time.Hour)
		a.whileRunning(run, func() bool { return calls.Load() == 2 })
		a.clock.Advance(time.Hour)
		a.whileRunning(run, func() bool { return a.number("SELECT count(*) FROM "+table(a, "outbox")) == 0 })
		if n := calls.Load(); n != 2 || !strings.Contains(log.String(), "given up") {
			a.Errorf("called %d times, want 2; log: %s", n, log)
		}
	})
}

// Without limits, which only a loopback may have, a session may begin as often as it likes.
func TestNoLimits(t *testing.T) {
	for name, status := range map[string]int{"on": http.StatusTooManyRequests, "off": http.StatusOK} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(c *stepup.Config) { c.DangerNoLimits = name == "off" }, func(a *app) {
				owner := a.owner("42")
				last := http.StatusOK
				for range 40 {
					if last = owner.Call("/_stepkey/begin", map[string]string{"purpose": "payout"}).StatusCode; last != http.StatusOK {
						break
					}
				}
				if last != status {
					a.Errorf("answered with %d, want %d", last, status)
				}
			})
		})
	}
	config := stepup.Config{
		DB: database(t, "sqlite"), Secret: testSecret, Origins: []string{"https://shop.example"}, SignIn: "/login?next=", DangerNoLimits: true,
		Purposes: []stepup.Purpose{{Name: "payout", Rule: stepup.Passkey.Within(time.Minute)}},
	}
	if _, err := stepup.New(t.Context(), config); err == nil || !strings.Contains(err.Error(), "DangerNoLimits") {
		t.Errorf("New with a public origin: %v", err)
	}
}
