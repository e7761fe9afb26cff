package stepup

import (
	"net/http/httptest"
	"testing"
)

func TestReturnsAlone(t *testing.T) {
	for _, test := range []struct {
		site string
		want bool
	}{{"same-origin", true}, {"same-site", false}, {"cross-site", false}, {"none", false}, {"", false}} {
		r := httptest.NewRequest("GET", "/_stepkey/verify", nil)
		r.Header.Set("Sec-Fetch-Site", test.site)
		if got := returnsAlone(r); got != test.want {
			t.Errorf("%q: %v", test.site, got)
		}
	}
}
