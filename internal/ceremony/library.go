package ceremony

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	library "github.com/go-webauthn/webauthn/webauthn"

	"github.com/stepkey/stepkey/webauthn"
)

// newLibrary configures go-webauthn. It does not enforce timeouts, because it
// would read the wall clock, while challenges expire by the store's clock. It
// never gets client extension outputs, so there is nothing to configure for
// those.
func newLibrary(rp *RelyingParty) (*library.WebAuthn, error) {
	library, err := library.New(&library.Config{
		RPID:          rp.id,
		RPDisplayName: rp.name,
		RPOrigins:     rp.origins,
	})
	if err != nil {
		return nil, fmt.Errorf("ceremony: %w", err)
	}
	return library, nil
}

// verifyRegistration lets go-webauthn verify the whole registration again, and
// the signature of a self attestation for the first time.
func (rp *RelyingParty) verifyRegistration(s RegistrationState, r webauthn.RegistrationResponse, object attestation) error {
	encoded, err := object.encode()
	if err != nil {
		return refused(ReasonLibrary, err)
	}
	parsed, err := protocol.CredentialCreationResponse{
		PublicKeyCredential: publicKeyCredential(r.RawID),
		AttestationResponse: protocol.AuthenticatorAttestationResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: protocol.URLEncodedBase64(r.Response.ClientDataJSON)},
			AttestationObject:     encoded,
		},
	}.Parse()
	if err != nil {
		return malformed(ReasonLibrary, err)
	}
	session := library.SessionData{
		Challenge:        base64.RawURLEncoding.EncodeToString(s.challenge),
		RelyingPartyID:   rp.id,
		UserID:           s.handle,
		UserVerification: protocol.VerificationRequired,
		CredParams:       library.CredentialParametersRecommendedL3(),
	}
	created, err := rp.library.CreateCredential(libraryUser{handle: s.handle}, session, parsed)
	if err != nil {
		if object.format == formatPacked {
			return refused(ReasonAttestation, err)
		}
		return refused(ReasonLibrary, err)
	}
	if _, err := webauthncose.ParsePublicKey(created.PublicKey); err != nil {
		return refused(ReasonLibrary, err)
	}
	return nil
}

// verifyAssertion lets go-webauthn verify the whole assertion again, and its
// signature for the first time.
//
// The session names the one credential in question. With the whole list, the
// library would refuse an assertion because some other passkey was deleted
// since the ceremony began.
func (rp *RelyingParty) verifyAssertion(challenge, handle []byte, credential Credential, a webauthn.AuthenticationResponse) error {
	parsed, err := protocol.CredentialAssertionResponse{
		PublicKeyCredential: publicKeyCredential(a.RawID),
		AssertionResponse: protocol.AuthenticatorAssertionResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: protocol.URLEncodedBase64(a.Response.ClientDataJSON)},
			AuthenticatorData:     protocol.URLEncodedBase64(a.Response.AuthenticatorData),
			Signature:             protocol.URLEncodedBase64(a.Response.Signature),
			UserHandle:            protocol.URLEncodedBase64(a.Response.UserHandle),
		},
	}.Parse()
	if err != nil {
		return malformed(ReasonLibrary, err)
	}
	session := library.SessionData{
		Challenge:            base64.RawURLEncoding.EncodeToString(challenge),
		RelyingPartyID:       rp.id,
		UserID:               handle,
		UserVerification:     protocol.VerificationRequired,
		AllowedCredentialIDs: [][]byte{credential.ID},
	}
	user := libraryUser{handle: handle, credentials: []library.Credential{{
		ID:            credential.ID,
		PublicKey:     credential.PublicKey,
		Flags:         library.NewCredentialFlags(protocol.AuthenticatorFlags(credential.Flags)),
		Authenticator: library.Authenticator{SignCount: credential.SignCount},
	}}}
	_, err = rp.library.ValidateLogin(user, session, parsed)
	if err == nil {
		return nil
	}
	var libraryError *protocol.Error
	if errors.As(err, &libraryError) && libraryError.Type == protocol.ErrAssertionSignature.Type {
		return refused(ReasonSignature, err)
	}
	return refused(ReasonLibrary, err)
}

func publicKeyCredential(id []byte) protocol.PublicKeyCredential {
	return protocol.PublicKeyCredential{
		Credential: protocol.Credential{
			ID:   base64.RawURLEncoding.EncodeToString(id),
			Type: credentialType,
		},
		RawID: id,
	}
}

// libraryUser implements the user interface of go-webauthn.
type libraryUser struct {
	handle      []byte
	credentials []library.Credential
}

func (u libraryUser) WebAuthnID() []byte                        { return u.handle }
func (u libraryUser) WebAuthnName() string                      { return "" }
func (u libraryUser) WebAuthnDisplayName() string               { return "" }
func (u libraryUser) WebAuthnCredentials() []library.Credential { return u.credentials }
