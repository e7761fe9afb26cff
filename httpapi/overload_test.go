//go:build unix

package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/memstore"
)

// heldStore answers no look-up of a user before its test ends.
type heldStore struct {
	stepkey.Store
	asked, goOn chan struct{}
}

// UserByName implements stepkey.Store.
func (h heldStore) UserByName(ctx context.Context, name string) (stepkey.User, error) {
	if name == "held" {
		h.asked <- struct{}{}
		<-h.goOn
	}
	return h.Store.UserByName(ctx, name)
}

// newCrowdedService returns a service at which one login waits as long as the hash gate allows, so that all
// others but those on known devices are refused.
func newCrowdedService(tb testing.TB, log *slog.Logger) http.Handler {
	tb.Helper()
	asked, goOn := make(chan struct{}), make(chan struct{})
	service := newServiceWith(tb, func(c *stepkey.Config) {
		c.Store = heldStore{c.Store, asked, goOn}
		c.HashSlots, c.HashWait = 1, time.Nanosecond
		c.DangerNoLimits, c.Limiter = false, memstore.NewLimiter(0, nil)
	})
	h := newHandler(service, Options{Log: log})
	done := make(chan struct{})
	go func() {
		defer close(done)
		send(h, "POST", "/auth/login", `{"username":"held","password":"correct horse battery"}`)
	}()
	<-asked
	tb.Cleanup(func() { close(goOn); <-done })
	return h
}

// BenchmarkRefusedLogIn measures a login that is refused because the service is overloaded, with the request log on,
// without the network:
//
//	go test ./httpapi -run '^$' -bench RefusedLogIn -count 10
func BenchmarkRefusedLogIn(b *testing.B) {
	log, err := os.CreateTemp(b.TempDir(), "log")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = log.Close() })
	h := newCrowdedService(b, slog.New(slog.NewTextHandler(log, nil)))
	body := strings.NewReader(`{"username":"mira","password":"correct horse battery"}`)
	r := httptest.NewRequest("POST", "/auth/login", body)
	r.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {"bench"}, "Accept": {"*/*"}, "Cookie": {"stepkey-device-80-forged=dv1." + strings.Repeat("A", 102)}}
	b.ReportAllocs()
	before := cpuTime(b)
	for i := 0; b.Loop(); i++ {
		body.Seek(0, 0)
		r.RemoteAddr = "192.0.2." + string(rune('0'+i%10)) + ":1234"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable && w.Code != 429 {
			b.Fatal(w.Code, w.Body)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// Refusing a flood costs little: nothing of a body is read.
func TestOverloadIsDecidedBeforeTheBody(t *testing.T) {
	var log strings.Builder
	h := newCrowdedService(t, slog.New(slog.NewTextHandler(&log, nil)))
	unread := &countedReader{Reader: strings.NewReader("{")}
	r := httptest.NewRequest("POST", "/auth/login", unread)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"overloaded"`) {
		t.Errorf("%d, Retry-After %q, %s; want 503 overloaded", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	if unread.reads > 0 {
		t.Error("the body was read")
	}
	if strings.Contains(log.String(), "request failed") {
		t.Errorf("logged as a fault: %s", log.String())
	}
}

type countedReader struct {
	io.Reader
	reads int
}

// Read implements io.Reader.
func (c *countedReader) Read(p []byte) (int, error) {
	c.reads++
	return c.Reader.Read(p)
}
