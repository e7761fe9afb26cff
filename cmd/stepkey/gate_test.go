package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func writeRules(t *testing.T, access string) {
	t.Helper()
	text := "[[app]]\norigin = 'https://app.example.com'\nrules = ['" + access + " * /**']\n"
	if err := os.WriteFile("rules.toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// forwardAuth asks about GET / and returns the status.
func forwardAuth(t *testing.T, address string, header http.Header) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address+"/forward-auth", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	r.Header.Set("X-Forwarded-Method", "GET")
	r.Header.Set("X-Forwarded-Uri", "/")
	r.Header.Set("X-Forwarded-Host", "app.example.com")
	r.Header.Set("X-Forwarded-Proto", "https")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func TestServeAnswersProxies(t *testing.T) {
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	t.Setenv("STEPKEY_RULES", "rules.toml")
	t.Setenv("STEPKEY_TRUSTED_PROXIES", "127.0.0.1,::1")
	writeRules(t, "password")
	address := "http://localhost:" + port
	s := start(t)
	if got := forwardAuth(t, address, http.Header{}); got != http.StatusUnauthorized {
		t.Errorf("without a session: %d", got)
	}
	post(t, address+"/auth/signup", mira)
	status, body := post(t, address+"/auth/login", mira)
	var answer struct {
		AccessToken string `json:"accessToken"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("%d %s, %v", status, body, err)
	}
	bearer := http.Header{"Authorization": {"Bearer " + answer.AccessToken}}
	if got := forwardAuth(t, address, bearer); got != http.StatusOK {
		t.Errorf("with a session: %d", got)
	}
	bearer.Set("Cookie", strings.Repeat("a", 40<<10))
	if got := forwardAuth(t, address, bearer); got != http.StatusOK {
		t.Errorf("with 40 KiB of headers: %d", got)
	}
	if got := absoluteForm(t, "localhost:"+port); got != http.StatusBadRequest {
		t.Errorf("a target with a host: %d", got)
	}
	if response, err := http.Get(address + "/livez"); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("the rest of the service: %v", err)
	}

	writeRules(t, "misspelt")
	hangUp(t, s, "the old ones apply")
	if got := forwardAuth(t, address, bearer); got != http.StatusOK {
		t.Errorf("after a file that does not load: %d", got)
	}
	writeRules(t, "full")
	hangUp(t, s, "loaded again")
	if got := forwardAuth(t, address, bearer); got != http.StatusForbidden {
		t.Errorf("after the rules became stricter: %d", got)
	}
}

// absoluteForm sends "GET http://x/livez" and returns the status.
func absoluteForm(t *testing.T, address string) int {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, "GET http://x/livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

// hangUp sends SIGHUP and waits until the log says so.
func hangUp(t *testing.T, s *service, says string) {
	t.Helper()
	before := len(s.stderr.String())
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(syscall.SIGHUP)
	}
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(s.stderr.String()[before:], says); {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say %q: %s", says, s.stderr.String()[before:])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestServeDoesNotStartWithoutRulesThatLoad(t *testing.T) {
	for _, test := range []struct{ access, proxies, says string }{
		{"misspelt", "127.0.0.1", "STEPKEY_RULES: rules.toml: line 3"},
		{"full", "", "STEPKEY_TRUSTED_PROXIES"},
	} {
		atHome(t)
		t.Setenv("STEPKEY_RULES", "rules.toml")
		t.Setenv("STEPKEY_TRUSTED_PROXIES", test.proxies)
		writeRules(t, test.access)
		var stdout, stderr bytes.Buffer
		if code := run(context.Background(), []string{"serve"}, &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), test.says) {
			t.Errorf("%d, %s; want %q", code, stderr.String(), test.says)
		}
	}
}
