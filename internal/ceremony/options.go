package ceremony

import (
	"slices"

	"github.com/stepkey/stepkey/webauthn"
)

func (rp *RelyingParty) creationOptions(u User, challenge []byte, exclude []Credential) webauthn.CreationOptions {
	return webauthn.CreationOptions{
		Challenge: challenge,
		RP:        webauthn.RPEntity{Name: rp.name, ID: rp.id},
		User:      webauthn.UserEntity{ID: u.Handle, Name: u.Name, DisplayName: u.DisplayName},
		PubKeyCredParams: []webauthn.CredentialParameter{
			// ES256 comes first because an authenticator takes the first algorithm
			// that it has: Firefox before 118 encodes Ed25519 keys wrongly on Linux
			// and macOS.
			{Alg: algES256, Type: credentialType},
			{Alg: algEdDSA, Type: credentialType},
			{Alg: algRS256, Type: credentialType},
		},
		Timeout:            rp.timeout.Milliseconds(),
		Attestation:        rp.attestationPreference(),
		ExcludeCredentials: descriptors(exclude),
		AuthenticatorSelection: webauthn.AuthenticatorSelection{
			ResidentKey:      "preferred",
			UserVerification: userVerification,
		},
		Extensions: webauthn.CreationExtensions{CredProps: true},
		Hints:      []string{},
	}
}

// attestationPreference returns the attestation that the client should request from
// the authenticator (§5.4.7). Browsers ask people before they send "direct"
// attestation, which reveals the model of their key.
func (rp *RelyingParty) attestationPreference() string {
	if rp.attestationRoots == nil {
		return "none"
	}
	return "direct"
}

func (rp *RelyingParty) requestOptions(challenge []byte, allow []Credential) webauthn.RequestOptions {
	return webauthn.RequestOptions{
		RPID:             rp.id,
		Challenge:        challenge,
		AllowCredentials: descriptors(allow),
		Timeout:          rp.timeout.Milliseconds(),
		UserVerification: userVerification,
		Hints:            requestHints(allow),
	}
}

// requestHints makes the client ask for a security key at once if nothing else can
// answer (§5.8.7). For a passkey without transports this is not known.
func requestHints(allow []Credential) []string {
	for _, c := range allow {
		if len(c.Transports) == 0 {
			return nil
		}
		for _, transport := range c.Transports {
			if !slices.Contains([]string{"usb", "nfc", "ble", "smart-card"}, transport) {
				return nil
			}
		}
	}
	if len(allow) == 0 {
		return nil
	}
	return []string{"security-key"}
}

// userVerification is required in both ceremonies, and Finish checks it. With
// "preferred", the browser would accept a key without a PIN and the server
// would then refuse it.
const userVerification = "required"

// descriptors never returns nil, so that the JSON is [] and not null.
func descriptors(credentials []Credential) []webauthn.CredentialDescriptor {
	list := make([]webauthn.CredentialDescriptor, len(credentials))
	for i, c := range credentials {
		list[i] = webauthn.CredentialDescriptor{ID: c.ID, Type: credentialType, Transports: c.Transports}
	}
	return list
}
