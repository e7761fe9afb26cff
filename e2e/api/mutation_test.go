package api_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// mutations is how many requests each database gets.
const mutations = 1500

// TestRandomMutations sends good requests with something in them changed at
// random, always the same ones. Other tests check the answers; here
// they only have to be in the document, and none of them may be a fault of the
// server.
func TestRandomMutations(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		random := rand.New(rand.NewPCG(1, 2))
		username := c.newUser()
		password := c.logIn(username)
		device := c.enrol(password)
		full := c.stepUp(password, device)
		good := []struct {
			path string
			body func() []byte
		}{
			{"/auth/signup", func() []byte { return must(t)(json.Marshal(credentials(newName(), testPassword))) }},
			{"/auth/login", func() []byte { return must(t)(json.Marshal(credentials(username, testPassword))) }},
			{"/passkeys/register/verify", func() []byte { return c.create(newDevice(), c.registerOptions(full)) }},
			{"/passkeys/authenticate/verify", func() []byte { return c.get(device, c.stepUpOptions(full)) }},
		}
		statuses := map[int]int{}
		added := 0
		for i := range mutations {
			// Hashing a password takes most of the time, so that fewer requests come
			// there than elsewhere.
			target := good[2+i%2]
			if i%10 == 0 {
				target = good[i/10%2]
			}
			a, err := c.try("POST", target.path, mutated(random, target.body()), bearer(full))
			if err != nil {
				t.Fatal(err)
			}
			statuses[a.status]++
			if a.status == http.StatusCreated && target.path == "/passkeys/register/verify" {
				added++
			}
			if added == 15 || a.code() == "step_up_required" {
				full, device, added = c.fresh()
			}
			if a.status == http.StatusCreated && target.path == "/passkeys/authenticate/verify" {
				var body struct{ AccessToken string }
				a.decode(t, &body)
				full = body.AccessToken
			}
		}
		t.Logf("statuses: %v", statuses)
		if statuses[http.StatusCreated] == 0 || statuses[http.StatusUnauthorized] == 0 || statuses[http.StatusBadRequest] == 0 {
			t.Error("the mutations reach too little")
		}
	})
}

// fresh returns another user at level full.
func (c *client) fresh() (full string, device *authenticator.Authenticator, added int) {
	password := c.signedIn()
	device = c.enrol(password)
	return c.stepUp(password, device), device, 0
}

// TestRandomTokens sends tokens with something in them changed at random. None
// may be taken for a good one.
func TestRandomTokens(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		random := rand.New(rand.NewPCG(3, 4))
		good := c.signedIn()
		for range mutations {
			raw := []byte(good)
			for range 1 + random.IntN(3) {
				raw = flipped(random, raw)
			}
			token := strings.Map(headerRune, string(raw))
			if token == good {
				continue
			}
			c.do("GET", "/users/profile", nil, bearer(token)).wantProblem(t, 401, "unauthorized")
		}
	})
}

// headerRune drops what no client can put into a header.
func headerRune(r rune) rune {
	if r < 0x21 || r > 0x7e {
		return -1
	}
	return r
}

// mutated changes a JSON text: its bytes, or one to three of the values in it.
func mutated(random *rand.Rand, body []byte) []byte {
	if random.IntN(4) == 0 {
		return flipped(random, body)
	}
	var value any
	if json.Unmarshal(body, &value) != nil {
		return body
	}
	for range 1 + random.IntN(3) {
		value = changed(random, value)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return body
	}
	return raw
}

// flipped changes, removes, doubles or inserts a piece.
func flipped(random *rand.Rand, raw []byte) []byte {
	if len(raw) == 0 {
		return []byte{byte(random.IntN(256))}
	}
	at := random.IntN(len(raw))
	end := min(len(raw), at+1+random.IntN(8))
	switch random.IntN(4) {
	case 0:
		raw = slices.Clone(raw)
		raw[at] ^= byte(1 << random.IntN(8))
		return raw
	case 1:
		return slices.Concat(raw[:at], raw[end:])
	case 2:
		return slices.Concat(raw[:end], raw[at:])
	default:
		return slices.Concat(raw[:at], []byte{byte(random.IntN(256))}, raw[at:])
	}
}

// changed returns value with one thing in it changed.
func changed(random *rand.Rand, value any) any {
	switch value := value.(type) {
	case map[string]any:
		if len(value) == 0 || random.IntN(20) == 0 {
			return strange(random)
		}
		names := slices.Sorted(maps.Keys(value))
		name := names[random.IntN(len(names))]
		switch random.IntN(8) {
		case 0:
			delete(value, name)
		case 1:
			value[strings.ToUpper(name)] = value[name]
		default:
			value[name] = changed(random, value[name])
		}
		return value
	case string:
		if random.IntN(3) == 0 {
			return strange(random)
		}
		return string(flipped(random, []byte(value)))
	default:
		return strange(random)
	}
}

// strange returns a value that somebody may have tried before.
func strange(random *rand.Rand) any {
	values := []any{
		nil, true, 0, -1, 1e308, 1.5, "", " ", "\x00", "\u202e", "\ufeff", "null", "undefined", "../../etc/passwd",
		"' OR 1=1 --", "<script>alert(1)</script>", "%00", "{{7*7}}", "${jndi:ldap://localhost.example}", "🔑",
		strings.Repeat("A", 20_000), strings.Repeat("A", 1366),
		[]any{},
		map[string]any{},
		[]any{nil},
		map[string]any{"$gt": ""},
		map[string]any{"toString": 1},
		[]any{[]any{[]any{[]any{}}}},
	}
	return values[random.IntN(len(values))]
}
