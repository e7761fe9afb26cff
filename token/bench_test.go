package token_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stepkey/stepkey/token"
)

func BenchmarkVerify(b *testing.B) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	es256, err := token.NewECDSAKey(private)
	if err != nil {
		b.Fatal(err)
	}
	hs256, err := token.NewSecretKey(bytes.Repeat([]byte("s"), 32), false)
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name  string
		key   token.SigningKey
		cache int
	}{
		{"HS256/uncached", hs256, -1},
		{"HS256/cached", hs256, 0},
		{"ES256/uncached", es256, -1},
		{"ES256/cached", es256, 0},
	} {
		b.Run(bench.name, func(b *testing.B) {
			keys := token.NewKeyring(bench.key)
			raw, err := token.NewSigner(keys).Sign(claims())
			if err != nil {
				b.Fatal(err)
			}
			v, err := token.NewVerifier(keys, token.Expect{
				Issuer: issuer, Audience: issuer, CacheSize: bench.cache, Clock: func() time.Time { return now },
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
