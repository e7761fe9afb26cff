package api_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	mathrand "math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
)

// cluster is two instances with one database, one secret and one origin, as
// behind a load balancer.
type cluster struct {
	servers [2]*server
	a, b    *client
	db      database

	// settings are for one more.
	settings []string
}

func startCluster(t *testing.T, more ...string) *cluster {
	t.Helper()
	t.Parallel()
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	dsn := pgtest.NewDatabase(t)
	settings := []string{"DATABASE_URL=" + dsn, "STEPKEY_SECRET=" + base64.StdEncoding.EncodeToString(secret)}
	settings = append(settings, more...)
	first := start(t, settings...)
	settings = append(settings, "RP_ORIGIN="+first.origin)
	second := start(t, settings...)
	return &cluster{
		[2]*server{first, second}, newClient(t, first), newClient(t, second), database{t, dsn}, settings,
	}
}

func (c *cluster) clients() []*client { return []*client{c.a, c.b} }

// eventually waits for what is about to happen.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for until := time.Now().Add(patience.Long); !happened(); {
		if time.Now().After(until) {
			t.Fatalf("still not so: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// refused reports whether a guarded route turns the token away.
func (c *client) refused(token string) bool {
	c.t.Helper()
	return c.profile(token).status == http.StatusUnauthorized
}

// Twenty requests with one refresh token get one and the same successor.
func TestParallelRefreshOverTwoInstances(t *testing.T) {
	cl := startCluster(t)
	kept := cl.a.keptAlive(cl.a.newUser()).RefreshToken
	for range 10 {
		var mu sync.Mutex
		successors := map[string]bool{}
		outcomes := atOnce(t, 20, func(i int) (answer, error) {
			a, err := cl.clients()[i%2].try("POST", "/auth/refresh", m{"refreshToken": kept})
			if err != nil {
				return a, err
			}
			var granted tokens
			err = json.Unmarshal(a.body, &granted)
			mu.Lock()
			defer mu.Unlock()
			successors[granted.RefreshToken] = true
			return a, err
		})
		wantOutcomes(t, outcomes, map[outcome]int{{http.StatusOK, ""}: 20})
		if len(successors) != 1 || successors[kept] {
			t.Fatalf("%d successors of one token", len(successors))
		}
		for kept = range successors {
		}
		kept = cl.a.refresh(kept).tokens(t, http.StatusOK).RefreshToken
		kept = cl.b.refresh(kept).tokens(t, http.StatusOK).RefreshToken
	}
}

// An old refresh token that comes back ends its session, everywhere, and no other.
func TestReuseOverTwoInstances(t *testing.T) {
	cl := startCluster(t)
	username := cl.a.newUser()
	stolen, other := cl.a.keptAlive(username), cl.a.keptAlive(username)
	second := cl.a.refresh(stolen.RefreshToken).tokens(t, http.StatusOK)
	third := cl.b.refresh(second.RefreshToken).tokens(t, http.StatusOK)
	cl.a.profile(third.AccessToken).want(t, http.StatusOK)

	cl.b.refresh(stolen.RefreshToken).wantProblem(t, 401, "unauthorized")
	for _, c := range cl.clients() {
		eventually(t, "the session has ended", func() bool { return c.refused(third.AccessToken) })
		c.wantOver(t, third)
	}
	for _, c := range cl.clients() {
		c.profile(other.AccessToken).want(t, http.StatusOK)
		other = c.refresh(other.RefreshToken).tokens(t, http.StatusOK)
	}
}

// Who has the token from before a refresh gets the one from after it again, but
// never what a step-up made of it in the same moment.
func TestGraceNeverCrossesALevel(t *testing.T) {
	cl := startCluster(t)
	username := cl.a.newUser()
	device := cl.a.enrol(cl.a.logIn(username))
	for range 20 {
		granted := cl.a.keptAlive(username)
		response := cl.a.get(device, cl.a.stepUpOptions(granted.AccessToken))
		cl.a.refresh(granted.RefreshToken).want(t, http.StatusOK)
		atOnce(t, 16, func(i int) (answer, error) {
			if i == 0 {
				return cl.a.try("POST", "/passkeys/authenticate/verify", response, bearer(granted.AccessToken))
			}
			a, err := cl.clients()[i%2].try("POST", "/auth/refresh", m{"refreshToken": granted.RefreshToken})
			var again tokens
			if err == nil && json.Unmarshal(a.body, &again) == nil && again.AuthLevel == "full" {
				t.Error("the token from before the step-up yields level full")
			}
			return a, err
		})
	}
}

// One instance begins what the other one finishes.
func TestCeremoniesOverTwoInstances(t *testing.T) {
	cl := startCluster(t)
	token := cl.a.logIn(cl.b.newUser())
	device := newDevice()
	made := cl.a.create(device, cl.a.registerOptions(token))
	cl.b.finishRegistration(token, made).want(t, http.StatusCreated)
	cl.a.finishRegistration(token, made).wantProblem(t, 400, "challenge_expired")

	response := cl.a.get(device, cl.a.stepUpOptions(token))
	full := cl.b.finishStepUp(token, response).accessToken(t)
	cl.a.do("GET", "/users/histories", nil, bearer(full)).want(t, http.StatusOK)
	cl.a.finishStepUp(token, response).wantProblem(t, 400, "challenge_expired")
}

func TestEndedSessionIsRefusedByTheOtherInstance(t *testing.T) {
	cl := startCluster(t)
	username := cl.a.newUser()
	gone, stays := cl.a.keptAlive(username), cl.a.keptAlive(username)
	cl.b.profile(gone.AccessToken).want(t, http.StatusOK)
	cl.a.do("POST", "/auth/logout", nil, bearer(gone.AccessToken)).want(t, http.StatusOK)
	eventually(t, "the other instance refuses the session", func() bool { return cl.b.refused(gone.AccessToken) })
	cl.a.wantOver(t, gone)
	cl.b.wantOver(t, gone)
	cl.b.wantAlive(t, stays)
}

// A session that deletes the passkey it was stepped up with opens nothing full any more, on any instance, until another passkey is
// verified in it.
func TestDeletedPasskeysOwnSession(t *testing.T) {
	cl := startCluster(t)
	token := cl.a.logIn(cl.a.newUser())
	gone := cl.a.enrol(token)
	full := cl.a.stepUp(token, gone)
	kept := cl.a.enrol(full)
	list := cl.a.passkeys(full).Passkeys
	for _, c := range cl.clients() {
		c.do("GET", "/users/histories", nil, bearer(full)).want(t, http.StatusOK)
	}
	first := list[0]
	if first.CredentialID != base64.RawURLEncoding.EncodeToString(gone.CredentialIDs()[0]) {
		first = list[1]
	}
	cl.a.do("DELETE", "/passkeys/"+first.ID, nil, bearer(full)).want(t, http.StatusOK)

	cl.a.do("GET", "/users/histories", nil, bearer(full)).wantProblem(t, 403, "step_up_required")
	eventually(t, "the other instance refuses the token", func() bool {
		return cl.b.do("GET", "/users/histories", nil, bearer(full)).status == http.StatusForbidden
	})
	third := newClient(t, start(t, append(cl.settings, "RP_ORIGIN="+cl.servers[0].origin)...))
	third.do("GET", "/users/histories", nil, bearer(full)).wantProblem(t, 403, "step_up_required")
	for _, c := range cl.clients() {
		c.profile(full).want(t, http.StatusOK) // it is still signed in
		c.do("POST", "/account/recovery/codes", m{}, bearer(full)).wantProblem(t, 403, "step_up_required")
	}

	again := cl.b.finishStepUp(token, cl.a.get(kept, cl.b.stepUpOptions(token))).accessToken(t)
	cl.b.do("GET", "/users/histories", nil, bearer(again)).want(t, http.StatusOK)
	eventually(t, "the first instance accepts the new token", func() bool {
		return cl.a.do("GET", "/users/histories", nil, bearer(again)).status == http.StatusOK
	})
}

func TestUserDisabledBesideTwoInstances(t *testing.T) {
	cl := startCluster(t)
	username, other := cl.a.newUser(), cl.a.keptAlive(cl.a.newUser())
	granted, full := cl.a.keptAlive(username), cl.a.keptAlive(username)
	full.AccessToken = cl.a.stepUp(full.AccessToken, cl.a.enrol(full.AccessToken))
	cl.servers[0].admin(t, "user", "disable", username)
	for _, c := range cl.clients() {
		for _, token := range []string{granted.AccessToken, full.AccessToken} {
			eventually(t, "a disabled user is refused", func() bool { return c.refused(token) })
		}
		c.wantOver(t, granted)
		c.do("POST", "/auth/login", credentials(username, testPassword)).wantProblem(t, 401, "unauthorized")
		c.profile(other.AccessToken).want(t, http.StatusOK)
	}
	cl.servers[1].admin(t, "user", "enable", username)
	cl.a.wantOver(t, granted)
	cl.a.wantAlive(t, cl.b.keptAlive(username))
}

const (
	crashes   = 10
	crashKept = 8 // sessions that are being refreshed
)

// An instance that is killed between storing a refresh and answering it costs
// nobody the session: the client sends the token that it has once more, to
// any instance that answers.
func TestRefreshSurvivesCrashes(t *testing.T) {
	cl := startCluster(t)
	username := cl.a.newUser()
	var kept [crashKept]string
	for i := range kept {
		kept[i] = cl.a.keptAlive(username).RefreshToken
	}
	lost := 0
	for range crashes {
		victim := start(t, cl.settings...)
		refreshUntilKilled(t, victim, &kept)
		for i, token := range kept {
			stored := cl.db.text(`SELECT generation::text FROM sessions WHERE id = $1`, refreshSession(t, token))
			if stored != refreshGeneration(t, token) {
				lost++
			}
			granted := cl.b.refresh(token).tokens(t, http.StatusOK)
			cl.a.profile(granted.AccessToken).want(t, http.StatusOK)
			kept[i] = granted.RefreshToken
		}
	}
	t.Logf("%d of %d answers were lost after the refresh was stored", lost, crashes*crashKept)
	if lost == 0 {
		t.Error("no crash fell between storing and answering; there was nothing to see")
	}
}

// refreshUntilKilled refreshes each of kept again and again, until the server is
// killed in the middle of it. Tokens are replaced as answers arrive.
func refreshUntilKilled(t *testing.T, victim *server, kept *[crashKept]string) {
	t.Helper()
	c := newClient(t, victim)
	enough := int64(crashKept + mathrand.IntN(100))
	var answers atomic.Int64
	reached := make(chan struct{})
	var clients sync.WaitGroup
	for i := range kept {
		clients.Go(func() {
			for {
				a, err := c.try("POST", "/auth/refresh", m{"refreshToken": kept[i]})
				if err != nil {
					return // it is gone
				}
				var granted tokens
				if err := json.Unmarshal(a.body, &granted); err != nil || a.status != http.StatusOK {
					t.Errorf("refresh: %d %s", a.status, a.body)
					return
				}
				kept[i] = granted.RefreshToken
				if answers.Add(1) == enough {
					close(reached)
				}
			}
		})
	}
	select {
	case <-reached:
	case <-time.After(patience.Long):
		t.Error("too few refreshes")
	}
	victim.kill(t)
	clients.Wait()
}

// A refresh token is session, generation and a code over both.
func refreshHead(t *testing.T, token string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "rt2."))
	if err != nil || len(raw) < 24 {
		t.Fatalf("refresh token of %d bytes, %v", len(raw), err)
	}
	return raw
}

func refreshSession(t *testing.T, token string) []byte { return refreshHead(t, token)[:16] }

func refreshGeneration(t *testing.T, token string) string {
	return strconv.FormatUint(binary.BigEndian.Uint64(refreshHead(t, token)[16:24]), 10)
}
