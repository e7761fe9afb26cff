package faults_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

// answerWithin is within what every request has to be answered. The service's own
// bound is five seconds; the rest is for a busy machine.
const answerWithin = 10 * time.Second

const testPassword = "gentle walrus parade"

// client sends requests to one or several instances in turn and counts what comes
// back.
type client struct {
	t      testing.TB
	http   *http.Client
	origin string // of the pages, for passkeys
	urls   []string
	next   atomic.Int64

	// address says where a request comes from, to a service that trusts this machine
	// as a proxy; nil says nothing. device is the cookie of a known device.
	address func() string
	device  string

	mu      sync.Mutex
	counts  map[string]int // by outcome
	longest time.Duration
}

func newClient(t testing.TB, servers ...*server) *client {
	c := &client{
		t: t, origin: servers[0].url, counts: map[string]int{},
		http: &http.Client{Timeout: answerWithin, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	for _, s := range servers {
		c.urls = append(c.urls, s.url)
	}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

// beside returns a client for the same instances that counts for itself.
func (c *client) beside() *client {
	other := newClient(c.t, &server{url: c.origin})
	other.urls, other.address = c.urls, c.address
	return other
}

// answer is a response that has been read. Status 0 means that there was none: the
// connection was refused or cut.
type answer struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// unknown reports whether the service may or may not have done what was asked.
func (a answer) unknown() bool { return a.status == 0 || a.status >= 500 }

func (a answer) member(name string) string {
	var members map[string]any
	_ = json.Unmarshal(a.body, &members)
	text, _ := members[name].(string)
	return text
}

// do sends a request. A client that gets no answer in time has found a fault,
// whatever else is the matter.
func (c *client) do(method, path, token string, body any) answer {
	url := c.urls[int(c.next.Add(1))%len(c.urls)]
	began := time.Now()
	a, err := c.exchange(method, url+path, token, body)
	a.took = time.Since(began)
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		c.t.Errorf("%s %s: no answer within %s", method, path, answerWithin)
	}
	c.count(a)
	return a
}

func (c *client) exchange(method, url, token string, body any) (answer, error) {
	var raw []byte
	switch body := body.(type) {
	case nil:
	case []byte:
		raw = body
	default:
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return answer{}, err
		}
	}
	r, err := http.NewRequest(method, url, bytes.NewReader(raw))
	if err != nil {
		return answer{}, err
	}
	if raw != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if c.address != nil {
		r.Header.Set("X-Forwarded-For", c.address())
	}
	if c.device != "" {
		r.Header.Set("Cookie", c.device)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{status: response.StatusCode, header: response.Header, body: read}, nil
}

func (c *client) count(a answer) {
	outcome := "no connection"
	if a.status != 0 {
		outcome = fmt.Sprint(a.status)
	}
	if a.status == http.StatusServiceUnavailable {
		outcome += " " + a.member("code")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[outcome]++
	c.longest = max(c.longest, a.took)
}

// tally tells what was counted since the last call, and begins anew.
func (c *client) tally() (text string, total int, longest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts []string
	for outcome, n := range c.counts {
		total += n
		parts = append(parts, fmt.Sprintf("%s × %d", outcome, n))
	}
	slices.Sort(parts)
	text = fmt.Sprintf("%s, longest %s", strings.Join(parts, ", "), round(c.longest))
	longest = c.longest
	c.counts, c.longest = map[string]int{}, 0
	return text, total, longest
}

// outcomes are the counts since the last tally.
func (c *client) outcomes() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

func credentials(username string) map[string]any {
	return map[string]any{"username": username, "password": testPassword}
}

func keptCredentials(username string) map[string]any {
	return map[string]any{"username": username, "password": testPassword, "refresh": "body"}
}

func (c *client) signUp(username string) answer {
	return c.do("POST", "/auth/signup", "", credentials(username))
}

func (c *client) logIn(username string) answer {
	return c.do("POST", "/auth/login", "", credentials(username))
}

func (c *client) refresh(token string) answer {
	return c.do("POST", "/auth/refresh", "", map[string]any{"refreshToken": token})
}

func (c *client) profile(token string) answer { return c.do("GET", "/users/profile", token, nil) }

// insist repeats what the service has no time for just now.
func (c *client) insist(request func() answer) answer {
	for until := time.Now().Add(patience.Long); ; time.Sleep(100 * time.Millisecond) {
		if a := request(); !a.unknown() || time.Now().After(until) {
			return a
		}
	}
}

// want fails the test unless an answer has one of these statuses, and if it is a 503
// it has to say when to come back.
func want(t testing.TB, what string, a answer, statuses ...int) answer {
	t.Helper()
	if !slices.Contains(statuses, a.status) {
		t.Errorf("%s: %d %s, want %v", what, a.status, a.body, statuses)
	}
	if a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" {
		t.Errorf("%s: 503 without Retry-After", what)
	}
	return a
}
