package stepup_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stepkey/stepkey/stepup"
)

// BenchmarkRequire is what a guarded page costs beyond its handler: with one question to the
// database, and from memory. tools/bench has the ratios to an application's own work.
func BenchmarkRequire(b *testing.B) {
	for _, test := range []struct {
		name      string
		staleness time.Duration
	}{{"database", 0}, {"memory", 2 * time.Second}} {
		b.Run(test.name, func(b *testing.B) {
			a := newApp(b, database(b, "sqlite"), func(c *stepup.Config) { c.Staleness = test.staleness })
			c, cookie := a.signIn("42")
			c.Enrol()
			c.Verify("payout")
			r := httptest.NewRequest(http.MethodGet, a.url+"/payouts", nil)
			r.AddCookie(&http.Cookie{Name: "session", Value: cookie})
			for b.Loop() {
				w := httptest.NewRecorder()
				a.handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
