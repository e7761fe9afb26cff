package token_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/stepkey/stepkey/token"
)

func TestPrivateKeysRoundTrip(t *testing.T) {
	ec, _ := ecdsaKey(t)
	for _, key := range []token.SigningKey{ec, ed25519Key(t)} {
		der, err := key.MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		got, err := token.ParsePrivateKey(der)
		if err != nil || got.ID() != key.ID() {
			t.Fatalf("%v: %v, %v", key, got, err)
		}
		raw := sign(t, token.NewKeyring(got), claims())
		if _, err := verifier(t, token.NewKeyring(key), now).Verify(t.Context(), raw); err != nil {
			t.Errorf("%v: what the parsed key signs: %v", key, err)
		}
	}
}

func TestUnusablePrivateKeys(t *testing.T) {
	if _, err := secretKey(t).MarshalPrivate(); !errors.Is(err, token.ErrKey) {
		t.Errorf("a shared secret: %v, want ErrKey", err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ders := map[string][]byte{"empty": nil, "garbage": []byte("garbage")}
	for what, private := range map[string]any{"P-384": p384, "RSA": rsa2048} {
		if ders[what], err = x509.MarshalPKCS8PrivateKey(private); err != nil {
			t.Fatal(err)
		}
	}
	for what, der := range ders {
		if _, err := token.ParsePrivateKey(der); !errors.Is(err, token.ErrKey) {
			t.Errorf("%s: %v, want ErrKey", what, err)
		}
	}
}

func TestPreviousSecrets(t *testing.T) {
	secret := func(letter string) []byte { return bytes.Repeat([]byte(letter), 32) }
	signedWith := func(letter string) string {
		key, err := token.NewSecretKey(secret(letter), false)
		if err != nil {
			t.Fatal(err)
		}
		return sign(t, token.NewKeyring(key), claims())
	}
	key, err := token.NewSecretKey(secret("c"), false, secret("b"), secret("a"))
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, token.NewKeyring(key), now)
	for _, letter := range []string{"a", "b", "c"} {
		if _, err := v.Verify(t.Context(), signedWith(letter)); err != nil {
			t.Errorf("secret %s: %v", letter, err)
		}
	}
	wantReason(t, "a secret that is none of them", v, signedWith("d"), token.ReasonSignature)

	newest, err := token.NewSecretKey(secret("c"), false)
	if err != nil {
		t.Fatal(err)
	}
	raw := sign(t, token.NewKeyring(key), claims())
	if _, err := verifier(t, token.NewKeyring(newest), now).Verify(t.Context(), raw); err != nil {
		t.Errorf("signed with another than the first: %v", err)
	}
	for what, previous := range map[string][]byte{"short": secret("b")[:31], "empty": nil} {
		if _, err := token.NewSecretKey(secret("a"), false, previous); !errors.Is(err, token.ErrKey) {
			t.Errorf("%s previous secret: %v, want ErrKey", what, err)
		}
	}
	if _, err := token.NewSecretKey([]byte("weak"), true, []byte("weaker")); err != nil {
		t.Errorf("weak: %v", err)
	}
}
