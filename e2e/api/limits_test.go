package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stepkey/stepkey/internal/redistest"
)

// Tries are counted over all instances, wherever the counts are kept.

// trustLocalhost lets a test say where a request comes from.
const trustLocalhost = "STEPKEY_TRUSTED_PROXIES=127.0.0.1/32,::1/128"

var lastAddress atomic.Uint32

// elsewhere makes a request come from an address that none came from before.
func elsewhere(r *http.Request) {
	n := lastAddress.Add(1)
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("203.%d.%d.1", n>>8, n&0xff))
}

func onEachLimiter(t *testing.T, test func(t *testing.T, c *cluster)) {
	t.Run("postgres", func(t *testing.T) { test(t, startCluster(t, "STEPKEY_LIMITS=on", trustLocalhost)) })
	t.Run("redis", func(t *testing.T) {
		redis := redistest.New(t, redistest.Options{})
		test(t, startCluster(t, "STEPKEY_LIMITS=on", trustLocalhost, "REDIS_URL="+redis.URL()))
	})
}

const wrongPassword = "not the password of anybody"

func (c *client) guess(username string, edits ...edit) answer {
	return c.do("POST", "/auth/login", credentials(username, wrongPassword), edits...)
}

func TestFailuresAreCountedOverTwoInstances(t *testing.T) {
	onEachLimiter(t, func(t *testing.T, c *cluster) {
		username := c.a.newUser()
		known := c.a.do("POST", "/auth/login", credentials(username, testPassword))
		for i := range 10 {
			c.clients()[i%2].guess(username, elsewhere).wantProblem(t, http.StatusUnauthorized, "unauthorized")
			c.clients()[i%2].guess("nobody", elsewhere).wantProblem(t, http.StatusUnauthorized, "unauthorized")
		}
		var refused []string
		for _, client := range c.clients() {
			for _, name := range []string{username, "nobody"} {
				a := client.do("POST", "/auth/login", credentials(name, testPassword), elsewhere)
				a.wantProblem(t, http.StatusTooManyRequests, "rate_limited")
				refused = append(refused, strings.ReplaceAll(string(a.body), name, ""))
			}
		}
		if len(slices.Compact(refused)) != 1 {
			t.Errorf("refusals tell who exists: %s", refused)
		}

		// The owner's own device is known to the other instance as well.
		cookie := known.header.Get("Set-Cookie")
		name, _, _ := strings.Cut(cookie, ";")
		c.b.do("POST", "/auth/login", credentials(username, testPassword), header("Cookie", name), elsewhere).want(t, http.StatusCreated)
	})
}

func TestRightPasswordsAreCountedOverTwoInstances(t *testing.T) {
	onEachLimiter(t, func(t *testing.T, c *cluster) {
		username := c.a.newUser()
		known := c.a.do("POST", "/auth/login", credentials(username, testPassword))
		signedIn := 1
		for ; signedIn < 60; signedIn++ { // one comes back every six seconds
			a := c.clients()[signedIn%2].do("POST", "/auth/login", credentials(username, testPassword), elsewhere)
			if a.status != http.StatusCreated {
				a.wantProblem(t, http.StatusTooManyRequests, "rate_limited")
				break
			}
		}
		if signedIn < 30 || signedIn == 60 {
			t.Errorf("%d sign-ins from unknown devices, want 30 at once", signedIn)
		}
		cookie, _, _ := strings.Cut(known.header.Get("Set-Cookie"), ";")
		c.b.do("POST", "/auth/login", credentials(username, testPassword), header("Cookie", cookie), elsewhere).want(t, http.StatusCreated)
	})
}

func TestSignUpsAreCountedOverTwoInstances(t *testing.T) {
	onEachLimiter(t, func(t *testing.T, c *cluster) {
		for i := range 5 {
			body := credentials(fmt.Sprintf("user%d", i), testPassword)
			c.clients()[i%2].do("POST", "/auth/signup", body).want(t, http.StatusCreated)
		}
		for _, client := range c.clients() {
			client.do("POST", "/auth/signup", credentials("user6", testPassword)).wantProblem(t, http.StatusTooManyRequests, "rate_limited")
		}
	})
}

// Nobody is let through because of where he seems to come from, and a header of the
// client's own is no address.
func TestNoAddressIsExempt(t *testing.T) {
	t.Parallel()
	c := newClient(t, start(t, "STEPKEY_LIMITS=on"))
	var codes []int
	for i := range 25 {
		forged := header("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i))
		codes = append(codes, c.guess(fmt.Sprintf("user%d", i), forged).status)
	}
	if slices.Contains(codes[:20], 429) || !slices.Contains(codes, 429) {
		t.Errorf("25 guesses at 25 names from localhost, each with another X-Forwarded-For: %v", codes)
	}
}
