package api_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kids are the ids of the published keys.
func (c *client) kids() []string {
	c.t.Helper()
	var set struct{ Keys []struct{ Kid string } }
	c.do("GET", "/.well-known/jwks.json", nil).want(c.t, http.StatusOK).decode(c.t, &set)
	var ids []string
	for _, key := range set.Keys {
		ids = append(ids, key.Kid)
	}
	slices.Sort(ids)
	return ids
}

// kidOf is the id of the key that signed a token, or nothing.
func kidOf(token string) string {
	head, _, _ := strings.Cut(token, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(head)
	var members struct{ Kid string }
	_ = json.Unmarshal(raw, &members)
	return members.Kid
}

// rotated has a second key published beside the first, and returns both.
func (cl *cluster) rotated(t *testing.T) (current, next string) {
	t.Helper()
	before := cl.a.kids()
	if diff := cmp.Diff(before, cl.b.kids()); diff != "" || len(before) != 1 {
		t.Fatalf("two instances publish different keys, or not one:\n%s", diff)
	}
	cl.servers[0].admin(t, "key", "rotate")
	cl.servers[1].admin(t, "key", "rotate") // one is waiting already
	for _, c := range cl.clients() {
		eventually(t, "a second key is published", func() bool { return len(c.kids()) == 2 })
	}
	both := cl.a.kids()
	if diff := cmp.Diff(both, cl.b.kids()); diff != "" {
		t.Errorf("two instances publish different keys:\n%s", diff)
	}
	others := slices.DeleteFunc(slices.Clone(both), func(kid string) bool { return kid == before[0] })
	if len(others) != 1 {
		t.Fatalf("%v after %v", both, before)
	}
	return before[0], others[0]
}

// A key is published before it signs and accepted after it has stopped, so that
// nobody is refused, at either of two instances that change over in their own
// time.
func TestKeyRotationUnderLoad(t *testing.T) {
	cl := startCluster(t)
	current, next := cl.rotated(t)
	for _, c := range cl.clients() {
		if token := c.signedIn(); kidOf(token) != current {
			t.Error("a key signs that was just published")
		} else {
			cl.a.profile(token).want(t, http.StatusOK)
			cl.b.profile(token).want(t, http.StatusOK)
		}
	}
	load := startLoad(t, cl)
	eventually(t, "tokens are minted and verified", func() bool { return load.of(current) > 50 })
	cl.db.exec(`UPDATE signing_keys SET activates_at = activates_at - interval '20 minutes'`)
	eventually(t, "both instances sign with the next key", func() bool {
		return kidOf(cl.a.refreshed(load.spare)) == next && kidOf(cl.b.refreshed(load.spare)) == next
	})
	since := load.of(next)
	eventually(t, "tokens of the next key are minted and verified", func() bool { return load.of(next) > since+50 })
	load.stop()
	t.Logf("minted and verified on both instances: %d with the old key, %d with the new one", load.of(current), load.of(next))
}

// refreshed returns an access token of the session whose refresh token is in kept.
func (c *client) refreshed(kept *string) (accessToken string) {
	c.t.Helper()
	granted := c.refresh(*kept).tokens(c.t, http.StatusOK)
	*kept = granted.RefreshToken
	return granted.AccessToken
}

// load is people who refresh and use their tokens at both instances.
type load struct {
	minted  sync.Map // kid -> *atomic.Int64
	stopped atomic.Bool
	people  sync.WaitGroup
	spare   *string // a refresh token that is nobody's
}

func (l *load) of(kid string) int64 {
	n, _ := l.minted.LoadOrStore(kid, new(atomic.Int64))
	return n.(*atomic.Int64).Load()
}

func (l *load) count(kid string) {
	n, _ := l.minted.LoadOrStore(kid, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
}

func (l *load) stop() {
	l.stopped.Store(true)
	l.people.Wait()
}

func startLoad(t *testing.T, cl *cluster) *load {
	t.Helper()
	spare := cl.a.keptAlive(cl.a.newUser()).RefreshToken
	l := &load{spare: &spare}
	for range 4 {
		granted := cl.a.keptAlive(cl.a.newUser())
		l.people.Go(func() { l.live(t, cl, granted) })
	}
	t.Cleanup(l.stop)
	return l
}

// live refreshes at one instance after the other, and uses the first token and
// the newest one at both. Nothing of it may be refused.
func (l *load) live(t *testing.T, cl *cluster, granted tokens) {
	first := granted.AccessToken
	for i := 0; !l.stopped.Load(); i++ {
		a, err := cl.clients()[i%2].try("POST", "/auth/refresh", m{"refreshToken": granted.RefreshToken})
		if err != nil || a.status != http.StatusOK || json.Unmarshal(a.body, &granted) != nil {
			t.Errorf("refresh: %v, %d %s", err, a.status, a.body)
			return
		}
		for _, token := range []string{first, granted.AccessToken} {
			for _, c := range cl.clients() {
				a, err := c.try("GET", "/users/profile", nil, bearer(token))
				if err != nil || a.status != http.StatusOK {
					t.Errorf("profile with key %s: %v, %d %s", kidOf(token), err, a.status, a.body)
					return
				}
			}
		}
		l.count(kidOf(granted.AccessToken))
		time.Sleep(5 * time.Millisecond) // there are other tests
	}
}

// Tokens of a revoked key are refused; signing in goes on.
func TestKeyRevokedBesideTwoInstances(t *testing.T) {
	cl := startCluster(t)
	username := cl.a.newUser()
	before := cl.a.keptAlive(username)
	revoked := kidOf(before.AccessToken)
	cl.b.profile(before.AccessToken).want(t, http.StatusOK)
	cl.servers[0].admin(t, "key", "revoke", revoked)
	for _, c := range cl.clients() {
		eventually(t, "tokens of the revoked key are refused", func() bool {
			c.logIn(username)
			return c.refused(before.AccessToken)
		})
	}
	var after []string
	for _, c := range cl.clients() {
		if slices.Contains(c.kids(), revoked) {
			t.Error("the revoked key is still published")
		}
		after = append(after, c.logIn(username), c.refreshed(&before.RefreshToken))
	}
	if diff := cmp.Diff(cl.a.kids(), cl.b.kids()); diff != "" {
		t.Errorf("two instances publish different keys:\n%s", diff)
	}
	for _, token := range after {
		cl.a.profile(token).want(t, http.StatusOK)
		cl.b.profile(token).want(t, http.StatusOK)
		if kidOf(token) == revoked {
			t.Error("a revoked key signs")
		}
	}
}
