package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/token"
)

// The example of RFC 8037 appendix A.3 (Ed25519).
func TestThumbprintOfRFC8037(t *testing.T) {
	jwk := token.JWK{
		Type: "OKP", Curve: "Ed25519", X: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
		ID: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", Algorithm: token.EdDSA,
	}
	key, err := jwk.VerificationKey()
	if err != nil || key.ID() != jwk.ID {
		t.Errorf("%q, %v; want %q", key.ID(), err, jwk.ID)
	}
}

func TestPublicKeysRoundTrip(t *testing.T) {
	ec, _ := ecdsaKey(t)
	keys := token.NewKeyring(ec, ed25519Key(t).Verification(), secretKey(t).Verification())
	text, err := json.Marshal(keys.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{`"d"`, `"k"`, "ssss"} {
		if strings.Contains(string(text), private) {
			t.Errorf("the public keys hold %s: %s", private, text)
		}
	}
	var set token.JWKS
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) != 2 || set.Keys[0].ID != ec.ID() {
		t.Fatalf("public keys: %s, %v; want the two public ones, the signing one first", text, err)
	}
	for _, jwk := range set.Keys {
		key, err := jwk.VerificationKey()
		if err != nil || key.ID() != jwk.ID || key.Algorithm() != jwk.Algorithm {
			t.Errorf("%+v: %q, %q, %v", jwk, key.ID(), key.Algorithm(), err)
		}
	}
}

func TestUnusableKeys(t *testing.T) {
	ec, _ := ecdsaKey(t)
	good := token.NewKeyring(ec).JWKS().Keys[0]
	for what, change := range map[string]func(*token.JWK){
		"another kid":      func(k *token.JWK) { k.ID = "mine" },
		"another alg":      func(k *token.JWK) { k.Algorithm = token.EdDSA },
		"no alg":           func(k *token.JWK) { k.Algorithm = "" },
		"symmetric":        func(k *token.JWK) { k.Type = "oct" },
		"another curve":    func(k *token.JWK) { k.Curve = "P-384" },
		"off the curve":    func(k *token.JWK) { k.X = k.Y },
		"short coordinate": func(k *token.JWK) { k.X = k.X[:42] },
		"padded":           func(k *token.JWK) { k.X += "=" },
	} {
		jwk := good
		change(&jwk)
		if _, err := jwk.VerificationKey(); !errors.Is(err, token.ErrKey) {
			t.Errorf("%s: %v, want ErrKey", what, err)
		}
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.NewECDSAKey(p384); !errors.Is(err, token.ErrKey) {
		t.Errorf("P-384: %v, want ErrKey", err)
	}
	if _, err := token.NewSecretKey([]byte("thel@stFlyD0g"), false); !errors.Is(err, token.ErrKey) {
		t.Errorf("13 bytes: %v, want ErrKey", err)
	}
	if _, err := token.NewSecretKey(nil, true); !errors.Is(err, token.ErrKey) {
		t.Errorf("no bytes: %v, want ErrKey", err)
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	key := secretKey(t)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, key); strings.Contains(text, "ssss") || strings.Contains(text, "115, 115") || strings.Contains(text, "0x73") {
			t.Errorf("%s prints the secret: %s", format, text)
		}
	}
}

func TestLevels(t *testing.T) {
	for _, test := range []struct {
		held, needed token.Level
		want         bool
	}{
		{token.LevelPassword, token.LevelPassword, true},
		{token.LevelFull, token.LevelPassword, true},
		{token.LevelFull, token.LevelFull, true},
		{token.LevelRecovery, token.LevelRecovery, true},
		{token.LevelPassword, token.LevelFull, false},
		{token.LevelRecovery, token.LevelPassword, false},
		{token.LevelRecovery, token.LevelFull, false},
		{token.LevelFull, token.LevelRecovery, false},
		{token.LevelNone, token.LevelNone, false},
		{"FULL", token.LevelFull, false},
		{"FULL", "FULL", false},
		{token.LevelFull, "", false},
	} {
		if got := test.held.Satisfies(test.needed); got != test.want {
			t.Errorf("%q for %q: %v, want %v", test.held, test.needed, got, test.want)
		}
	}
}
