package ceremony_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

func encodedStates(t testing.TB) (registration, assertion []byte) {
	t.Helper()
	rp := newRelyingParty(t)
	credential := register(t, rp, authenticator.New(authenticator.Config{}))
	_, r, err := rp.BeginRegistration(alice(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, a, err := rp.BeginAssertion(alice(), []ceremony.Credential{credential, credential})
	if err != nil {
		t.Fatal(err)
	}
	if registration, err = r.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	if assertion, err = a.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	return registration, assertion
}

// R27 and A07: the challenge of one ceremony is of no use in the other.
func TestStatesOfOneKindDoNotDecodeAsTheOther(t *testing.T) {
	registration, assertion := encodedStates(t)
	var r ceremony.RegistrationState
	if err := r.UnmarshalBinary(assertion); err == nil {
		t.Error("an assertion state decoded as a registration state")
	}
	var a ceremony.AssertionState
	if err := a.UnmarshalBinary(registration); err == nil {
		t.Error("a registration state decoded as an assertion state")
	}
	// The tag is not all that keeps them apart: a registration state offers
	// nothing, and an assertion state without an offer does not decode.
	registration[0] = 'A'
	if err := a.UnmarshalBinary(registration); err == nil {
		t.Error("an assertion state without an offer decoded")
	}
	for tag := range 256 {
		registration[0], assertion[0] = byte(tag), byte(tag)
		if err := r.UnmarshalBinary(registration); (err == nil) != (tag == 'R') {
			t.Errorf("a registration state with the tag %#x: %v", tag, err)
		}
		if err := a.UnmarshalBinary(assertion); (err == nil) != (tag == 'A') {
			t.Errorf("an assertion state with the tag %#x: %v", tag, err)
		}
	}
}

func TestStateDecodingIsStrict(t *testing.T) {
	registration, assertion := encodedStates(t)
	for n := range registration {
		var s ceremony.RegistrationState
		if err := s.UnmarshalBinary(registration[:n]); err == nil {
			t.Errorf("a registration state cut to %d bytes decoded", n)
		}
	}
	const oneOffer = 2 + 32
	for n := range assertion {
		var s ceremony.AssertionState
		err := s.UnmarshalBinary(assertion[:n])
		if whole := n == len(assertion)-oneOffer; (err == nil) != whole {
			t.Errorf("an assertion state cut to %d bytes: %v", n, err)
		}
	}
	var r ceremony.RegistrationState
	if err := r.UnmarshalBinary(append(registration, 0)); err == nil {
		t.Error("a registration state with a byte too many decoded")
	}
	var a ceremony.AssertionState
	if err := a.UnmarshalBinary(append(assertion, 0)); err == nil {
		t.Error("an assertion state with a byte too many decoded")
	}
}

func TestZeroStatesDoNotEncode(t *testing.T) {
	if _, err := (ceremony.RegistrationState{}).MarshalBinary(); err == nil {
		t.Error("a zero registration state was encoded")
	}
	if _, err := (ceremony.AssertionState{}).MarshalBinary(); err == nil {
		t.Error("a zero assertion state was encoded")
	}
}

func TestStateBytesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data")
		if len(data) > 0 {
			data[0] = rapid.SampledFrom([]byte{'R', 'A', 0}).Draw(t, "tag")
		}
		if len(data) > 33 {
			data[33] %= 70
		}
		var r ceremony.RegistrationState
		if r.UnmarshalBinary(data) == nil {
			if again, err := r.MarshalBinary(); err != nil || string(again) != string(data) {
				t.Fatalf("%x came back as %x, %v", data, again, err)
			}
		}
		var a ceremony.AssertionState
		if a.UnmarshalBinary(data) == nil {
			if again, err := a.MarshalBinary(); err != nil || string(again) != string(data) {
				t.Fatalf("%x came back as %x, %v", data, again, err)
			}
		}
	})
}
