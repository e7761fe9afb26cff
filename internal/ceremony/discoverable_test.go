package ceremony_test

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/webauthn"
)

func TestDiscoverableOptionsAreEverybodys(t *testing.T) {
	rp := newRelyingParty(t)
	options, state, err := rp.BeginDiscoverable()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"rpId":"example.com","challenge":"` + base64.RawURLEncoding.EncodeToString(state.Challenge()) +
		`","allowCredentials":[],"timeout":300000,"userVerification":"required"}`
	if got := string(mustJSON(t, options)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// discoverable runs the ceremony for the passkey owned by u.
func discoverable(
	t *testing.T, rp *ceremony.RelyingParty, a *authenticator.Authenticator, h authenticator.Hostile,
	u ceremony.User, owned ceremony.Credential,
) (ceremony.Asserted, error) {
	t.Helper()
	options, state, err := rp.BeginDiscoverable()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := state.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var back ceremony.DiscoverableState
	if err := back.UnmarshalBinary(stored); err != nil {
		t.Fatal(err)
	}
	body, err := a.GetWith(origin, mustJSON(t, options), h)
	if err != nil {
		t.Fatal(err)
	}
	var response webauthn.AuthenticationResponse
	if err := json.Unmarshal(body, &response); err != nil {
		t.Fatal(err)
	}
	return rp.FinishDiscoverable(u, back, owned, response)
}

func TestFinishDiscoverable(t *testing.T) {
	rp := newRelyingParty(t)
	a := authenticator.New(authenticator.Config{CounterStep: 1})
	credential, other := register(t, rp, a), register(t, rp, authenticator.New(authenticator.Config{}))
	asserted, err := discoverable(t, rp, a, authenticator.Hostile{}, alice(), credential)
	if err != nil || !bytes.Equal(asserted.CredentialID, credential.ID) || asserted.SignCount != 1 {
		t.Fatalf("%+v, %v", asserted, err)
	}

	userHandle := func(value any) authenticator.Hostile {
		return authenticator.Hostile{Response: func(members map[string]any) {
			members["response"].(map[string]any)["userHandle"] = value
		}}
	}
	bob := ceremony.User{Handle: []byte("fedcba9876543210"), Name: "bob"}
	for name, test := range map[string]struct {
		hostile authenticator.Hostile
		user    ceremony.User
		owned   ceremony.Credential
		want    ceremony.Reason
	}{
		"unknown passkey":            {authenticator.Hostile{}, ceremony.User{}, ceremony.Credential{}, ceremony.ReasonUnknownCredential},
		"looked up another":          {authenticator.Hostile{}, alice(), other, ceremony.ReasonUnknownCredential},
		"owned by another (A41)":     {authenticator.Hostile{}, bob, credential, ceremony.ReasonUserHandle},
		"no user handle (A41)":       {userHandle(nil), alice(), credential, ceremony.ReasonUserHandle},
		"empty user handle (A41)":    {userHandle(""), alice(), credential, ceremony.ReasonUserHandle},
		"foreign user handle":        {userHandle("ZmVkY2JhOTg3NjU0MzIxMA"), alice(), credential, ceremony.ReasonUserHandle},
		"owner without a handle":     {userHandle(nil), ceremony.User{}, credential, ceremony.ReasonUserHandle},
		"no user verification (A13)": {flags(authenticator.FlagUV), alice(), credential, ceremony.ReasonUserVerification},
		"no user presence (A12)":     {flags(authenticator.FlagUP), alice(), credential, ceremony.ReasonUserPresence},
		"another origin":             {authenticator.Hostile{ClientData: set("origin", "https://evil.example")}, alice(), credential, ceremony.ReasonOrigin},
		"another challenge": {
			authenticator.Hostile{ClientData: set("challenge", "AAAA")}, alice(), credential, ceremony.ReasonChallenge,
		},
		"bad signature": {
			authenticator.Hostile{Sign: func(message []byte, sign func([]byte) []byte) []byte {
				return sign(append([]byte{1}, message...))
			}}, alice(), credential, ceremony.ReasonSignature,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := discoverable(t, rp, a, test.hostile, test.user, test.owned)
			if got, want := judge(t, err), (verdict{ceremony.Refused, test.want}); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// flags clears a flag of the authenticator data.
func flags(clear byte) authenticator.Hostile {
	return authenticator.Hostile{AuthenticatorData: func(d *authenticator.AuthenticatorData) { d.Flags &^= clear }}
}

func TestDiscoverableStateIsOfItsOwnKind(t *testing.T) {
	registration, assertion := encodedStates(t)
	_, state, err := newRelyingParty(t).BeginDiscoverable()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := state.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var d ceremony.DiscoverableState
	for name, data := range map[string][]byte{
		"registration": registration, "assertion": assertion, "nothing": nil,
		"short": stored[:len(stored)-1], "long": append(bytes.Clone(stored), 0),
	} {
		if d.UnmarshalBinary(data) == nil {
			t.Errorf("%s decoded", name)
		}
	}
	var a ceremony.AssertionState
	var r ceremony.RegistrationState
	if a.UnmarshalBinary(stored) == nil || r.UnmarshalBinary(stored) == nil {
		t.Error("a discoverable state decoded as another")
	}
	if _, err := (ceremony.DiscoverableState{}).MarshalBinary(); err == nil {
		t.Error("a state without challenge was encoded")
	}
}

func TestRequestHints(t *testing.T) {
	rp := newRelyingParty(t)
	for _, test := range []struct {
		transports [][]string
		want       int
	}{
		{[][]string{{"usb", "nfc"}, {"ble"}}, 1},
		{[][]string{{"usb"}, {"internal"}}, 0},
		{[][]string{{"usb", "hybrid"}}, 0},
		{[][]string{{"usb"}, nil}, 0},
	} {
		var allow []ceremony.Credential
		for i, transports := range test.transports {
			allow = append(allow, ceremony.Credential{ID: []byte{byte(i)}, Transports: transports})
		}
		options, _, err := rp.BeginAssertion(alice(), allow)
		if err != nil || len(options.Hints) != test.want {
			t.Errorf("%v: hints %v, %v", test.transports, options.Hints, err)
		}
	}
}
