package hibp

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stepkey/stepkey"
)

var _ stepkey.Breaches = (*Client)(nil)

const (
	breached = "correct horse battery staple"
	padding  = "gentle walrus parade" // in the padding of its range
	unknown  = "a tin of seven sardines"
)

func digestOf(password string) string {
	sum := sha1.Sum([]byte(password))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// service answers ranges out of what it was told, as Have I Been Pwned does.
type service struct {
	counts map[string]int // by digest

	mu    sync.Mutex
	asked []*http.Request
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	s.mu.Unlock()
	prefix, found := strings.CutPrefix(r.URL.Path, "/range/")
	if !found || len(prefix) != 5 {
		http.NotFound(w, r)
		return
	}
	lines := []string{strings.Repeat("0", 35) + ":3", strings.Repeat("F", 35) + ":0"}
	for digest, count := range s.counts {
		if suffix, found := strings.CutPrefix(digest, prefix); found {
			lines = append(lines, fmt.Sprintf("%s:%d", suffix, count))
		}
	}
	io.WriteString(w, strings.Join(lines, "\r\n"))
}

func newClient(t *testing.T, h http.Handler) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := New(server.URL + "/range")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBreached(t *testing.T) {
	s := &service{counts: map[string]int{digestOf(breached): 4711, digestOf(padding): 0}}
	c := newClient(t, s)
	for password, want := range map[string]bool{breached: true, padding: false, unknown: false} {
		if got, err := c.Breached(t.Context(), password); got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", password, got, err, want)
		}
	}
	if len(s.asked) != 3 {
		t.Fatalf("%d questions, want 3", len(s.asked))
	}
	for _, r := range s.asked {
		prefix := strings.TrimPrefix(r.URL.Path, "/range/")
		known := prefix == digestOf(breached)[:5] || prefix == digestOf(padding)[:5] || prefix == digestOf(unknown)[:5]
		if !known || r.Method != http.MethodGet || r.URL.RawQuery != "" || r.ContentLength != 0 {
			t.Errorf("%s %s with %d bytes: more than five digits are told", r.Method, r.URL, r.ContentLength)
		}
		if r.Header.Get("Add-Padding") != "true" {
			t.Errorf("no padding is asked for: %v", r.Header)
		}
	}
}

func TestAnswers(t *testing.T) {
	suffix := digestOf(breached)[5:]
	for answer, want := range map[string]bool{
		suffix + ":1":                  true,
		suffix + ":1\r\n":              true,
		strings.ToLower(suffix) + ":9": true,
		suffix + ":10\n" + strings.Repeat("0", 35) + ":1\n": true,
		suffix + ":0":  false,
		suffix + ":00": false,
		"":             false,
		"\r\n":         false,
	} {
		if got, err := listed(answer, suffix); got != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", answer, got, err, want)
		}
	}
	for _, answer := range []string{
		"<html>Sign in to the network</html>",
		suffix, suffix + ":", suffix + ":many", suffix + ":-1",
		suffix[1:] + ":1", suffix + "0:1", digestOf(breached) + ":1",
		"G" + suffix[1:] + ":1",
		suffix + ":1\n<html>",
	} {
		if got, err := listed(answer, suffix); got || err != errAnswer {
			t.Errorf("%q: %v, %v; want %v", answer, got, err, errAnswer)
		}
	}
}

// Whatever a service does but answer, it is an error, and one that tells nothing.
func TestNoAnswer(t *testing.T) {
	digest := digestOf(breached)
	whole := digest[5:] + ":1\r\n"
	elsewhere := httptest.NewServer(&service{counts: map[string]int{digest: 1}})
	t.Cleanup(elsewhere.Close)
	for what, test := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"status": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, whole)
		}, "status 503"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusFound)
		}, "status 302"},
		"too long": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat(whole, maxAnswer/len(whole)+1))
		}, "more than"},
		"something else": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<html>")
		}, "range protocol"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, whole)
		}, "unexpected EOF"},
		"hung up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"silence": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline exceeded"},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := newClient(t, test.answer).Breached(t.Context(), breached)
			if got || err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("%v, %v; want an error that says %q", got, err, test.says)
			}
			for _, secret := range []string{breached, digest[:5], "/range"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error holds %q: %v", secret, err)
				}
			}
		})
	}
}

// A question that gets no turn does not wait for longer than one that gets no answer.
func TestQuestionsAtOnceAreBounded(t *testing.T) {
	s := &service{}
	c := newClient(t, s)
	for range maxQuestions {
		c.turns <- struct{}{}
	}
	if _, err := c.Breached(t.Context(), breached); err == nil || !strings.Contains(err.Error(), "at once") || len(s.asked) != 0 {
		t.Errorf("%v after %d questions, want no turn", err, len(s.asked))
	}
	<-c.turns
	for range 2 { // each call releases its turn
		if _, err := c.Breached(t.Context(), breached); err != nil {
			t.Error(err)
		}
	}
}

func TestURLs(t *testing.T) {
	for text, want := range map[string]string{
		PublicURL:                           PublicURL,
		"https://mirror.example.com":        "https://mirror.example.com/",
		"https://mirror.example.com/range":  "https://mirror.example.com/range/",
		"http://localhost:8080/range/":      "http://localhost:8080/range/",
		"http://127.0.0.1:8080":             "http://127.0.0.1:8080/",
		"http://[::1]:8080":                 "http://[::1]:8080/",
		"https://mirror.example.com:8443/a": "https://mirror.example.com:8443/a/",
	} {
		if c, err := New(text); err != nil || c.url != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for text, says := range map[string]string{
		"":                                     "write it like",
		"mirror.example.com":                   "write it like",
		"https://":                             "write it like",
		"https://user:hunter2@m.example.com":   "write it like",
		"https://user:hunter2@m.exa mple.com":  "write it like",
		"https://m.example.com/?key=hunter2":   "write it like",
		"https://m.example.com/#hunter2":       "write it like",
		"http://mirror.example.com":            "use https",
		"http://localhost.example.com/hunter2": "use https",
		"http://10.0.0.1":                      "use https",
		"ftp://localhost":                      "use https",
	} {
		_, err := New(text)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it to say %q", text, err, says)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error holds the password: %v", err)
		}
	}
}
