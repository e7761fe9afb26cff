package ceremony_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/webauthn"
)

// BenchmarkFinishAssertion is what one step-up costs the CPU besides the
// database, from the body to the verdict. BenchmarkVerifyASN1 is the part of it
// that nobody can save for ES256.
func BenchmarkFinishAssertion(b *testing.B) {
	for name, alg := range map[string]int64{"ES256": authenticator.ES256, "EdDSA": authenticator.EdDSA, "RS256": authenticator.RS256} {
		b.Run(name, func(b *testing.B) {
			rp := newRelyingParty(b)
			a := authenticator.New(authenticator.Config{Algorithms: []int64{alg}})
			owned := []ceremony.Credential{register(b, rp, a)}
			options, state, err := rp.BeginAssertion(alice(), owned)
			if err != nil {
				b.Fatal(err)
			}
			body, err := a.Get(origin, mustJSON(b, options))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				var response webauthn.AuthenticationResponse
				if err := json.Unmarshal(body, &response); err != nil {
					b.Fatal(err)
				}
				if _, err := rp.FinishAssertion(alice(), state, owned, response); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyASN1(b *testing.B) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("message"))
	signature, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !ecdsa.VerifyASN1(&private.PublicKey, digest[:], signature) {
			b.Fatal("does not verify")
		}
	}
}
