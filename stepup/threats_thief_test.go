package stepup_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/stepup"
)

// Row: a password thief adds a second passkey.
func TestThreatPasswordThiefAddsASecondPasskey(t *testing.T) {
	onBothWays(t, nil, func(a *app) {
		owner := a.owner("42")
		thief := a.arrives("42")
		id := owner.passkeyID()
		refused := func(who string, p person) {
			a.Helper()
			for _, call := range []struct {
				path string
				body any
			}{
				{"add/begin", struct{}{}},
				{"passkeys/" + id, map[string]any{"name": "mine"}},
				{"passkeys/" + id, map[string]any{"delete": true, "last": true}},
				{"codes", struct{}{}},
			} {
				a.wantCode(who+": "+call.path, p.Client, p.Call("/_stepkey/"+call.path, call.body), http.StatusUnauthorized, "step_up_required")
			}
		}
		refused("the password alone", thief)
		owner.verifies()
		refused("while the owner has verified", thief)
		a.clock.Advance(6 * time.Minute)
		begun := owner.elsewhere()
		begun.verifies()
		begun.device = thief.device
		response := begun.created()
		a.clock.Advance(4*time.Minute + time.Second)
		refused("a proof older than 10 minutes", owner)
		a.clock.Advance(6 * time.Minute)
		answer := begun.Call("/_stepkey/add/finish", response)
		if answer.StatusCode == http.StatusOK {
			a.Errorf("a registration under way was finished with an old proof")
		}
		a.wantCode("another session finishes", thief.Client, thief.Call("/_stepkey/add/finish", response), http.StatusBadRequest, "")
		if got := owner.passkeyID(); got != id {
			a.Errorf("the passkey is %s, want %s", got, id)
		}
	})
}

// Row: a cookie thief adds the first passkey.
func TestThreatCookieThiefAddsTheFirstPasskey(t *testing.T) {
	onBothWays(t, func(c *stepup.Config) {
		c.Enrol = stepup.Factor("totp").Within(5 * time.Minute)
		c.Prove = map[stepup.Factor]string{"totp": "/totp?next="}
	}, func(a *app) {
		thief := a.arrives("42")
		prove := func(signedInAt time.Time, proofs ...stepup.Proof) {
			id := a.identity(thief.cookie)
			id.SignedInAt, id.Proofs = signedInAt, proofs
			a.setIdentity(thief.cookie, &id)
		}
		start := a.clock.Now()
		a.wantCode("without the factor of Enrol", thief.Client, thief.Call("/_stepkey/add/begin", struct{}{}), http.StatusForbidden, "reauthentication_required")
		totp := stepup.Proof{Factor: "totp", At: start}
		prove(start, totp)
		response := thief.created()
		prove(start)
		a.wantCode("finished without it", thief.Client, thief.Call("/_stepkey/add/finish", response), http.StatusForbidden, "reauthentication_required")

		a.clock.Advance(8 * time.Minute)
		totp.At = a.clock.Now()
		prove(start, totp)
		response = thief.created()
		a.clock.Advance(2*time.Minute + time.Second)
		a.wantCode("finished 10 minutes after the password", thief.Client, thief.Call("/_stepkey/add/finish", response), http.StatusForbidden, "reauthentication_required")
		a.clock.Advance(time.Minute)
		a.wantCode("begun 11 minutes after it", thief.Client, thief.Call("/_stepkey/add/begin", struct{}{}), http.StatusForbidden, "reauthentication_required")
		prove(time.Time{}, totp)
		a.wantCode("a remembered session", thief.Client, thief.Call("/_stepkey/add/begin", struct{}{}), http.StatusForbidden, "reauthentication_required")
		prove(a.clock.Now().Add(time.Hour), totp)
		a.wantCode("a sign-in in the future", thief.Client, thief.Call("/_stepkey/add/begin", struct{}{}), http.StatusForbidden, "reauthentication_required")
	})
}

// The same row: the owner is told, again until the application took it.
func TestThreatAddedPasskeyIsTold(t *testing.T) {
	var mu sync.Mutex
	var told []stepup.Event
	failing := 0
	onBoth(t, func(c *stepup.Config) {
		told, failing = nil, 4
		c.Notify = func(_ context.Context, e stepup.Event) error {
			mu.Lock()
			defer mu.Unlock()
			if failing > 0 {
				failing--
				return errors.New("not now")
			}
			told = append(told, e)
			return nil
		}
	}, func(a *app) {
		a.owner("42")
		ctx, stop := context.WithCancel(a.Context())
		done := make(chan error)
		go func() { done <- a.kit.Run(ctx) }()
		isTold := func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.ContainsFunc(told, func(e stepup.Event) bool { return e.Kind == "passkey.registered" && e.User == "42" && e.Passkey != "" })
		}
		for deadline := time.Now().Add(patience.Long); !isTold(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				a.Fatalf("told of %+v", told)
			}
			a.clock.Advance(time.Minute)
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			a.Errorf("Run: %v", err)
		}
	})
}

// renewing gives the session a new cookie, as a framework does after a sign-in.
func renewing(a **app, fails *error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if *fails != nil {
			return *fails
		}
		cookie, err := r.Cookie("session")
		if err != nil {
			return err
		}
		id, fresh := (*a).identity(cookie.Value), cookie.Value+"+"
		(*a).setIdentity(fresh, &id)
		(*a).setIdentity(cookie.Value, nil)
		http.SetCookie(w, &http.Cookie{Name: "session", Value: fresh, Path: "/"})
		return nil
	}
}

// Row: a cookie thief rides the owner's proof.
func TestThreatCookieThiefRidesTheOwnersProof(t *testing.T) {
	var current *app
	var fails error
	onBothWays(t, func(c *stepup.Config) { fails, c.Renew = nil, renewing(&current, &fails) }, func(a *app) {
		current = a
		owner := a.owner("42")
		thief := owner.copied()
		owner.verifies()
		a.wantPass("the owner", owner.Client, true)
		a.wantPass("a cookie that was copied before", thief, false)

		other := a.arrives("42")
		other.device = owner.device
		fails = errors.New("no store")
		a.wantCode("Renew fails", other.Client, other.finish(other.asserted("")), http.StatusServiceUnavailable, "unavailable")
		fails = nil
		a.wantPass("after Renew failed", other.Client, false)
	})
	onBoth(t, func(c *stepup.Config) { c.Renew = nil }, func(a *app) {
		owner := a.owner("42")
		thief := owner.copied()
		_, action := owner.sealed("/transfer", "amount=1&to=Ada")
		a.wantCode("confirmed", owner.Client, owner.finish(owner.asserted(action)), http.StatusOK, "")
		a.want("the owner's action", owner.Client, owner.Do(a.posts("/transfer", "amount=1&to=Ada")), http.StatusOK, "payouts")
		a.want("the thief's", thief, thief.Do(a.posts("/transfer", "amount=1&to=Ada")), http.StatusUnauthorized, "data-state")
	})
}

// The same row: Renew may have ended the session that it could not renew.
func TestThreatRenewEndsTheSessionAndFails(t *testing.T) {
	var current *app
	onBoth(t, func(c *stepup.Config) {
		c.Renew = func(_ http.ResponseWriter, r *http.Request) error {
			cookie, err := r.Cookie("session")
			if err != nil {
				return err
			}
			current.setIdentity(cookie.Value, nil)
			return errors.New("half done")
		}
	}, func(a *app) {
		current = a
		owner := a.owner("42")
		id := a.identity(owner.cookie)
		a.wantCode("verifying", owner.Client, owner.finish(owner.asserted("")), http.StatusServiceUnavailable, "unavailable")
		a.setIdentity(owner.cookie, &id) // the application had it all along
		a.wantPass("a copied cookie", owner.copied(), false)
	})
}

// Row: support's Allow or a recovery code is abused.
func TestThreatAllowOrRecoveryCodeAbused(t *testing.T) {
	onBothWays(t, nil, func(a *app) {
		owner := a.owner("42")
		owner.verifies()
		var made struct{ Codes []string }
		answer := owner.Call("/_stepkey/codes", struct{}{})
		if err := json.Unmarshal([]byte(owner.Body(answer)), &made); err != nil || len(made.Codes) == 0 {
			a.Fatalf("codes: %s", owner.Body(answer))
		}
		old := owner.elsewhere()
		a.clock.Advance(10*time.Minute + time.Second)
		code := map[string]string{"code": made.Codes[0]}
		a.wantCode("a code and an old password", old.Client, old.Call("/_stepkey/recover", code), http.StatusForbidden, "reauthentication_required")
		if err := a.kit.Allow(a.Context(), "42", a.clock.Now().Add(time.Hour)); err != nil {
			a.Fatal(err)
		}
		a.wantCode("an allowance and an old password", old.Client, old.Call("/_stepkey/add/begin", struct{}{}), http.StatusUnauthorized, "step_up_required")

		one, two := a.arrives("42"), a.arrives("42")
		first, second := one.created(), two.created()
		a.wantCode("the allowance", one.Client, one.Call("/_stepkey/add/finish", first), http.StatusOK, "")
		a.wantCode("twice", two.Client, two.Call("/_stepkey/add/finish", second), http.StatusUnauthorized, "step_up_required")
		added, err := a.kit.Passkeys(a.Context(), "42")
		if err != nil || len(added) != 2 || !added[1].UsableFrom.Equal(added[1].CreatedAt.Add(24*time.Hour)) {
			a.Errorf("passkeys: %+v, %v; want the second to wait a day", added, err)
		}
		if _, err := one.device.Get(a.url, one.options("begin", map[string]string{"purpose": "payout"})); err == nil {
			a.Error("the added passkey works at once")
		}
		thief := a.arrives("42")
		a.wantCode("the code", thief.Client, thief.Call("/_stepkey/recover", code), http.StatusOK, "")
		again := a.arrives("42")
		a.wantCode("the code again", again.Client, again.Call("/_stepkey/recover", code), http.StatusForbidden, "wrong_recovery_code")
		a.wantPass("a recovered session", thief.Client, false)
		a.wantPass("the owner's proof from before", owner.Client, false)
	})
}

// Row: failing on purpose to lock the owner out.
func TestThreatFailingOnPurpose(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		owner := a.owner("42")
		owner.verifies()
		thief := owner.elsewhere()
		for i := range 11 {
			body := thief.asserted("")
			body["response"] = tampered(a, body["response"].(json.RawMessage))
			if answer := thief.finish(body); answer.StatusCode == http.StatusOK {
				a.Errorf("bad answer %d: %s", i, thief.Body(answer))
			}
			if thief.Call("/_stepkey/skip", struct{}{}).StatusCode != http.StatusOK {
				break
			}
		}
		a.wantCode("the session that failed", thief.Client, thief.Call("/_stepkey/begin", map[string]string{"purpose": "payout"}), http.StatusUnauthorized, "unauthorized")
		a.wantPass("the owner", owner.Client, true)
		another := owner.elsewhere()
		another.verifies()
	})
}
