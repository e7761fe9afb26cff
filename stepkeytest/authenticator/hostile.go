package authenticator

// Hostile says how an answer differs from a correct one. Each hook gets the
// correct value and changes it in place or returns another one; a nil hook
// changes nothing. The hooks run in the order of the fields, and later values
// are computed from earlier ones: an edited origin is in the client data that
// is signed, and only the hooks after Sign make the signature invalid.
type Hostile struct {
	// IgnoreOptions makes the client ignore its own rules: the relying party id,
	// excludeCredentials, allowCredentials and required user verification.
	IgnoreOptions bool

	// CredentialID names the credential that answers a request.
	CredentialID []byte

	// ClientData edits the members of the client data, ClientDataJSON its
	// bytes.
	ClientData     func(members map[string]any)
	ClientDataJSON func(raw []byte) []byte

	// PublicKey edits the labels of the new credential's key, PublicKeyCBOR
	// its bytes.
	PublicKey     func(COSEKey)
	PublicKeyCBOR func(raw []byte) []byte

	// AuthenticatorData edits the fields of the authenticator data,
	// AuthenticatorDataBytes its bytes.
	AuthenticatorData      func(*AuthenticatorData)
	AuthenticatorDataBytes func(raw []byte) []byte

	// ToBeSigned edits the message that an assertion or a self attestation
	// signs; Sign replaces the signature and gets the signer of the message.
	ToBeSigned func(message []byte) []byte
	Sign       func(message []byte, sign func([]byte) []byte) []byte

	// Attestation edits the members of the attestation object,
	// AttestationObject its bytes.
	Attestation       func(members map[string]any)
	AttestationObject func(raw []byte) []byte

	// Response edits the answer as a whole: id, rawId, type, response and so
	// on, with binary members as base64url strings.
	Response func(members map[string]any)
}

func edit[T any](hook func(T), value T) {
	if hook != nil {
		hook(value)
	}
}

func replace(hook func([]byte) []byte, raw []byte) []byte {
	if hook == nil {
		return raw
	}
	return hook(raw)
}
