package ceremony

import (
	"bytes"
	"errors"

	"github.com/stepkey/stepkey/webauthn"
)

// BeginRegistration returns the options for creating a passkey for u. The
// credentials in exclude, normally all that u has, keep the client from
// silently replacing one of them.
func (rp *RelyingParty) BeginRegistration(u User, exclude []Credential) (webauthn.CreationOptions, RegistrationState, error) {
	if err := u.check(); err != nil {
		return webauthn.CreationOptions{}, RegistrationState{}, err
	}
	challenge, err := rp.newChallenge()
	if err != nil {
		return webauthn.CreationOptions{}, RegistrationState{}, err
	}
	state := RegistrationState{challenge: challenge, handle: bytes.Clone(u.Handle)}
	return rp.creationOptions(u, state.Challenge(), exclude), state, nil
}

// FinishRegistration verifies the client's response and returns the new
// passkey. The caller must still check that it is unique. The error is an
// *Error.
func (rp *RelyingParty) FinishRegistration(u User, s RegistrationState, r webauthn.RegistrationResponse) (Credential, error) {
	if err := checkEnvelope(r.ID, r.RawID, r.Type); err != nil {
		return Credential{}, err
	}
	client, err := parseClientData(r.Response.ClientDataJSON)
	if err != nil {
		return Credential{}, err
	}
	object, err := parseAttestation(r.Response.AttestationObject)
	if err != nil {
		return Credential{}, err
	}
	data, err := parseAuthData(object.authData)
	if err != nil {
		return Credential{}, err
	}
	if data.flags&flagAttestedCredential == 0 {
		return Credential{}, malformed(ReasonAuthenticatorData, errors.New("no attested credential data"))
	}

	if !bytes.Equal(s.handle, u.Handle) {
		return Credential{}, refused(ReasonUserHandle, nil)
	}
	if err := client.verify(typeCreate, s.challenge, rp.origins); err != nil {
		return Credential{}, err
	}
	if err := data.verify(rp.id); err != nil {
		return Credential{}, err
	}
	alg, err := checkPublicKey(data.publicKey)
	if err != nil {
		return Credential{}, err
	}
	object, attested, err := object.judge(rp.attestationRoots)
	if err != nil {
		return Credential{}, err
	}
	if len(data.credentialID) < minCredentialID || !bytes.Equal(data.credentialID, r.RawID) {
		return Credential{}, refused(ReasonCredentialID, nil)
	}
	if err := rp.verifyRegistration(s, r, object); err != nil {
		return Credential{}, err
	}
	return Credential{
		ID:         bytes.Clone(data.credentialID),
		PublicKey:  data.publicKey,
		Algorithm:  alg,
		AAGUID:     data.aaguid,
		SignCount:  data.signCount,
		Flags:      data.flags & storedFlags,
		Transports: usableTransports(r.Response.Transports),
		Attested:   attested,
	}, nil
}
