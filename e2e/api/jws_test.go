package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"testing"
)

// nextInAlphabet changes only bits that decoding drops: the last character of
// 32 bytes carries four bits of data and two of nothing.
func nextInAlphabet(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)|1])
}

// m is a JSON object.
type m = map[string]any

// edited returns object with the members of changes; nil removes one.
func edited(object, changes map[string]any) map[string]any {
	result := m{}
	for name, value := range object {
		result[name] = value
	}
	for name, value := range changes {
		if value == nil {
			delete(result, name)
			continue
		}
		result[name] = value
	}
	return result
}

func hs256(t *testing.T, head, claims map[string]any) string {
	t.Helper()
	return signed(t, head, claims, []byte(sharedSecret))
}

func signed(t *testing.T, head, claims map[string]any, secret []byte) string {
	t.Helper()
	return mac(encode(must(t)(json.Marshal(head)))+"."+encode(must(t)(json.Marshal(claims))), secret)
}

// sign256 signs what may be no token at all.
func sign256(input string) string { return mac(input, []byte(sharedSecret)) }

func mac(input string, secret []byte) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(input))
	return input + "." + encode(h.Sum(nil))
}

func signedES256(t *testing.T, key *ecdsa.PrivateKey, head, claims map[string]any) string {
	t.Helper()
	input := encode(must(t)(json.Marshal(head))) + "." + encode(must(t)(json.Marshal(claims)))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + encode(signature)
}

// derSignature writes a JWS signature as X.509 would.
func derSignature(t *testing.T, part string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil || len(raw) != 64 {
		t.Fatalf("signature of %d bytes, %v", len(raw), err)
	}
	number := func(b []byte) []byte {
		b = new(big.Int).SetBytes(b).Bytes()
		if b[0] >= 0x80 {
			b = append([]byte{0}, b...)
		}
		return append([]byte{2, byte(len(b))}, b...)
	}
	body := append(number(raw[:32]), number(raw[32:])...)
	return append([]byte{0x30, byte(len(body))}, body...)
}

func publicKey(t *testing.T, c *client) (*ecdsa.PublicKey, string) {
	t.Helper()
	var set struct {
		Keys []struct{ X, Y, Kid string }
	}
	c.do("GET", "/.well-known/jwks.json", nil).want(t, http.StatusOK).decode(t, &set)
	if len(set.Keys) != 1 {
		t.Fatalf("%d keys, want 1", len(set.Keys))
	}
	x, err1 := base64.RawURLEncoding.DecodeString(set.Keys[0].X)
	y, err2 := base64.RawURLEncoding.DecodeString(set.Keys[0].Y)
	key, err3 := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	return key, set.Keys[0].Kid
}

func jwk(t *testing.T, key *ecdsa.PrivateKey) map[string]any {
	t.Helper()
	point := must(t)(key.PublicKey.Bytes())
	return m{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:]), "alg": "ES256"}
}
