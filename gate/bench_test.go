//go:build unix

package gate

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/token"
)

// BenchmarkForwardAuth measures the handler alone, for a request of a browser that was seen before and of one with a token.
func BenchmarkForwardAuth(b *testing.B) {
	b.Run("cookie", func(b *testing.B) {
		s := newSigning(b)
		_, session, _ := strings.Cut(s.browse(s.signIn("mira"), app), ": ")
		measureAsk(b, s.forward, "Cookie", session+"; session=0123456789abcdef; theme=dark")
	})
	b.Run("token", func(b *testing.B) {
		f := newFixture(b, "", endedState{})
		measureAsk(b, f.handler, "Authorization", f.access(b, token.LevelFull, time.Second))
	})
}

func measureAsk(b *testing.B, handler http.Handler, name, value string) {
	b.Helper()
	r := httptest.NewRequest(http.MethodGet, ForwardAuthPath, nil)
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header = http.Header{
		"X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {"/page?x=1"}, "X-Forwarded-Host": {"app.example.com"},
		"X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"203.0.113.9"}, "User-Agent": {"bench"}, "Accept": {"*/*"},
		"Accept-Language": {"en"}, name: {value},
	}
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		w := answered{header: http.Header{}} // net/http makes a new header for each answer, too
		handler.ServeHTTP(&w, r)
		if w.status != http.StatusOK {
			b.Fatal(w.status)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// answered keeps the status of an answer.
type answered struct {
	header http.Header
	status int
}

func (a *answered) Header() http.Header         { return a.header }
func (a *answered) WriteHeader(status int)      { a.status = status }
func (a *answered) Write(p []byte) (int, error) { return len(p), nil }
