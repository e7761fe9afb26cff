// Package ceremony holds the test of internal/ceremony with an authenticator that others wrote. It is in this module so that
// importers of Stepkey do not require that authenticator's module.
package ceremony

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"testing"

	"github.com/descope/virtualwebauthn"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/webauthn"
)

// Two halves of our own could agree with each other and be wrong together. This authenticator knows packed self
// attestation only.
func TestSecondAuthenticator(t *testing.T) {
	const domain, origin = "example.com", "https://example.com"
	user := ceremony.User{Handle: bytes.Repeat([]byte{1}, 32), Name: "alice"}
	rp, err := ceremony.New(ceremony.Config{RPID: domain, RPName: "Example", Origins: []string{origin}, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []virtualwebauthn.KeyType{virtualwebauthn.KeyTypeEC2, virtualwebauthn.KeyTypeRSA} {
		t.Run(string(kind), func(t *testing.T) {
			party := virtualwebauthn.RelyingParty{ID: domain, Name: "Example", Origin: origin}
			a := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: user.Handle})
			key := virtualwebauthn.NewCredential(kind)

			creation, registrationState, err := rp.BeginRegistration(user, nil)
			if err != nil {
				t.Fatal(err)
			}
			attestation, err := virtualwebauthn.ParseAttestationOptions(asJSON(t, creation))
			if err != nil {
				t.Fatal(err)
			}
			var registration webauthn.RegistrationResponse
			fromJSON(t, virtualwebauthn.CreateAttestationResponse(party, a, key, *attestation), &registration)
			credential, err := rp.FinishRegistration(user, registrationState, registration)
			if err != nil {
				t.Fatalf("%v: %v", err, errors.Unwrap(err))
			}
			if credential.Transports != nil {
				t.Errorf("transports %v were invented", credential.Transports)
			}

			request, assertionState, err := rp.BeginAssertion(user, []ceremony.Credential{credential})
			if err != nil {
				t.Fatal(err)
			}
			options, err := virtualwebauthn.ParseAssertionOptions(asJSON(t, request))
			if err != nil {
				t.Fatal(err)
			}
			var assertion webauthn.AuthenticationResponse
			fromJSON(t, virtualwebauthn.CreateAssertionResponse(party, a, key, *options), &assertion)
			if _, err := rp.FinishAssertion(user, assertionState, []ceremony.Credential{credential}, assertion); err != nil {
				t.Fatalf("%v: %v", err, errors.Unwrap(err))
			}
		})
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func fromJSON(t *testing.T, text string, value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), value); err != nil {
		t.Fatal(err)
	}
}
