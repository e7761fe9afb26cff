package ceremony

// Kind is the class of an Error. A client may learn nothing else about it.
type Kind uint8

const (
	// Malformed means that the response is not one that the WebAuthn API produces:
	// the answer is 400.
	Malformed Kind = iota + 1

	// Refused means that the response is well formed but does not verify: the
	// answer is 401, the same for every Reason.
	Refused
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Malformed:
		return "malformed"
	case Refused:
		return "refused"
	default:
		return "unknown"
	}
}

// Reason says which rule a response violates. It is for events, metrics and
// tests, never for clients.
type Reason string

// The rules about the client data of both ceremonies.
const (
	ReasonClientData  Reason = "client_data" // not a JSON object as §5.8.1 describes it
	ReasonType        Reason = "type"
	ReasonChallenge   Reason = "challenge"
	ReasonOrigin      Reason = "origin"
	ReasonCrossOrigin Reason = "cross_origin" // crossOrigin is true or there is a topOrigin
)

// The rules about the authenticator data of both ceremonies.
const (
	ReasonAuthenticatorData        Reason = "authenticator_data" // not as §6.1 describes it
	ReasonRPID                     Reason = "rp_id"
	ReasonUserPresence             Reason = "user_presence"
	ReasonUserVerification         Reason = "user_verification"
	ReasonBackupFlags              Reason = "backup_flags"               // backed up but not eligible for it
	ReasonBackupEligibilityChanged Reason = "backup_eligibility_changed" // of a hardware-bound passkey
)

// The rules about a new credential.
const (
	ReasonAttestationObject Reason = "attestation_object" // not as §6.5.4 describes it
	ReasonAttestation       Reason = "attestation"
	ReasonAlgorithm         Reason = "algorithm"
	ReasonPublicKey         Reason = "public_key"
)

// The rules about the credential, its owner and its signature.
const (
	ReasonEnvelope          Reason = "envelope" // id, rawId or type is not as §5.1 describes it
	ReasonCredentialID      Reason = "credential_id"
	ReasonUnknownCredential Reason = "unknown_credential"
	ReasonNotOffered        Reason = "not_offered"
	ReasonUserHandle        Reason = "user_handle"
	ReasonSignature         Reason = "signature"
	ReasonCounter           Reason = "counter"
)

// ReasonLibrary means that go-webauthn refused a response that our own rules
// accept. This happens for a decoy in the client data
// (new_keys_may_be_added_here) that is not a string; any other case means that
// a rule is missing here.
const ReasonLibrary Reason = "library"

// Error says why a response was not accepted. Its text contains the kind and
// the reason and nothing that the client sent.
type Error struct {
	Kind   Kind
	Reason Reason

	err error
}

// Error implements error.
func (e *Error) Error() string {
	return "ceremony: " + e.Kind.String() + ": " + string(e.Reason)
}

// Unwrap returns the cause, if there is one. Its text may quote the response
// or the challenge: keep it out of logs and answers.
func (e *Error) Unwrap() error { return e.err }

func malformed(reason Reason, cause error) error {
	return &Error{Kind: Malformed, Reason: reason, err: cause}
}

func refused(reason Reason, cause error) error {
	return &Error{Kind: Refused, Reason: reason, err: cause}
}
