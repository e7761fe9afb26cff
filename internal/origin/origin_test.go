package origin_test

import (
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/origin"
)

// A page that may read answers from elsewhere is taken as strictly as one that uses passkeys, and on any domain.
func TestCheckPage(t *testing.T) {
	for _, text := range []string{"https://app.example.com", "https://example.org:8443", "http://localhost:5173", "http://app.localhost:5173", "https://[2001:db8::1]:8443", "https://xn--mller-kva.example"} {
		if err := origin.CheckPage("STEPKEY_CORS_ORIGINS", text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, says := range map[string]string{
		"": "write it like", "*": "write it like", "null": "write it like", "app.example.com": "write it like", "file:///": "write it like", app: "write it like",
		"https://app.example.com https://shop.example.com": "write it like", "https://app.example.com:x": "write it like",
		"https://app.example.com/":      "use https://app.example.com",
		"https://app.example.com/login": "use https://app.example.com",
		"https://App.example.com":       "use https://app.example.com",
		"https://app.example.com:443":   "use https://app.example.com",
		"https://[2001:db8::1]:443":     "use https://[2001:db8::1]",
		"http://localhost:80":           "use http://localhost",
		"https://mira@app.example.com":  "use https://app.example.com",
		"https://*.example.com":         "each host by itself",
		"https://müller.example":        "xn--",
		"https://app.example.com:0443":  "how browsers write a port",
		"http://app.example.com":        "use https://app.example.com",
		"http://localhost.example.com":  "use https://localhost.example.com",
	} {
		err := origin.CheckPage("STEPKEY_CORS_ORIGINS", text)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "STEPKEY_CORS_ORIGINS") {
			t.Errorf("%q: %v, want it to say %q", text, err, says)
		}
	}
}
