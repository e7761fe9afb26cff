package ceremony

import (
	"bytes"
	"errors"

	"github.com/stepkey/stepkey/webauthn"
)

// DiscoverableState is the server's state of an assertion that has begun without a
// user. It holds only the challenge; the response identifies the user.
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

// BeginDiscoverable returns the options for signing in with any passkey that the client
// has. The list of allowed passkeys is empty, so that the options do not reveal who has
// an account (WebAuthn Level 3 §14.6.2).
func (rp *RelyingParty) BeginDiscoverable() (webauthn.RequestOptions, DiscoverableState, error) {
	challenge, err := rp.newChallenge()
	if err != nil {
		return webauthn.RequestOptions{}, DiscoverableState{}, err
	}
	state := DiscoverableState{challenge: challenge}
	return rp.requestOptions(state.Challenge(), nil), state, nil
}

// CheckForm returns an *Error of kind Malformed if the assertion is not well formed. It
// is for callers that look up a passkey before verifying.
func CheckForm(a webauthn.AuthenticationResponse) error {
	_, err := parseAssertion(a)
	return err
}

// FinishDiscoverable verifies the client's response with the passkey that has its
// credential id and with u, the owner of that passkey. The user handle must be present
// and be u's, because it identifies the account (§7.2, "identify the user"). The error
// is an *Error.
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
