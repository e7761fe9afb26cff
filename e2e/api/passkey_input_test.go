package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// testPasskeyInput changes one thing in a registration and in an assertion that
// would do.
func testPasskeyInput(t *testing.T, c *client) {
	password := c.signedIn()
	device := c.enrol(password)
	full := c.stepUp(password, device)
	set := func(name string, value any) func(map[string]any) {
		return func(m map[string]any) { m[name] = value }
	}
	drop := func(name string) func(map[string]any) { return func(m map[string]any) { delete(m, name) } }
	inside := func(change func(map[string]any)) func(map[string]any) {
		return func(m map[string]any) { change(m["response"].(map[string]any)) }
	}
	type row struct {
		name   string
		change func(map[string]any)
		status int
		code   string
	}
	envelope := []row{
		{"id missing", drop("id"), 400, "invalid_request"},
		{"id a number", set("id", 7), 400, "invalid_request"},
		{"id padded", set("id", "AAAA===="), 400, "invalid_request"},
		{"id in the standard alphabet", set("id", "++//"), 400, "invalid_request"},
		{"id and rawId differ", set("rawId", "AAAAAAAAAAAAAAAAAAAAAA"), 400, "invalid_request"},
		{"rawId missing", drop("rawId"), 400, "invalid_request"},
		{"id of 2 KB", func(m map[string]any) {
			m["id"] = strings.Repeat("A", 2732)
			m["rawId"] = m["id"]
		}, 400, "invalid_request"},
		{"type missing", drop("type"), 400, "invalid_request"},
		{"type password", set("type", "password"), 400, "invalid_request"},
		{"type in capitals", set("type", "PUBLIC-KEY"), 400, "invalid_request"},
		{"response missing", drop("response"), 400, "invalid_request"},
		{"response null", set("response", nil), 400, "invalid_request"},
		{"response a text", set("response", "x"), 400, "invalid_request"},
		{"clientDataJSON missing", inside(drop("clientDataJSON")), 400, "invalid_request"},
		{"clientDataJSON empty", inside(set("clientDataJSON", "")), 400, "invalid_request"},
		{"clientDataJSON not JSON", inside(set("clientDataJSON", "AAAA")), 400, "invalid_request"},
		{"clientDataJSON as text", inside(set("clientDataJSON", `{"type":"webauthn.get"}`)), 400, "invalid_request"},
		{"clientDataJSON padded", inside(func(m map[string]any) { m["clientDataJSON"] = m["clientDataJSON"].(string) + "====" }), 400, "invalid_request"},
		{"clientDataJSON with a line break", inside(func(m map[string]any) { m["clientDataJSON"] = "\n" + m["clientDataJSON"].(string) }), 400, "invalid_request"},
		{"clientExtensionResults a text", set("clientExtensionResults", "x"), 400, "invalid_request"},
		{"clientExtensionResults an array", set("clientExtensionResults", []any{}), 400, "invalid_request"},
		{"clientExtensionResults with 20000 members", set("clientExtensionResults", manyMembers()), 413, "payload_too_large"},
		{"no clientExtensionResults", drop("clientExtensionResults"), 201, ""},
		{"unknown members", set("admin", true), 201, ""},
	}
	registration := append(envelope,
		row{"attestationObject missing", inside(drop("attestationObject")), 400, "invalid_request"},
		row{"attestationObject null", inside(set("attestationObject", nil)), 400, "invalid_request"},
		row{"attestationObject not CBOR", inside(set("attestationObject", "____")), 400, "invalid_request"},
		row{"transports a text", inside(set("transports", "usb")), 201, ""},
		row{"transports numbers", inside(set("transports", []any{7})), 201, ""},
		row{"transports with markup", inside(set("transports", []any{"<script>"})), 201, ""},
		row{"transports by the hundred", inside(set("transports", strings.Split(strings.Repeat("usb ", 100), " "))), 201, ""},
		row{"transports with an empty one", inside(set("transports", []any{"", "internal"})), 201, ""},
		row{"transports null", inside(set("transports", nil)), 201, ""},
		row{"authenticatorAttachment unknown", set("authenticatorAttachment", "elsewhere"), 201, ""},
		row{"authenticatorAttachment a number", set("authenticatorAttachment", 7), 201, ""},
		row{"no transports", inside(drop("transports")), 201, ""},
		row{"deviceName an object", set("deviceName", map[string]any{}), 400, "invalid_request"},
		row{"deviceName of 65 characters", set("deviceName", strings.Repeat("é", 65)), 400, "invalid_request"},
		row{"deviceName of 64 characters", set("deviceName", strings.Repeat("é", 64)), 201, ""},
		row{"deviceName of 10 KB", set("deviceName", strings.Repeat("q", 10_000)), 400, "invalid_request"},
	)
	for _, tt := range registration {
		t.Run("registration "+tt.name, func(t *testing.T) {
			body := with(t, c.create(newDevice(), c.registerOptions(full)), tt.change)
			a := c.finishRegistration(full, body)
			if a.status != tt.status || a.code() != tt.code {
				t.Errorf("%d %q, want %d %q", a.status, a.code(), tt.status, tt.code)
			}
		})
	}
	t.Run("registration deviceName without what cannot be seen", func(t *testing.T) {
		body := named(t, c.create(newDevice(), c.registerOptions(full)), " Red\u202e\x00 key\n ")
		var registered struct{ Passkey struct{ Name string } }
		c.finishRegistration(full, body).want(t, http.StatusCreated).decode(t, &registered)
		if registered.Passkey.Name != "Red key" {
			t.Errorf("name %q, want Red key", registered.Passkey.Name)
		}
	})
	assertion := append(envelope,
		row{"authenticatorData missing", inside(drop("authenticatorData")), 400, "invalid_request"},
		row{"authenticatorData of 36 bytes", inside(set("authenticatorData", strings.Repeat("A", 48))), 400, "invalid_request"},
		row{"signature missing", inside(drop("signature")), 400, "invalid_request"},
		row{"signature a number", inside(set("signature", 7)), 400, "invalid_request"},
		row{"signature of another", inside(set("signature", "AAAA")), 401, "verification_failed"},
		row{"signature of 1 MB", inside(set("signature", strings.Repeat("A", 1<<20))), 413, "payload_too_large"},
		row{"userHandle a number", inside(set("userHandle", 7)), 400, "invalid_request"},
		row{"userHandle of another", inside(set("userHandle", "AAAA")), 401, "verification_failed"},
		row{"userHandle of 100 KB", inside(set("userHandle", strings.Repeat("A", 100_000))), 413, "payload_too_large"},
		row{"userHandle null", inside(set("userHandle", nil)), 201, ""},
		row{"userHandle empty", inside(set("userHandle", "")), 201, ""},
		row{"no userHandle", inside(drop("userHandle")), 201, ""},
	)
	for _, tt := range assertion {
		t.Run("assertion "+tt.name, func(t *testing.T) {
			body := with(t, c.get(device, c.stepUpOptions(full)), tt.change)
			a := c.finishStepUp(full, body)
			if a.status != tt.status || a.code() != tt.code {
				t.Errorf("%d %q, want %d %q", a.status, a.code(), tt.status, tt.code)
			}
		})
	}
	t.Run("assertion sent as a registration", func(t *testing.T) {
		body := c.get(device, c.stepUpOptions(full))
		c.finishRegistration(full, body).wantProblem(t, 400, "challenge_expired")
	})
	t.Run("registration sent as an assertion", func(t *testing.T) {
		body := c.create(newDevice(), c.registerOptions(full))
		c.finishStepUp(full, body).wantProblem(t, 400, "challenge_expired")
	})
}

func manyMembers() map[string]any {
	members := map[string]any{}
	for i := range 20_000 {
		members[strings.Repeat("q", 1+i%7)+string(rune('a'+i%26))+time.Duration(i).String()] = i
	}
	return members
}
