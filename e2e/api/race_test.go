package api_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each request of these tests is one of many that start at once, and only one
// of them may have its way.

func TestOneOfManySignUpsWins(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		username := newName()
		outcomes := atOnce(t, 50, func(int) (answer, error) {
			return c.insist("POST", "/auth/signup", credentials(username, testPassword))
		})
		wantOutcomes(t, outcomes, map[outcome]int{{http.StatusCreated, ""}: 1, {http.StatusConflict, "username_taken"}: 49})
		c.logIn(username)
	})
}

func TestOneOfManyReplaysOfAnAssertionWins(t *testing.T) { // A30
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		token := c.signedIn()
		response := c.get(c.enrol(token), c.stepUpOptions(token))
		paths := []string{"/passkeys/authenticate/verify", "/passkeys/auth/verify"}
		outcomes := atOnce(t, 64, func(i int) (answer, error) {
			return c.try("POST", paths[i%2], response, bearer(token))
		})
		wantOutcomes(t, outcomes, map[outcome]int{{http.StatusCreated, ""}: 1, {http.StatusBadRequest, "challenge_expired"}: 63})
	})
}

func TestOneOfManyReplaysOfARegistrationWins(t *testing.T) { // R70
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		token := c.signedIn()
		response := c.create(newDevice(), c.registerOptions(token))
		outcomes := atOnce(t, 50, func(int) (answer, error) {
			return c.try("POST", "/passkeys/register/verify", response, bearer(token))
		})
		wantOutcomes(t, outcomes, map[outcome]int{{http.StatusCreated, ""}: 1, {http.StatusBadRequest, "challenge_expired"}: 49})
	})
}

// An account without a passkey takes its first one at level password. Of several
// that race, each from a session of its own, the losers need a step-up.
func TestOneOfManyFirstPasskeysWins(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		username := c.newUser()
		var tokens []string
		var responses [][]byte
		for range 8 {
			token := c.logIn(username)
			tokens = append(tokens, token)
			responses = append(responses, c.create(newDevice(), c.registerOptions(token)))
		}
		outcomes := atOnce(t, 8, func(i int) (answer, error) {
			return c.try("POST", "/passkeys/register/verify", responses[i], bearer(tokens[i]))
		})
		wantOutcomes(t, outcomes, map[outcome]int{{http.StatusCreated, ""}: 1, {http.StatusForbidden, "step_up_required"}: 7})
		var options struct{ AllowCredentials []any }
		answer{body: c.stepUpOptions(tokens[0])}.decode(t, &options)
		if len(options.AllowCredentials) != 1 {
			t.Errorf("%d passkeys, want 1", len(options.AllowCredentials))
		}
	})
}

// Two users race for one credential id.
func TestOneOfTwoOwnersOfAPasskeyWins(t *testing.T) { // R75
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		for range 10 {
			a, b := c.signedIn(), c.signedIn()
			device := newDevice()
			tokens := []string{a, b}
			responses := [][]byte{c.create(device, c.registerOptions(a)), c.createAgain(newDevice(), c.registerOptions(b), device)}
			outcomes := atOnce(t, 2, func(i int) (answer, error) {
				return c.try("POST", "/passkeys/register/verify", responses[i], bearer(tokens[i]))
			})
			wantOutcomes(t, outcomes, map[outcome]int{{http.StatusCreated, ""}: 1, {http.StatusConflict, "passkey_exists"}: 1})
		}
	})
}

type outcome struct {
	status int
	code   string
}

// atOnce calls send n times from as many goroutines.
func atOnce(t *testing.T, n int, send func(i int) (answer, error)) map[outcome]int {
	t.Helper()
	outcomes := map[outcome]int{}
	var mu sync.Mutex
	var senders sync.WaitGroup
	ready := make(chan struct{})
	for i := range n {
		senders.Go(func() {
			<-ready
			a, err := send(i)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			outcomes[outcome{a.status, a.code()}]++
		})
	}
	close(ready)
	senders.Wait()
	return outcomes
}

func wantOutcomes(t *testing.T, got, want map[outcome]int) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}
