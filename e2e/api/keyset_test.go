package api_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"
	"testing"
)

// A session ends with its user's tokens: one for a user or a session that is not
// there opens nothing that touches an account.
func TestTokenOfNoSession(t *testing.T) {
	c := newClient(t, start(t, "JWT_SECRET="+sharedSecret))
	genuine := claimsOf(t, c.signedIn())
	other := claimsOf(t, c.signedIn())
	good := m{"alg": "HS256", "typ": "at+jwt"}
	for name, change := range map[string]m{
		"no such session":         {"sid": "6f1d2b0a-7b5f-4f53-9d0c-3f6f2b1c9e11"},
		"no such user":            {"sub": "6f1d2b0a-7b5f-4f53-9d0c-3f6f2b1c9e11"},
		"session of another user": {"sid": other["sid"]},
		"session is no id":        {"sid": "x' OR '1'='1"},
		"user is no id":           {"sub": "\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			forged := hs256(t, good, edited(genuine, change))
			for _, path := range []string{"/passkeys/register/options", "/passkeys/authenticate/options"} {
				c.do("POST", path, nil, bearer(forged)).wantProblem(t, 401, "unauthorized")
			}
		})
	}
}

// With a shared secret nothing is published; without one the key set holds the
// public key, under its thumbprint, and no private part.
func TestKeySet(t *testing.T) {
	shared := newClient(t, start(t, "JWT_SECRET="+sharedSecret))
	if got := string(shared.do("GET", "/.well-known/jwks.json", nil).want(t, http.StatusOK).body); got != `{"keys":[]}` {
		t.Errorf("the key set of a shared secret is %s", got)
	}
	c := newClient(t, start(t))
	a := c.do("GET", "/.well-known/jwks.json", nil).want(t, http.StatusOK)
	var set struct{ Keys []map[string]string }
	a.decode(t, &set)
	if len(set.Keys) != 1 || set.Keys[0]["d"] != "" || set.Keys[0]["k"] != "" {
		t.Fatalf("keys %v", set.Keys)
	}
	key := set.Keys[0]
	thumbprint := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + key["x"] + `","y":"` + key["y"] + `"}`))
	if key["kid"] != encode(thumbprint[:]) {
		t.Errorf("kid %s, want %s", key["kid"], encode(thumbprint[:]))
	}
	if got := a.header.Get("Cache-Control"); got != "public, max-age=300" {
		t.Errorf("Cache-Control %q", got)
	}
	unchanged := c.do("GET", "/.well-known/jwks.json", nil, header("If-None-Match", a.header.Get("ETag")))
	unchanged.want(t, http.StatusNotModified)
	verifyES256(t, c)
}

// verifyES256 checks a token as an offline verifier would that knows only the
// standards.
func verifyES256(t *testing.T, c *client) {
	t.Helper()
	parts := strings.Split(c.signedIn(), ".")
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		t.Fatalf("signature of %d bytes, %v", len(signature), err)
	}
	public, _ := publicKey(t, c)
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(public, digest[:], r, s) {
		t.Error("the published key does not verify a token")
	}
}
