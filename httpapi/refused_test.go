package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/memstore"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// refusals is the API with a log, and one user with a passkey.
type refusals struct {
	*testing.T
	http.Handler
	store  *sqlstore.Store
	log    *bytes.Buffer
	device *authenticator.Authenticator
	bearer string
	userID uuid.UUID
}

func newRefusals(t *testing.T) *refusals {
	t.Helper()
	f := &refusals{T: t, log: &bytes.Buffer{}, device: authenticator.New(authenticator.Config{})}
	service := newServiceWith(t, func(c *stepkey.Config) {
		c.DangerNoLimits, c.Limiter = false, memstore.NewLimiter(0, nil)
		f.store = c.Store.(*sqlstore.Store)
	})
	f.Handler = newHandler(service, Options{Log: slog.New(slog.NewJSONHandler(f.log, nil))})
	send(f, "POST", "/auth/signup", `{"username":"mira","password":"correct horse battery"}`)
	f.bearer = "Bearer " + tokensOf(t, logInWith(f, "")).AccessToken
	f.verified("/passkeys/register/verify", f.create(f.device, authenticator.Hostile{}))
	user, err := f.store.UserByName(t.Context(), "mira")
	if err != nil {
		t.Fatal(err)
	}
	f.userID = user.ID
	f.bearer = "Bearer " + f.verified("/passkeys/authenticate/verify", f.get("/passkeys/authenticate/options", authenticator.Hostile{})).AccessToken
	return f
}

func (f *refusals) options(path string) []byte {
	f.Helper()
	r := send(f, "POST", path, "", "Authorization", f.bearer)
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		f.Fatalf("%s: %d %s, %v", path, r.StatusCode, text, err)
	}
	return text
}

func (f *refusals) create(device *authenticator.Authenticator, h authenticator.Hostile) string {
	f.Helper()
	body, err := device.CreateWith(page, f.options("/passkeys/register/options"), h)
	if err != nil {
		f.Fatal(err)
	}
	return string(body)
}

func (f *refusals) get(optionsPath string, h authenticator.Hostile) string {
	f.Helper()
	body, err := f.device.GetWith(page, f.options(optionsPath), h)
	if err != nil {
		f.Fatal(err)
	}
	return string(body)
}

func (f *refusals) verified(path, body string) tokens {
	f.Helper()
	return tokensOf(f.T, send(f, "POST", path, body, "Authorization", f.bearer))
}

func other() *authenticator.Authenticator { return authenticator.New(authenticator.Config{}) }

// refusedLines are the lines of the log about refused ceremonies, which it empties.
func (f *refusals) refusedLines() []map[string]any {
	f.Helper()
	var lines []map[string]any
	for line := range strings.Lines(f.log.String()) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			f.Fatal(err)
		}
		if members["msg"] == "ceremony refused" {
			lines = append(lines, members)
		}
	}
	f.log.Reset()
	return lines
}

// Each refusal of a registration or verification is one line with a reason, and is
// recorded for the user where the user is known.
func TestRefusedCeremoniesLeaveATrace(t *testing.T) {
	f := newRefusals(t)
	elsewhere := authenticator.Hostile{ClientData: func(m map[string]any) { m["origin"] = "https://evil.example" }}
	unverified := authenticator.Hostile{AuthenticatorData: func(d *authenticator.AuthenticatorData) { d.Flags &^= authenticator.FlagUV }}
	spoilt := authenticator.Hostile{Sign: func([]byte, func([]byte) []byte) []byte { return []byte("evil.example") }}
	challenged := authenticator.Hostile{ClientData: func(m map[string]any) { m["challenge"] = "evil" }}
	const (
		registration, registrationOptions = "/passkeys/register/verify", "/passkeys/register/options"
		stepUp, stepUpOptions             = "/passkeys/authenticate/verify", "/passkeys/authenticate/options"
		alias                             = "/passkeys/auth/verify"
		logIn, logInOptions               = "/passkeys/login/verify", "/passkeys/login/options"
	)
	bearer := []string{"Authorization", f.bearer}
	for _, test := range []struct {
		what, path, body string
		headers          []string
		status           int
		ceremony, reason string
		known            bool
	}{
		{"not JSON", registration, "evil.example", bearer, 400, "registration", "invalid_request", true},
		{"another shape", registration, `{"id":7,"x":"evil.example"}`, bearer, 400, "registration", "invalid_request", true},
		{"not JSON", stepUp, "evil.example", bearer, 400, "step_up", "invalid_request", true},
		{"not JSON", logIn, "evil.example", nil, 400, "log_in", "invalid_request", false},
		{"no response", registration, `{}`, bearer, 400, "registration", "client_data", true},
		{"no response", stepUp, `{}`, bearer, 400, "step_up", "client_data", true},
		{"no response", logIn, `{}`, nil, 400, "log_in", "envelope", false},
		{"no JSON type", registration, `{}`, append([]string{"Content-Type", "text/plain"}, bearer...), 415, "registration", "unsupported_media_type", true},
		{"too large", registration, strings.Repeat(" ", 40<<10), bearer, 413, "registration", "payload_too_large", true},
		{"bad challenge", registration, f.create(other(), challenged), bearer, 400, "registration", "challenge_expired", true},
		{"bad challenge", stepUp, f.get(stepUpOptions, challenged), bearer, 400, "step_up", "challenge_expired", true},
		{"bad challenge", logIn, f.get(logInOptions, challenged), nil, 400, "log_in", "challenge_expired", false},
		{"another origin", registration, f.create(other(), elsewhere), bearer, 401, "registration", "origin", true},
		{"another origin", stepUp, f.get(stepUpOptions, elsewhere), bearer, 401, "step_up", "origin", true},
		{"another origin", logIn, f.get(logInOptions, elsewhere), nil, 401, "log_in", "origin", true},
		{"no PIN", registration, f.create(other(), unverified), bearer, 401, "registration", "user_verification", true},
		{"no PIN, the original's path", alias, f.get(stepUpOptions, unverified), bearer, 401, "step_up", "user_verification", true},
		{"bad signature", logIn, f.get(logInOptions, spoilt), nil, 401, "log_in", "signature", true},
		{"no token", registration, `{}`, nil, 401, "registration", "no_token", false},
		{"no token", stepUp, `{}`, nil, 401, "step_up", "no_token", false},
		{"a forged token", stepUp, `{}`, []string{"Authorization", "Bearer evil.example"}, 401, "step_up", "token_malformed", false},
		{"the cookie from elsewhere", logIn, `{"refresh":"cookie"}`, nil, 403, "log_in", "cross_site", false},
	} {
		what := test.path + ", " + test.what
		f.log.Reset()
		r := send(f, "POST", test.path, test.body, test.headers...)
		text := f.log.String()
		if strings.Contains(text, "evil") {
			t.Errorf("%s: the log has what the client sent: %s", what, text)
		}
		lines := f.refusedLines()
		if r.StatusCode != test.status || len(lines) != 1 {
			t.Errorf("%s: %d with %d lines, want %d with one: %s", what, r.StatusCode, len(lines), test.status, text)
			continue
		}
		line := lines[0]
		user, known := line["user"]
		if line["ceremony"] != test.ceremony || line["reason"] != test.reason || line["status"] != float64(test.status) ||
			line["request"] != r.Header.Get("X-Request-Id") || known != test.known || (known && user != f.userID.String()) {
			t.Errorf("%s: %v, want %s and %s", what, line, test.ceremony, test.reason)
		}
		if !test.known {
			continue
		}
		recorded, err := f.store.RefusedCeremonies(t.Context(), f.userID)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, c := range recorded {
			found = found || string(c.Ceremony) == test.ceremony && c.Reason == test.reason && c.RequestID == r.Header.Get("X-Request-Id")
		}
		if !found {
			t.Errorf("%s: not among %+v", what, recorded)
		}
	}
}

// The export includes recorded refusals.
func TestRefusedCeremoniesAreExported(t *testing.T) {
	f := newRefusals(t)
	refused := func() (export struct{ RefusedCeremonies []exportedRefusal }) {
		t.Helper()
		if err := json.NewDecoder(send(f, "GET", "/account/export", "", "Authorization", f.bearer).Body).Decode(&export); err != nil {
			t.Fatal(err)
		}
		return export
	}
	if got := refused().RefusedCeremonies; got == nil || len(got) != 0 {
		t.Errorf("at first: %+v, want an empty list", got)
	}
	send(f, "POST", "/passkeys/authenticate/verify", `{}`, "Authorization", f.bearer)
	got := refused().RefusedCeremonies
	if len(got) != 1 || got[0].Ceremony != stepkey.PurposeStepUp || got[0].Reason != "client_data" || got[0].Times != 1 || got[0].LastAt.IsZero() {
		t.Errorf("%+v, want one step-up", got)
	}
}

// A success, or a request that is no ceremony, writes no line.
func TestOnlyRefusedCeremoniesAreLogged(t *testing.T) {
	f := newRefusals(t)
	f.verified("/passkeys/register/verify", f.create(other(), authenticator.Hostile{}))
	f.verified("/passkeys/authenticate/verify", f.get("/passkeys/authenticate/options", authenticator.Hostile{}))
	f.verified("/passkeys/login/verify", f.get("/passkeys/login/options", authenticator.Hostile{}))
	send(f, "POST", "/passkeys/register/options", "")
	send(f, "POST", "/auth/login", `{"username":"mira","password":"wrong horse battery"}`)
	send(f, "GET", "/passkeys/register/verify", "")
	if lines := f.refusedLines(); len(lines) != 0 {
		t.Errorf("%v, want no line", lines)
	}
}
