package ceremony

import (
	"bytes"
	"errors"

	"github.com/stepkey/stepkey/webauthn"
)

// DiscoverableState is what the server remembers of an assertion that has begun without
// a user: the challenge, and nothing else. Who answers says who the user is.
type DiscoverableState struct {
	challenge []byte
}

// Challenge returns the challenge of the ceremony.
func (s DiscoverableState) Challenge() []byte { return bytes.Clone(s.challenge) }

// MarshalBinary encodes the state for UnmarshalBinary of the same version of this package.
func (s DiscoverableState) MarshalBinary() ([]byte, error) {
	if len(s.challenge) != challengeSize {
		return nil, errState
	}
	return append([]byte{discoverableTag}, s.challenge...), nil
}

// UnmarshalBinary decodes what MarshalBinary encoded. The bytes of any other state are an
// error.
func (s *DiscoverableState) UnmarshalBinary(data []byte) error {
	if len(data) != 1+challengeSize || data[0] != discoverableTag {
		return errState
	}
	s.challenge = bytes.Clone(data[1:])
	return nil
}

// BeginDiscoverable returns the options for signing in with whichever passkey the client
// has: an empty list of allowed ones, the same for everybody, so that they tell nothing
// about who has an account (WebAuthn Level 3 §14.6.2).
func (rp *RelyingParty) BeginDiscoverable() (webauthn.RequestOptions, DiscoverableState, error) {
	challenge, err := rp.newChallenge()
	if err != nil {
		return webauthn.RequestOptions{}, DiscoverableState{}, err
	}
	state := DiscoverableState{challenge: challenge}
	return rp.requestOptions(state.Challenge(), nil), state, nil
}

// CheckForm returns an *Error of kind Malformed if an assertion is none at all. It is for
// who has to look up a passkey before there is anything to verify.
func CheckForm(a webauthn.AuthenticationResponse) error {
	_, err := parseAssertion(a)
	return err
}

// FinishDiscoverable verifies what the client answered with the passkey of that
// credential id, and u, who owns it. The user handle has to be there and to be u's: it
// is how the authenticator says whose account it means (§7.2, "identify the user"). The
// error is an *Error.
func (rp *RelyingParty) FinishDiscoverable(u User, s DiscoverableState, owned Credential, a webauthn.AuthenticationResponse) (Asserted, error) {
	parsed, err := parseAssertion(a)
	if err != nil {
		return Asserted{}, err
	}
	if len(owned.ID) == 0 || !bytes.Equal(owned.ID, a.RawID) {
		return Asserted{}, refused(ReasonUnknownCredential, nil)
	}
	if len(u.Handle) == 0 || !bytes.Equal(a.Response.UserHandle, u.Handle) {
		return Asserted{}, refused(ReasonUserHandle, errors.New("no user handle, or somebody else's"))
	}
	return rp.finish(s.challenge, u.Handle, owned, parsed)
}
