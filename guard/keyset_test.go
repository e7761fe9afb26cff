package guard_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

func write(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestForeignKeysAreLeftOut(t *testing.T) {
	good, other := es256(t), es256(t)
	jwk := func(k token.SigningKey, change string) string {
		text, err := json.Marshal(token.NewKeyring(k).JWKS().Keys[0])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Replace(string(text), `"use":"sig"`, change, 1)
	}
	for _, test := range []struct {
		what, keys string
		held       bool // whether other is accepted
	}{
		{"use sig", jwk(other, `"use":"sig"`), true},
		{"no use", jwk(other, `"x5t":"x"`), true},
		{"use enc", jwk(other, `"use":"enc"`), false},
		{"use a number", jwk(other, `"use":1`), false},
		{"kid of another", strings.Replace(jwk(other, ""), other.ID(), good.ID(), 1), false},
		{"RSA", `{"kty":"RSA","kid":"r","alg":"RS256","n":"AQAB","e":"AQAB"}`, false},
		{"a shared secret", fmt.Sprintf(`{"kty":"oct","kid":%q,"alg":"HS256","k":"c2VjcmV0"}`, other.ID()), false},
		{"no object", `1,"x",null`, false},
	} {
		keys := strings.ReplaceAll(test.keys, `,,`, `,`)
		r := newRemote(write(`{"keys":[` + keys + `,` + jwk(good, `"use":"sig"`) + `]}`))
		if _, err := r.keys.VerificationKey(t.Context(), good.ID()); err != nil {
			t.Errorf("%s: the good key beside it: %v", test.what, err)
		}
		_, err := r.keys.VerificationKey(t.Context(), other.ID())
		if (err == nil) != test.held || (err != nil && !errors.Is(err, token.ErrUnknownKey)) {
			t.Errorf("%s: %v, accepted should be %v", test.what, err, test.held)
		}
	}
	empty := newRemote(write(`{"keys":[]}`))
	if _, err := empty.keys.VerificationKey(t.Context(), good.ID()); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("an empty set: %v, want ErrUnknownKey", err)
	}
}

func TestAnswersThatAreNoKeySet(t *testing.T) {
	key := es256(t)
	text, err := json.Marshal(token.NewKeyring(key).JWKS())
	if err != nil {
		t.Fatal(err)
	}
	padded := func(size int) string { return strings.Repeat(" ", size-len(text)) + string(text) }
	elsewhere := func(address string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.String() == keysURL {
				http.Redirect(w, r, address, http.StatusFound)
				return
			}
			_, _ = w.Write(text)
		}
	}
	for _, test := range []struct {
		what   string
		answer http.HandlerFunc
		good   bool
	}{
		{"64 KiB", write(padded(64 << 10)), true},
		{"more than 64 KiB", write(padded(64<<10 + 1)), false},
		{"no JSON", write("<html>"), false},
		{"no keys", write("{}"), false},
		{"keys that are no array", write(`{"keys":{}}`), false},
		{"404 with a set", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404); _, _ = w.Write(text) }, false},
		{"304 unasked", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(304) }, false},
		{"redirect within the host", elsewhere("/keys.json"), true},
		{"redirect to another host", elsewhere("https://evil.example/keys.json"), false},
		{"redirect to another port", elsewhere("https://auth.example.com:8443/keys.json"), false},
		{"redirect to http", elsewhere("http://auth.example.com/keys.json"), false},
		{"redirect in a circle", elsewhere(keysURL), false},
	} {
		r := newRemote(test.answer)
		_, err := r.keys.VerificationKey(t.Context(), key.ID())
		if (err == nil) != test.good || errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("%s: %v, accepted should be %v", test.what, err, test.good)
		}
		if got := r.asked.Load(); got > 4 {
			t.Errorf("%s: asked %d times, want at most 4", test.what, got)
		}
	}
}

func TestAddresses(t *testing.T) {
	key := es256(t)
	for address, good := range map[string]bool{
		"https://auth.example.com/keys":      true,
		"http://localhost:3000/keys":         true,
		"http://auth.localhost/keys":         true,
		"http://127.0.0.1:3000/keys":         true,
		"http://[::1]:3000/keys":             true,
		"http://auth.example.com/keys":       false,
		"http://localhost.example.com/keys":  false,
		"http://127.0.0.1.example.com/keys":  false,
		"http://10.0.0.1/keys":               false,
		"http://notlocalhost/keys":           false,
		"ftp://localhost/keys":               false,
		"file:///etc/passwd":                 false,
		"/keys":                              false,
		"":                                   false,
		"https:///keys":                      false,
		"https://auth.example.com:port/keys": false,
	} {
		p := &publisher{}
		p.set(publish(token.NewKeyring(key), ""))
		_, err := guard.NewRemoteKeys(address, p.client()).VerificationKey(t.Context(), key.ID())
		if (err == nil) != good || (err != nil && !errors.Is(err, guard.ErrURL)) {
			t.Errorf("%q: %v, usable should be %v", address, err, good)
		}
	}
}
