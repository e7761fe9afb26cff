package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log"
	"time"

	"github.com/stepkey/stepkey/token"
)

// A token of a session in which no passkey was verified.
func Example() {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	key, err := token.NewECDSAKey(private)
	if err != nil {
		log.Fatal(err)
	}
	keys := token.NewKeyring(key)

	now := time.Now().Unix()
	raw, err := token.NewSigner(keys).Sign(token.Claims{
		Issuer: "https://auth.example.com", Audience: token.Audience{"https://api.example.com"},
		Subject: "0190f2c5-0000-7000-8000-000000000001", Username: "mira",
		ID: "0190f2c5-0000-7000-8000-000000000002", SessionID: "0190f2c5-0000-7000-8000-000000000003",
		IssuedAt: now, ExpiresAt: now + int64(token.Lifetime/time.Second),
		Level: token.LevelPassword, ACR: token.LevelPassword,
		Methods: []string{"pwd"}, AuthTime: now, PasswordTime: now,
	})
	if err != nil {
		log.Fatal(err)
	}

	// A service elsewhere takes the public keys from guard.NewRemoteKeys instead of keys.
	verifier, err := token.NewVerifier(keys, token.Expect{Issuer: "https://auth.example.com", Audience: "https://api.example.com"})
	if err != nil {
		log.Fatal(err)
	}
	claims, err := verifier.Verify(context.Background(), raw)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Username, claims.Level, claims.Level.Satisfies(token.LevelFull))
	// Output: mira password false
}
