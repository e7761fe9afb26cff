package ceremony

import (
	"bytes"
	"errors"

	"github.com/stepkey/stepkey/webauthn"
)

// Asserted is the changes that an accepted assertion makes to the stored
// passkey.
type Asserted struct {
	// CredentialID identifies the passkey.
	CredentialID []byte

	// SignCount is the new signature counter.
	SignCount uint32

	// Flags are UP, UV, BE and BS of this assertion.
	Flags byte

	// BackupChanged says that BE differs from the stored value. The passkey is
	// then no longer Attested.
	BackupChanged bool
}

// BackupEligible reports whether the passkey can be synced, as this assertion says.
func (a Asserted) BackupEligible() bool { return a.Flags&flagBackupEligible != 0 }

// BeginAssertion returns the options for proving possession of one of the
// passkeys in allow. An empty list is an error: the client would read it as
// "any passkey at all", and an answer would prove nothing about u (YSA-2026-02).
func (rp *RelyingParty) BeginAssertion(u User, allow []Credential) (webauthn.RequestOptions, AssertionState, error) {
	if err := u.check(); err != nil {
		return webauthn.RequestOptions{}, AssertionState{}, err
	}
	if len(allow) == 0 {
		return webauthn.RequestOptions{}, AssertionState{}, errors.New("ceremony: an assertion needs at least one passkey to offer")
	}
	challenge, err := rp.newChallenge()
	if err != nil {
		return webauthn.RequestOptions{}, AssertionState{}, err
	}
	state := AssertionState{challenge: challenge, handle: bytes.Clone(u.Handle)}
	for _, c := range allow {
		state.offered = append(state.offered, bytes.Clone(c.ID))
	}
	return rp.requestOptions(state.Challenge(), allow), state, nil
}

// FinishAssertion verifies the client's response. The passkeys in owned are
// those u has now, read after the state was taken: one that was deleted in the
// meantime is no longer accepted, and the others still are. The error is an
// *Error.
func (rp *RelyingParty) FinishAssertion(u User, s AssertionState, owned []Credential, a webauthn.AuthenticationResponse) (Asserted, error) {
	parsed, err := parseAssertion(a)
	if err != nil {
		return Asserted{}, err
	}
	credential, err := findCredential(u, s, owned, a)
	if err != nil {
		return Asserted{}, err
	}
	return rp.finish(s.challenge, u.Handle, credential, parsed)
}

// parsedAssertion is a well-formed assertion. Nothing in it is verified.
type parsedAssertion struct {
	webauthn.AuthenticationResponse
	client clientData
	data   authData
}

func parseAssertion(a webauthn.AuthenticationResponse) (parsedAssertion, error) {
	if err := checkEnvelope(a.ID, a.RawID, a.Type); err != nil {
		return parsedAssertion{}, err
	}
	client, err := parseClientData(a.Response.ClientDataJSON)
	if err != nil {
		return parsedAssertion{}, err
	}
	data, err := parseAuthData(a.Response.AuthenticatorData)
	if err != nil {
		return parsedAssertion{}, err
	}
	if len(a.Response.Signature) == 0 {
		return parsedAssertion{}, malformed(ReasonSignature, errors.New("no signature"))
	}
	return parsedAssertion{a, client, data}, nil
}

// finish verifies the assertion with a credential of the user with that handle.
func (rp *RelyingParty) finish(challenge, handle []byte, credential Credential, a parsedAssertion) (Asserted, error) {
	if err := a.client.verify(typeGet, challenge, rp.origins); err != nil {
		return Asserted{}, err
	}
	if err := a.data.verify(rp.id); err != nil {
		return Asserted{}, err
	}
	// Zero means that the passkey was registered elsewhere and its flags are
	// unknown (see Adopt). The flags of this assertion are then the first ones.
	known := credential.Flags != 0
	backupChanged := known && (a.data.flags^credential.Flags)&flagBackupEligible != 0
	if backupChanged && credential.HardwareBound() {
		return Asserted{}, refused(ReasonBackupEligibilityChanged, nil)
	}
	// §7.2 asks for the comparison only where backup state is part of the relying
	// party's policy. Here only hardware-bound passkeys have such a policy, and
	// password managers do change the flag of a passkey. The library always
	// compares, so it is given the flags that are about to be stored.
	credential.Flags = a.data.flags & storedFlags
	// §6.1: an assertion has no attested credential data. An assertion must never
	// be usable as a registration.
	if a.data.flags&flagAttestedCredential != 0 {
		return Asserted{}, refused(ReasonAuthenticatorData, errors.New("attested credential data in an assertion"))
	}
	// The key was checked when it was registered. It is checked again because
	// other programs may have written to the database.
	if _, err := checkPublicKey(credential.PublicKey); err != nil {
		return Asserted{}, refused(ReasonPublicKey, err)
	}
	if err := rp.verifyAssertion(challenge, handle, credential, a.AuthenticationResponse); err != nil {
		return Asserted{}, err
	}
	if !counterAdvances(credential.SignCount, a.data.signCount) {
		return Asserted{}, refused(ReasonCounter, nil)
	}
	return Asserted{
		CredentialID:  bytes.Clone(credential.ID),
		SignCount:     a.data.signCount,
		Flags:         a.data.flags & storedFlags,
		BackupChanged: backupChanged,
	}, nil
}

// findCredential follows §7.2 on allowCredentials and on the owner of a
// credential if the user is known beforehand.
func findCredential(u User, s AssertionState, owned []Credential, a webauthn.AuthenticationResponse) (Credential, error) {
	if !bytes.Equal(s.handle, u.Handle) {
		return Credential{}, refused(ReasonUserHandle, errors.New("the ceremony of another user"))
	}
	for _, credential := range owned {
		if !bytes.Equal(credential.ID, a.RawID) {
			continue
		}
		if !s.offers(credential.ID) {
			return Credential{}, refused(ReasonNotOffered, nil)
		}
		if handle := a.Response.UserHandle; len(handle) != 0 && !bytes.Equal(handle, u.Handle) {
			return Credential{}, refused(ReasonUserHandle, nil)
		}
		return credential, nil
	}
	return Credential{}, refused(ReasonUnknownCredential, nil)
}

// counterAdvances decides what §7.2 leaves to the relying party: a counter that
// does not increase means that there may be a copy of the passkey, and the
// assertion is refused. Synced passkeys have no counter; it stays at zero.
func counterAdvances(stored, received uint32) bool {
	return stored == 0 && received == 0 || received > stored
}
