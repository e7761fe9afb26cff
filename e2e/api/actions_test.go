package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func payout() m {
	return m{"action": m{"name": "payout", "parameters": m{"amount": "100"}}}
}

func (c *client) actionOptions(token string, body any) answer {
	c.t.Helper()
	return c.do("POST", "/passkeys/authenticate/options", body, bearer(token))
}

// A passkey verified for an action yields a proof of that and raises nothing.
func TestAction(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		username := c.newUser()
		device := c.enrol(c.logIn(username))
		granted := c.keptAlive(username)
		token := granted.AccessToken
		response := c.get(device, c.actionOptions(token, payout()).want(t, http.StatusOK).body)
		a := c.finishStepUp(token, response).want(t, http.StatusCreated)
		var members map[string]any
		a.decode(t, &members)
		action, _ := members["actionToken"].(string)
		if diff := cmp.Diff(m{"actionToken": action, "expiresIn": 60.0}, members); diff != "" || action == "" {
			t.Errorf("members (-want +got):\n%s", diff)
		}
		claims := claimsOf(t, action)
		act, _ := claims["act"].(map[string]any)
		if act["name"] != "payout" || claims["sid"] != sessionOf(t, token) || claims["exp"].(float64)-claims["iat"].(float64) != 60 {
			t.Errorf("claims %v", claims)
		}

		c.finishStepUp(token, response).wantProblem(t, 400, "challenge_expired")
		wantRefused(t, c, action)
		c.wantLevel(t, "password", token)
		c.wantLevel(t, "password", c.refresh(granted.RefreshToken).tokens(t, http.StatusOK).AccessToken)
		c.wantLevel(t, "full", c.stepUp(token, device))
	})
}

func (c *client) wantLevel(t *testing.T, level, token string) {
	t.Helper()
	var profile struct{ AuthLevel string }
	c.profile(token).want(t, http.StatusOK).decode(t, &profile)
	if profile.AuthLevel != level {
		t.Errorf("the token is at level %s, want %s", profile.AuthLevel, level)
	}
	for _, s := range c.sessions(t, token) {
		if s.Current && s.AuthLevel != level {
			t.Errorf("the session is at level %s, want %s", s.AuthLevel, level)
		}
	}
}

func TestMalformedActions(t *testing.T) {
	c := newClient(t, start(t))
	token := c.signedIn()
	c.enrol(token)
	many := m{}
	for i := range 17 {
		many[fmt.Sprint(i)] = "x"
	}
	for name, action := range map[string]any{
		"a text":                 "payout",
		"a number":               1,
		"an array":               []any{m{"name": "payout"}},
		"no name":                m{},
		"name empty":             m{"name": ""},
		"name null":              m{"name": nil},
		"name a number":          m{"name": 1},
		"name in capitals":       m{"name": "Payout"},
		"name in another case":   m{"Name": "payout"},
		"name with a space":      m{"name": "pay out"},
		"name of 65 characters":  m{"name": strings.Repeat("a", 65)},
		"parameters a text":      m{"name": "payout", "parameters": "x"},
		"parameters an array":    m{"name": "payout", "parameters": []any{"x"}},
		"parameter a number":     m{"name": "payout", "parameters": m{"amount": 100}},
		"parameter an object":    m{"name": "payout", "parameters": m{"amount": m{}}},
		"parameter without name": m{"name": "payout", "parameters": m{"": "x"}},
		"name of 65 bytes":       m{"name": "payout", "parameters": m{strings.Repeat("a", 65): "x"}},
		"value of 1025 bytes":    m{"name": "payout", "parameters": m{"amount": strings.Repeat("a", 1025)}},
		"17 parameters":          m{"name": "payout", "parameters": many},
	} {
		t.Run(name, func(t *testing.T) {
			c.actionOptions(token, m{"action": action}).wantProblem(t, 400, "invalid_request")
		})
	}
	for name, body := range map[string]string{
		"not JSON":        `{"action":`,
		"action twice":    `{"action":{"name":"a"},"action":{"name":"b"}}`,
		"name twice":      `{"action":{"name":"a","name":"b"}}`,
		"parameter twice": `{"action":{"name":"a","parameters":{"x":"1","x":"2"}}}`,
		"another case":    `{"Action":{"name":"a"}}`,
		"an array":        `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			c.actionOptions(token, body).wantProblem(t, 400, "invalid_request")
		})
	}
	form := header("Content-Type", "application/x-www-form-urlencoded")
	c.do("POST", "/passkeys/authenticate/options", "action=payout", bearer(token), form).
		wantProblem(t, 415, "unsupported_media_type")
	c.actionOptions(token, payout()).want(t, http.StatusOK)
	c.actionOptions(token, m{}).want(t, http.StatusOK)
}
