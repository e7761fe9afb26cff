package api_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sharedSecret is long enough for any origin.
const sharedSecret = "qQyMBDKC9BFEa3hiMDyjLprRfRyl98MQFPNDcIYylg8="

// With the shared secret at hand a test can sign what it likes. Each row is a
// good token but for one thing, so nothing else can be the reason.
func TestForgedTokensWithTheRightSignature(t *testing.T) {
	s := start(t, "JWT_SECRET="+sharedSecret)
	c := newClient(t, s)
	genuine := claimsOf(t, c.signedIn())
	good := map[string]any{"alg": "HS256", "typ": "at+jwt"}
	c.do("GET", "/users/profile", nil, bearer(hs256(t, good, genuine))).want(t, http.StatusOK)

	now := time.Now().Unix()
	for _, tt := range []struct {
		name   string
		header map[string]any
		claims map[string]any
	}{
		{"alg none", m{"alg": "none"}, nil},
		{"alg None", m{"alg": "None"}, nil},
		{"alg empty", m{"alg": ""}, nil},
		{"alg missing", m{"alg": nil}, nil},
		{"alg in lower case", m{"alg": "hs256"}, nil},
		{"alg HS512", m{"alg": "HS512"}, nil},
		{"alg ES256", m{"alg": "ES256"}, nil},
		{"alg an array", m{"alg": []string{"HS256"}}, nil},
		{"typ missing", m{"typ": nil}, nil},
		{"typ JWT", m{"typ": "JWT"}, nil},
		{"typ of another token", m{"typ": "device+jwt"}, nil},
		{"kid of no key", m{"kid": "x"}, nil},
		{"kid a path", m{"kid": "../../../../dev/null"}, nil},
		{"kid SQL", m{"kid": "' UNION SELECT 'x"}, nil},
		{"kid long", m{"kid": strings.Repeat("k", 1000)}, nil},
		{"kid a number", m{"kid": 1}, nil},
		{"jku", m{"jku": s.origin + "/.well-known/jwks.json"}, nil},
		{"jwk", m{"jwk": m{"kty": "oct", "k": "AAAA"}}, nil},
		{"x5u", m{"x5u": "https://localhost.example/c.pem"}, nil},
		{"x5c", m{"x5c": []string{"AAAA"}}, nil},
		{"crit", m{"crit": []string{"exp"}}, nil},
		{"crit empty", m{"crit": []string{}}, nil},
		{"zip", m{"zip": "DEF"}, nil},
		{"b64", m{"b64": false}, nil},
		{"unknown header", m{"x": "y"}, nil},

		{"iss another", nil, m{"iss": "https://localhost.example"}},
		{"iss missing", nil, m{"iss": nil}},
		{"iss with a slash", nil, m{"iss": s.origin + "/"}},
		{"aud another", nil, m{"aud": []string{"https://localhost.example"}}},
		{"aud missing", nil, m{"aud": nil}},
		{"aud empty", nil, m{"aud": []string{}}},
		{"exp past", nil, m{"iat": now - 900, "exp": now - 31}},
		{"exp missing", nil, m{"exp": nil}},
		{"exp a text", nil, m{"exp": "9999999999"}},
		{"exp far", nil, m{"exp": now + 1_000_000}},
		{"exp negative", nil, m{"exp": -1}},
		{"iat ahead", nil, m{"iat": now + 120, "exp": now + 600}},
		{"iat missing", nil, m{"iat": nil}},
		{"sub missing", nil, m{"sub": nil}},
		{"sub empty", nil, m{"sub": ""}},
		{"sub a number", nil, m{"sub": 7}},
		{"sid missing", nil, m{"sid": nil}},
		{"jti missing", nil, m{"jti": nil}},
		{"level in capitals", nil, m{"authLevel": "FULL", "acr": "FULL"}},
		{"level with a space", nil, m{"authLevel": "full ", "acr": "full "}},
		{"level unknown", nil, m{"authLevel": "admin", "acr": "admin"}},
		{"level missing", nil, m{"authLevel": nil, "acr": nil}},
		{"level a number", nil, m{"authLevel": 2, "acr": 2}},
		{"level an array", nil, m{"authLevel": []string{"full"}}},
		{"level and acr differ", nil, m{"authLevel": "full", "passkeyVerified": true, "passkey_time": now}},
		{"level and passkeyVerified differ", nil, m{"authLevel": "full", "acr": "full", "passkey_time": now}},
		{"full without passkey_time", nil, m{"authLevel": "full", "acr": "full", "passkeyVerified": true}},
		{"passkeyVerified alone", nil, m{"passkeyVerified": true}},
		{"a claim in capitals beside it", nil, m{"AUTHLEVEL": "full"}},
		{"a claim that is an object", nil, m{"x": m{"y": 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			forged := hs256(t, edited(good, tt.header), edited(genuine, tt.claims))
			wantRefused(t, c, forged)
		})
	}
	t.Run("without exp it would be good for ever", func(t *testing.T) {
		aged := hs256(t, good, edited(genuine, m{"iat": now - 880, "exp": now + 20, "auth_time": now - 880}))
		c.do("GET", "/users/profile", nil, bearer(aged)).want(t, http.StatusOK)
	})
	testSpellings(t, c, hs256(t, good, genuine), good, genuine)
}

// testSpellings holds that a token has one spelling.
func testSpellings(t *testing.T, c *client, good string, head, claims map[string]any) {
	parts := strings.Split(good, ".")
	payload := must(t)(json.Marshal(claims))
	twice := func(extra string) string {
		return sign256(encode(must(t)(json.Marshal(head))) + "." + encode([]byte(strings.TrimSuffix(string(payload), "}")+extra+"}")))
	}
	// Wherever four question marks fall, the standard alphabet needs a slash.
	slashed := []byte(strings.TrimSuffix(string(payload), "}") + `,"x":"????"}`)
	last := len(good) - 1
	for name, token := range map[string]string{
		"nothing":                     ".",
		"dots":                        "..",
		"two parts":                   parts[0] + "." + parts[1],
		"four parts":                  good + ".AAAA",
		"five parts, as encrypted":    good + ".AAAA.AAAA",
		"signature empty":             parts[0] + "." + parts[1] + ".",
		"signature cut":               good[:last],
		"signature of another":        parts[0] + "." + parts[1] + "." + encode(make([]byte, 32)),
		"signature padded":            good + "=",
		"signature, trailing bits":    good[:last] + nextInAlphabet(good[last]),
		"payload padded":              sign256(parts[0] + "." + parts[1] + "=="),
		"payload in standard base64":  sign256(parts[0] + "." + base64.RawStdEncoding.EncodeToString(slashed)),
		"payload with a stray sign":   sign256(parts[0] + "." + parts[1][:8] + "%0A" + parts[1][8:]),
		"payload not JSON":            sign256(parts[0] + ".AAAA"),
		"payload an array":            sign256(parts[0] + "." + encode([]byte("["+string(payload)+"]"))),
		"payload followed by another": sign256(parts[0] + "." + encode(append(bytes.Clone(payload), payload...))),
		"header not JSON":             sign256("AAAA." + parts[1]),
		"claim twice":                 twice(`,"authLevel":"full"`),
		"claim twice, escaped":        twice(`,"auth\u004cevel":"full"`),
		"claim twice, the same":       twice(`,"authLevel":"password"`),
		"claim in two cases":          twice(`,"AuthLevel":"full"`),
		"header twice":                sign256(encode([]byte(`{"alg":"HS256","alg":"HS256","typ":"at+jwt"}`)) + "." + parts[1]),
		"longer than 4 KB":            twice(`,"x":"` + strings.Repeat("q", 4096) + `"`),
		"with a space":                sign256(parts[0] + ". " + parts[1]),
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, c, token) })
	}
}

// Without a shared secret tokens are ES256, and all that anybody can get hold of
// is the public key.
func TestForgedTokensWithThePublicKey(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		genuine := c.signedIn()
		public, kid := publicKey(t, c)
		var head map[string]any
		parts := strings.Split(genuine, ".")
		raw, err := base64.RawURLEncoding.DecodeString(parts[0])
		if err != nil || json.Unmarshal(raw, &head) != nil {
			t.Fatalf("header %q: %v", parts[0], err)
		}
		if head["alg"] != "ES256" || head["typ"] != "at+jwt" || head["kid"] != kid || len(head) != 3 {
			t.Errorf("header %v, want ES256, at+jwt and kid %s", head, kid)
		}
		der := must(t)(x509.MarshalPKIXPublicKey(public))
		point := must(t)(public.Bytes())
		mine, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		full := edited(claimsOf(t, genuine), m{
			"authLevel": "full", "acr": "full", "passkeyVerified": true, "passkey_time": time.Now().Unix(),
		})
		es256 := m{"alg": "ES256", "typ": "at+jwt", "kid": kid}
		hs := m{"alg": "HS256", "typ": "at+jwt", "kid": kid}
		unsigned := func(alg string) string {
			return encode(must(t)(json.Marshal(edited(es256, m{"alg": alg})))) + "." + encode(must(t)(json.Marshal(full))) + "."
		}
		for name, token := range map[string]string{
			"none":                          unsigned("none"),
			"None":                          unsigned("None"),
			"NONE":                          unsigned("NONE"),
			"nOnE":                          unsigned("nOnE"),
			"ES256 without a signature":     unsigned("ES256"),
			"none with the old signature":   unsigned("none") + parts[2],
			"claims changed":                parts[0] + "." + encode(must(t)(json.Marshal(full))) + "." + parts[2],
			"HS256 with the key as PEM":     signed(t, hs, full, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
			"HS256 with the key as DER":     signed(t, hs, full, der),
			"HS256 with the key as a point": signed(t, hs, full, point),
			"HS256 with the key set":        signed(t, hs, full, c.do("GET", "/.well-known/jwks.json", nil).body),
			"HS256 with an empty key":       signed(t, hs, full, nil),
			"HS256 without kid":             signed(t, edited(hs, m{"kid": nil}), full, der),
			"HS256 with the sample secret":  signed(t, edited(hs, m{"kid": nil}), full, []byte("thel@stFlyD0g")),
			"my key":                        signedES256(t, mine, es256, full),
			"my key, no kid":                signedES256(t, mine, edited(es256, m{"kid": nil}), full),
			"my key, my kid":                signedES256(t, mine, edited(es256, m{"kid": "mine"}), full),
			"my key by jwk":                 signedES256(t, mine, edited(es256, m{"jwk": jwk(t, mine)}), full),
			"my key by jku":                 signedES256(t, mine, edited(es256, m{"jku": "https://localhost.example/jwks.json"}), full),
			"zero signature":                encode(must(t)(json.Marshal(es256))) + "." + encode(must(t)(json.Marshal(full))) + "." + encode(make([]byte, 64)),
			"DER signature":                 parts[0] + "." + parts[1] + "." + encode(derSignature(t, parts[2])),
		} {
			t.Run(name, func(t *testing.T) { wantRefused(t, c, token) })
		}
	})
}

// wantRefused: at every route that needs a token, with the answer that says
// nothing about why.
func wantRefused(t *testing.T, c *client, token string) {
	t.Helper()
	for _, route := range [][2]string{
		{"GET", "/users/profile"},
		{"GET", "/users/histories"},
		{"POST", "/passkeys/register/options"},
		{"POST", "/passkeys/authenticate/options"},
		{"POST", "/passkeys/auth/verify"},
	} {
		a := c.do(route[0], route[1], nil, bearer(token)).wantProblem(t, 401, "unauthorized")
		if got := a.header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
			t.Errorf("WWW-Authenticate %s", got)
		}
	}
}
