package browser

import (
	"crypto/sha1"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Of a password from a data breach the page shows the server's own sentence.
func TestBreachedPassword(t *testing.T) {
	const stolen = "seven stolen sardines"
	digest := fmt.Sprintf("%X", sha1.Sum([]byte(stolen)))
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/"+digest[:5] {
			io.WriteString(w, digest[5:]+":12\r\n")
		}
	}))
	t.Cleanup(mirror.Close)
	p := start(t, "STEPKEY_BREACHED_PASSWORDS="+mirror.URL)
	p.expect("400 /auth/signup")
	p.Type("new-name", "mira")
	p.Type("new-password", stolen)
	p.Keys("\r")
	p.See("signup", "This password was stolen somewhere and is known to attackers. Choose another, and change it wherever you use it.")
	p.Type("new-password", password)
	p.Keys("\r")
	p.Current("signin")
}
