package httpapi

import (
	"net/http/httptest"
	"testing"

	"github.com/stepkey/stepkey/internal/pages"
)

// The service learns the tag of one of its languages, and nothing else that a request sent.
func TestLanguageOfRequests(t *testing.T) {
	a := &api{clientIP: peerIP, service: newService(t)}
	for _, test := range []struct{ query, cookie, header, want string }{
		{"", "", "", ""},
		{"", "", "de-AT,de;q=0.9,en;q=0.5", "de"},
		{"", "", "fr-FR,en;q=0.3", "en"},
		{"?ui_locales=fr+de", "", "en", "de"},
		{"?ui_locales=fr", "", "en", "en"},
		{"?ui_locales=%0d%0aBcc:", "", "x;;;", ""},
		{"", "de", "en", "de"},
		{"?ui_locales=en", "de", "", "en"},
		{"", "fr", "de", "de"},
		{"", "x;;;", "", ""},
	} {
		r := httptest.NewRequest("POST", "/auth/login"+test.query, nil)
		r.Header.Set("Accept-Language", test.header)
		if test.cookie != "" {
			r.Header.Set("Cookie", pages.LanguageCookie+"="+test.cookie)
		}
		if got := a.clientOf(r).Language; got != test.want {
			t.Errorf("%q, %q and %q: %q, want %q", test.query, test.cookie, test.header, got, test.want)
		}
	}
}
