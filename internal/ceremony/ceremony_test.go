package ceremony_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/webauthn"
)

// The corpus is about what must fail; this is about what must work.
func TestHonestCeremonies(t *testing.T) {
	rp := newRelyingParty(t)
	for _, alg := range []int64{authenticator.EdDSA, authenticator.ES256, authenticator.RS256} {
		for _, self := range []bool{false, true} {
			t.Run(fmt.Sprintf("alg %d, self attestation %v", alg, self), func(t *testing.T) {
				aaguid := uuid.MustParse("01020304-0506-0708-0102-030405060708")
				a := authenticator.New(authenticator.Config{
					Algorithms:      []int64{alg},
					SelfAttestation: self,
					AAGUID:          aaguid,
					Transports:      []string{"internal", "hybrid"},
					BackupEligible:  true,
					CounterStep:     3,
				})
				credential := register(t, rp, a)
				want := ceremony.Credential{
					ID:         a.CredentialIDs()[0],
					PublicKey:  credential.PublicKey,
					Algorithm:  alg,
					AAGUID:     aaguid,
					Flags:      authenticator.FlagUP | authenticator.FlagUV | authenticator.FlagBE,
					Transports: []string{"internal", "hybrid"},
				}
				if diff := cmp.Diff(want, credential); diff != "" {
					t.Errorf("credential (-want +got):\n%s", diff)
				}

				owned := []ceremony.Credential{credential}
				asserted, got := tryAssert(t, rp, a, owned, owned, authenticator.Hostile{}, nil)
				if got != (verdict{}) {
					t.Fatalf("an honest assertion was %v", got)
				}
				wantAsserted := ceremony.Asserted{CredentialID: credential.ID, SignCount: 3, Flags: credential.Flags}
				if diff := cmp.Diff(wantAsserted, asserted); diff != "" {
					t.Errorf("asserted (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := ceremony.Config{RPID: "example.com", Origins: []string{"https://example.com"}}
	if _, err := ceremony.New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*ceremony.Config){
		"no RPID":             func(c *ceremony.Config) { c.RPID = "" },
		"RPID is an address":  func(c *ceremony.Config) { c.RPID = "127.0.0.1" },
		"RPID has a scheme":   func(c *ceremony.Config) { c.RPID = "https://example.com" },
		"no origins":          func(c *ceremony.Config) { c.Origins = nil },
		"empty origin":        func(c *ceremony.Config) { c.Origins = []string{""} },
		"origin is a host":    func(c *ceremony.Config) { c.Origins = []string{"example.com"} },
		"origin with slash":   func(c *ceremony.Config) { c.Origins = []string{"https://example.com/"} },
		"origin with user":    func(c *ceremony.Config) { c.Origins = []string{"https://u@example.com"} },
		"origin with query":   func(c *ceremony.Config) { c.Origins = []string{"https://example.com?x"} },
		"origin in capitals":  func(c *ceremony.Config) { c.Origins = []string{"https://Example.com"} },
		"origin default port": func(c *ceremony.Config) { c.Origins = []string{"https://example.com:443"} },
		"origin empty port":   func(c *ceremony.Config) { c.Origins = []string{"https://example.com:"} },
		"origin without host": func(c *ceremony.Config) { c.Origins = []string{"https://"} },
		"origin null":         func(c *ceremony.Config) { c.Origins = []string{"null"} },
		"app by another name": func(c *ceremony.Config) { c.Origins = []string{"android:com.example.app"} },
		"negative timeout":    func(c *ceremony.Config) { c.Timeout = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			spoil(&c)
			if _, err := ceremony.New(c); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestBeginRefusesWhatCannotWork(t *testing.T) {
	rp := newRelyingParty(t)
	credential := register(t, rp, authenticator.New(authenticator.Config{}))
	for _, handle := range [][]byte{nil, make([]byte, 65)} {
		u := ceremony.User{Handle: handle}
		if _, _, err := rp.BeginRegistration(u, nil); err == nil {
			t.Errorf("registration with a handle of %d bytes accepted", len(handle))
		}
		if _, _, err := rp.BeginAssertion(u, []ceremony.Credential{credential}); err == nil {
			t.Errorf("assertion with a handle of %d bytes accepted", len(handle))
		}
	}
	// A36
	if _, _, err := rp.BeginAssertion(alice(), nil); err == nil {
		t.Error("assertion with nothing to offer accepted")
	}
}

func TestChallengesAreDrawnFromRandom(t *testing.T) {
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	rp, err := ceremony.New(ceremony.Config{
		RPID:    rpID,
		Origins: []string{origin},
		Random:  bytes.NewReader(append(bytes.Clone(first), second...)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]byte{first, second} {
		options, state, err := rp.BeginRegistration(alice(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(options.Challenge, want) || !bytes.Equal(state.Challenge(), want) {
			t.Errorf("challenge %x, state %x, want %x", options.Challenge, state.Challenge(), want)
		}
	}
	if _, _, err := rp.BeginRegistration(alice(), nil); err == nil {
		t.Error("a challenge was made up after the randomness had run out")
	}
}

// The text of an error may reach a log.
func TestErrorTextQuotesNothing(t *testing.T) {
	rp := newRelyingParty(t)
	options, state, err := rp.BeginRegistration(alice(), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := authenticator.New(authenticator.Config{}).CreateWith(origin, mustJSON(t, options), authenticator.Hostile{
		ClientData: set("origin", "https://evil.example"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var r webauthn.RegistrationResponse
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	_, err = rp.FinishRegistration(alice(), state, r)
	if got, want := fmt.Sprintf("%v|%+v", err, err), "ceremony: refused: origin|ceremony: refused: origin"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestZeroStateIsAnsweredByNothing(t *testing.T) {
	rp := newRelyingParty(t)
	a := authenticator.New(authenticator.Config{})
	options, _, err := rp.BeginRegistration(alice(), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := a.CreateWith(origin, mustJSON(t, options), authenticator.Hostile{ClientData: set("challenge", "")})
	if err != nil {
		t.Fatal(err)
	}
	var r webauthn.RegistrationResponse
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	_, err = rp.FinishRegistration(ceremony.User{}, ceremony.RegistrationState{}, r)
	if got, want := judge(t, err), (verdict{ceremony.Refused, ceremony.ReasonChallenge}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
