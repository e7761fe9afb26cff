package api_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// Whether a user exists must not show in a single byte of the answer, nor in
// the order of its headers (ASVS 6.3.8). The time is measured elsewhere.
func TestLogInTellsNothingAboutWhoExists(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		known := c.newUser()
		for _, tt := range []struct{ name, body string }{
			{"wrong password", `{"username":%q,"password":"something else entirely"}`},
			{"empty password", `{"username":%q,"password":""}`},
			{"short password", `{"username":%q,"password":"x"}`},
			{"common password", `{"username":%q,"password":"password1"}`},
			{"password too long", `{"username":%q,"password":"` + strings.Repeat("x", 1025) + `"}`},
			{"password a number", `{"username":%q,"password":123}`},
			{"password null", `{"username":%q,"password":null}`},
			{"password an object", `{"username":%q,"password":{}}`},
			{"password missing", `{"username":%q}`},
			{"password with NUL", `{"username":%q,"password":"something\u0000else"}`},
			{"member twice", `{"username":%q,"password":"a","password":"b"}`},
		} {
			for _, path := range []string{"/auth/login", "/auth/signin"} {
				t.Run(tt.name+path, func(t *testing.T) {
					want := rawPost(t, s, path, fmt.Sprintf(tt.body, known))
					for _, unknown := range []string{strings.Repeat("z", len(known)), "no such user!", ""} {
						if diff := cmp.Diff(want, rawPost(t, s, path, fmt.Sprintf(tt.body, unknown))); diff != "" {
							t.Errorf("known and unknown %q differ:\n%s", unknown, diff)
						}
					}
				})
			}
		}
	})
}

// One answer for a bad signature, a passkey that nobody has and one that
// somebody else has.
func TestStepUpTellsNothingAboutWhosePasskeyItIs(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		token, theirs := c.signedIn(), c.signedIn()
		device, foreign := c.enrol(token), c.enrol(theirs)
		unknown := newDevice()
		c.create(unknown, []byte(optionsOfNobody))

		bad := must(t)(device.GetWith(c.origin, c.stepUpOptions(token), spoil))
		want := rawPost(t, s, "/passkeys/authenticate/verify", string(bad), "Authorization: Bearer "+token)
		if !strings.Contains(want, "verification_failed") {
			t.Errorf("bad signature: %s", want)
		}
		for _, other := range []struct {
			name   string
			device *authenticator.Authenticator
		}{{"unknown passkey", unknown}, {"somebody else's passkey", foreign}} {
			for _, path := range []string{"/passkeys/authenticate/verify", "/passkeys/auth/verify"} {
				response := must(t)(other.device.GetWith(c.origin, c.stepUpOptions(token), authenticator.Hostile{
					IgnoreOptions: true, CredentialID: other.device.CredentialIDs()[0],
				}))
				got := rawPost(t, s, path, string(response), "Authorization: Bearer "+token)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s at %s differs from a bad signature:\n%s", other.name, path, diff)
				}
			}
		}
	})
}

// rawPost sends body and returns what came back to the byte, without the two
// header lines that never repeat.
func rawPost(t *testing.T, s *server, path, body string, headers ...string) string {
	t.Helper()
	connection, err := net.Dial("tcp", "localhost:"+s.port)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(patience.Long)); err != nil {
		t.Fatal(err)
	}
	lines := append([]string{
		"POST " + path + " HTTP/1.1", "Host: localhost:" + s.port, "Connection: close",
		"Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body)),
	}, headers...)
	if _, err := io.WriteString(connection, strings.Join(lines, "\r\n")+"\r\n\r\n"+body); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(connection)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(raw), "HTTP/1.1 4") {
		t.Errorf("not a refusal: %.200s", raw)
	}
	var kept []string
	for line := range strings.Lines(string(raw)) {
		name, _, _ := strings.Cut(line, ":")
		if key := http.CanonicalHeaderKey(name); key != "Date" && key != "X-Request-Id" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
