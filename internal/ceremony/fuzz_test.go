package ceremony_test

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/webauthn"
)

// The fuzz targets take the three binary members of a response, because JSON
// and base64url would stop nearly every mutation at the door. The challenge and
// the keys are fixed, so that the seeds are accepted: what a mutation breaks is
// then refused deep inside. Nothing may panic, every refusal is an *Error, and
// what is accepted must be something the package promises.

// zeros is a source of randomness that gives the same challenge every time.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// ramp is one that differs from zeros, which is no private key.
type ramp struct{}

func (ramp) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i + 1)
	}
	return len(b), nil
}

func fuzzParty(f *testing.F) *ceremony.RelyingParty {
	f.Helper()
	rp, err := ceremony.New(ceremony.Config{RPID: rpID, Origins: []string{origin}, Random: zeros{}})
	if err != nil {
		f.Fatal(err)
	}
	return rp
}

// fuzzAuthenticators has one for each algorithm and attestation; RSA keys
// cannot be made deterministic, which only makes that seed a new one each time.
func fuzzAuthenticators() []*authenticator.Authenticator {
	var all []*authenticator.Authenticator
	for _, alg := range []int64{authenticator.EdDSA, authenticator.ES256, authenticator.RS256} {
		for _, self := range []bool{false, true} {
			all = append(all, authenticator.New(authenticator.Config{
				Algorithms: []int64{alg}, SelfAttestation: self, CounterStep: 1, Random: ramp{},
			}))
		}
	}
	return all
}

func checkFuzzError(t *testing.T, err error) {
	t.Helper()
	var e *ceremony.Error
	if !errors.As(err, &e) || e.Reason == "" || (e.Kind != ceremony.Malformed && e.Kind != ceremony.Refused) {
		t.Fatalf("error without kind and reason: %#v", err)
	}
}

func FuzzFinishRegistration(f *testing.F) {
	rp := fuzzParty(f)
	options, state, err := rp.BeginRegistration(alice(), nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, a := range fuzzAuthenticators() {
		body, err := a.Create(origin, mustJSON(f, options))
		if err != nil {
			f.Fatal(err)
		}
		r := decodeRegistration(f, body)
		f.Add([]byte(r.RawID), []byte(r.Response.ClientDataJSON), []byte(r.Response.AttestationObject))
	}
	f.Fuzz(func(t *testing.T, id, clientDataJSON, attestationObject []byte) {
		credential, err := rp.FinishRegistration(alice(), state, webauthn.RegistrationResponse{
			ID:       id,
			RawID:    id,
			Type:     "public-key",
			Response: webauthn.AuthenticatorAttestationResponse{ClientDataJSON: clientDataJSON, AttestationObject: attestationObject},
		})
		if err != nil {
			checkFuzzError(t, err)
			return
		}
		if n := len(credential.ID); n < 16 || n > 1023 {
			t.Errorf("accepted a credential id of %d bytes", n)
		}
		const required = authenticator.FlagUP | authenticator.FlagUV
		if credential.Flags&required != required {
			t.Errorf("accepted flags %#x", credential.Flags)
		}
		if n := len(credential.PublicKey); n > 600 {
			t.Errorf("accepted a public key of %d bytes", n)
		}
	})
}

func FuzzFinishAssertion(f *testing.F) {
	rp := fuzzParty(f)
	creation, _, err := rp.BeginRegistration(alice(), nil)
	if err != nil {
		f.Fatal(err)
	}
	var owned []ceremony.Credential
	for i, a := range fuzzAuthenticators() {
		body, err := a.Create(origin, mustJSON(f, creation))
		if err != nil {
			f.Fatal(err)
		}
		_, state, err := rp.BeginRegistration(alice(), nil)
		if err != nil {
			f.Fatal(err)
		}
		credential, err := rp.FinishRegistration(alice(), state, decodeRegistration(f, body))
		if err != nil {
			f.Fatal(err)
		}
		request, _, err := rp.BeginAssertion(alice(), []ceremony.Credential{credential})
		if err != nil {
			f.Fatal(err)
		}
		if body, err = a.Get(origin, mustJSON(f, request)); err != nil {
			f.Fatal(err)
		}
		var response webauthn.AuthenticationResponse
		if err := json.Unmarshal(body, &response); err != nil {
			f.Fatal(err)
		}
		owned = append(owned, credential)
		f.Add(uint8(i), []byte(response.Response.ClientDataJSON), []byte(response.Response.AuthenticatorData), []byte(response.Response.Signature))
	}
	f.Fuzz(func(t *testing.T, which uint8, clientDataJSON, authenticatorData, signature []byte) {
		credential := owned[int(which)%len(owned)]
		one := []ceremony.Credential{credential}
		_, state, err := rp.BeginAssertion(alice(), one)
		if err != nil {
			t.Fatal(err)
		}
		asserted, err := rp.FinishAssertion(alice(), state, one, webauthn.AuthenticationResponse{
			ID:    credential.ID,
			RawID: credential.ID,
			Type:  "public-key",
			Response: webauthn.AuthenticatorAssertionResponse{
				ClientDataJSON: clientDataJSON, AuthenticatorData: authenticatorData, Signature: signature,
			},
		})
		if err != nil {
			checkFuzzError(t, err)
			return
		}
		const required = authenticator.FlagUP | authenticator.FlagUV
		if asserted.Flags&required != required || asserted.SignCount == 0 {
			t.Errorf("accepted flags %#x, counter %d", asserted.Flags, asserted.SignCount)
		}
	})
}
