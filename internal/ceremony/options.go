package ceremony

import "slices"

// CreationOptions is PublicKeyCredentialCreationOptionsJSON, as
// PublicKeyCredential.parseCreationOptionsFromJSON takes it (§5.1.8).
type CreationOptions struct {
	Challenge              Base64URL              `json:"challenge"`
	RP                     RPEntity               `json:"rp"`
	User                   UserEntity             `json:"user"`
	PubKeyCredParams       []CredentialParameter  `json:"pubKeyCredParams"`
	Timeout                int64                  `json:"timeout"` // milliseconds
	Attestation            string                 `json:"attestation"`
	ExcludeCredentials     []CredentialDescriptor `json:"excludeCredentials"`
	AuthenticatorSelection AuthenticatorSelection `json:"authenticatorSelection"`
	Extensions             CreationExtensions     `json:"extensions"`
	Hints                  []string               `json:"hints"`
}

// RequestOptions is PublicKeyCredentialRequestOptionsJSON, as
// PublicKeyCredential.parseRequestOptionsFromJSON takes it (§5.1.9).
type RequestOptions struct {
	RPID             string                 `json:"rpId"`
	Challenge        Base64URL              `json:"challenge"`
	AllowCredentials []CredentialDescriptor `json:"allowCredentials"`
	Timeout          int64                  `json:"timeout"` // milliseconds
	UserVerification string                 `json:"userVerification"`

	// Hints are left out where there is nothing to say.
	Hints []string `json:"hints,omitempty"`
}

// RPEntity is PublicKeyCredentialRpEntity (§5.4.2).
type RPEntity struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// UserEntity is PublicKeyCredentialUserEntityJSON (§5.1.8).
type UserEntity struct {
	ID          Base64URL `json:"id"`
	Name        string    `json:"name"`
	DisplayName string    `json:"displayName"`
}

// CredentialParameter is PublicKeyCredentialParameters (§5.3).
type CredentialParameter struct {
	Alg  int64  `json:"alg"`
	Type string `json:"type"`
}

// CredentialDescriptor is PublicKeyCredentialDescriptorJSON (§5.1.8).
// Transports that are not known are left out: a wrong guess keeps the client
// from finding the authenticator.
type CredentialDescriptor struct {
	ID         Base64URL `json:"id"`
	Type       string    `json:"type"`
	Transports []string  `json:"transports,omitempty"`
}

// AuthenticatorSelection is AuthenticatorSelectionCriteria (§5.4.4).
type AuthenticatorSelection struct {
	ResidentKey        string `json:"residentKey"`
	RequireResidentKey bool   `json:"requireResidentKey"`
	UserVerification   string `json:"userVerification"`
}

// CreationExtensions are the extensions asked for at registration. The answers
// are for the page; the server does not read them.
type CreationExtensions struct {
	CredProps bool `json:"credProps"`
}

func (rp *RelyingParty) creationOptions(u User, challenge []byte, exclude []Credential) CreationOptions {
	return CreationOptions{
		Challenge: challenge,
		RP:        RPEntity{Name: rp.name, ID: rp.id},
		User:      UserEntity{ID: u.Handle, Name: u.Name, DisplayName: u.DisplayName},
		PubKeyCredParams: []CredentialParameter{
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
		AuthenticatorSelection: AuthenticatorSelection{
			ResidentKey:      "preferred",
			UserVerification: userVerification,
		},
		Extensions: CreationExtensions{CredProps: true},
		Hints:      []string{},
	}
}

// attestationPreference is what the client is to ask of the authenticator (§5.4.7).
// Browsers let people decide about "direct", which tells the model of their key.
func (rp *RelyingParty) attestationPreference() string {
	if rp.attestationRoots == nil {
		return "none"
	}
	return "direct"
}

func (rp *RelyingParty) requestOptions(challenge []byte, allow []Credential) RequestOptions {
	return RequestOptions{
		RPID:             rp.id,
		Challenge:        challenge,
		AllowCredentials: descriptors(allow),
		Timeout:          rp.timeout.Milliseconds(),
		UserVerification: userVerification,
		Hints:            requestHints(allow),
	}
}

// requestHints has the client ask for a security key at once where nothing else can
// answer (§5.8.7). Of a passkey without transports that is not known.
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

// userVerification is required in both ceremonies, and Finish insists on it.
// With "preferred" a key without a PIN would get past the browser only to be
// refused by the server.
const userVerification = "required"

// descriptors never returns nil, so that the JSON is [] and not null.
func descriptors(credentials []Credential) []CredentialDescriptor {
	list := make([]CredentialDescriptor, len(credentials))
	for i, c := range credentials {
		list[i] = CredentialDescriptor{ID: c.ID, Type: credentialType, Transports: c.Transports}
	}
	return list
}
