package main

import (
	"crypto/sha1"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A password that the mirror knows is refused, by the setting and over HTTP.
func TestBreachedPasswords(t *testing.T) {
	const stolen = "seven stolen sardines"
	digest := fmt.Sprintf("%X", sha1.Sum([]byte(stolen)))
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/range/"+digest[:5] {
			io.WriteString(w, digest[5:]+":12\r\n")
		}
	}))
	t.Cleanup(mirror.Close)
	address := serveAt(t, "")
	t.Setenv("STEPKEY_BREACHED_PASSWORDS", mirror.URL+"/range/")
	s := start(t)
	if status, body := post(t, address+"/auth/signup", `{"username":"mira","password":"`+stolen+`"}`); status != 400 || !strings.Contains(body, "password_breached") {
		t.Errorf("a stolen password: %d %s", status, body)
	}
	if status, body := post(t, address+"/auth/signup", mira); status != 201 {
		t.Errorf("another one: %d %s", status, body)
	}
	mirror.Close()
	if status, body := post(t, address+"/auth/signup", `{"username":"noor","password":"`+stolen+`"}`); status != 201 {
		t.Errorf("without an answer: %d %s", status, body)
	}
	if log := s.stderr.String(); !strings.Contains(log, "password accepted unchecked") || strings.Contains(log, digest[:5]) || strings.Contains(log, "sardines") {
		t.Errorf("the log: %s", log)
	}
}
