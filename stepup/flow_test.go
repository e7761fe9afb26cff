package stepup_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/stepup"
)

func TestPageIsReachedWithAPasskey(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		c, _ := a.signIn("42")
		a.want("without a passkey", c, c.Get("/payouts"), http.StatusOK, `data-state="enrol"`)
		c.Enrol()
		a.want("with one", c, c.Get("/payouts?month=9"), http.StatusOK, "payouts")
		a.clock.Advance(10*time.Minute + time.Second)
		other := a.browserWith("nobody's")
		a.want("nobody", other, other.Do(navigation(a, "/payouts")), http.StatusSeeOther, "")
		c.Refuse()
		a.want("after the proof has expired", c, c.Get("/payouts"), http.StatusOK, "Your last verification is over 10 minutes old.")
	})
}

func navigation(a *app, path string) *http.Request {
	r, err := http.NewRequest(http.MethodGet, a.url+path, nil)
	if err != nil {
		a.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	return r
}

func TestPostedFormSurvives(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		c, _ := a.signIn("42")
		c.Enrol()
		form := url.Values{"amount": {"100"}, "to": {"Ada", "Bob~*"}, "submit": {""}}
		a.want("posted", c, c.PostForm("/payouts", form), http.StatusOK, "payouts amount=100")
		if paid := a.payments(); !slices.Equal(paid, []string{"amount=100&submit=&to=Ada&to=Bob%7E*"}) {
			t := a.TB
			t.Errorf("paid %q", paid)
		}
	})
}

func TestActionIsConfirmedOnce(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		c, _ := a.signIn("42")
		c.Enrol()
		c.Verify("payout")
		form := url.Values{"amount": {"100"}, "to": {"Ada"}}
		for range 2 {
			a.want("an action", c, c.PostForm("/transfer", form), http.StatusOK, "payouts amount=100")
		}
		if n := len(a.payments()); n != 2 {
			a.Errorf("%d payments, want 2, each with a verification of its own", n)
		}
		c.Refuse()
		answer := c.PostForm("/transfer", form)
		a.want("without one", c, answer, http.StatusUnauthorized, "<dt>Amount</dt><dd>100</dd>")
	})
}

func TestManageListsPasskeys(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		c, _ := a.signIn("42")
		a.want("none", c, c.Get("/settings"), http.StatusOK, "You have no passkey yet.")
		c.Enrol()
		a.want("one", c, c.Get("/settings"), http.StatusOK, "Chrome on Linux")
		list, err := a.kit.Passkeys(a.Context(), "42")
		if err != nil || len(list) != 1 || list[0].Name != "Chrome on Linux" {
			a.Errorf("Passkeys: %+v, %v", list, err)
		}
	})
}

// Each mode for a user without a passkey, and the day after it ends.
func TestModesForAUserWithoutAPasskey(t *testing.T) {
	for _, test := range []struct {
		mode               stepup.Mode
		page, post, later  string
		statusPost, status int
	}{
		{stepup.Required, `data-state="enrol"`, `data-state="enrol"`, `data-state="enrol"`, 401, 200},
		{stepup.Offered, `data-state="offer"`, "payouts ", `data-state="enrol"`, 200, 200},
		{stepup.Shadow, "payouts ", "payouts ", `data-state="enrol"`, 200, 200},
	} {
		t.Run(test.mode.String(), func(t *testing.T) {
			var until time.Time
			onBoth(t, func(c *stepup.Config) {
				c.Purposes[0].Mode = test.mode
				if test.mode != stepup.Required {
					until = c.Clock().Add(24 * time.Hour)
					c.Purposes[0].Until = until
				}
			}, func(a *app) {
				c, cookie := a.signIn("42")
				a.want("a page", c, c.Get("/payouts"), test.status, test.page)
				a.want("a post", c, c.PostForm("/payouts", url.Values{"a": {"1"}}), test.statusPost, test.post)
				if test.mode == stepup.Offered {
					if answer := c.Call("/_stepkey/skip", struct{}{}); answer.StatusCode != http.StatusOK {
						a.Fatalf("skip: %s", c.Body(answer))
					}
					a.want("after it was declined", c, c.Get("/payouts"), 200, "payouts ")
				}
				a.clock.Advance(24 * time.Hour)
				id := a.identity(cookie)
				id.SignedInAt = a.clock.Now() // so that the password is fresh
				a.setIdentity(cookie, &id)
				a.want("the day after", c, c.Get("/payouts"), 200, test.later)
			})
		})
	}
}

func TestScriptsGetAProblem(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		c, _ := a.signIn("42")
		c.Enrol()
		answer := c.Call("/payouts", map[string]string{"amount": "100"})
		a.want("a script", c, answer, http.StatusUnauthorized, `"code":"step_up_required"`)
		if got := answer.Header.Get("WWW-Authenticate"); !strings.Contains(got, "insufficient_user_authentication") || !strings.Contains(got, "max_age=600") {
			a.Errorf("WWW-Authenticate: %q", got)
		}
		c.Verify("payout")
		a.want("after a verification", c, c.Call("/payouts", map[string]string{"amount": "100"}), http.StatusOK, `payouts {"amount":"100"}`)
	})
}
