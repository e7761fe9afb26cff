package ceremony

import (
	"errors"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// The attestation statement formats we accept (§8.7, §8.2).
const (
	formatNone   = "none"
	formatPacked = "packed"
)

// attestation is a decoded attestation object (§6.5.4).
type attestation struct {
	format    string
	statement map[string]any
	authData  []byte
}

// parseAttestation decodes an attestation object. Names are compared as they
// are, which the struct tags of the CBOR library would not do. The error is
// Malformed, except for a format that is not accepted, whose statement is not
// decoded at all.
func parseAttestation(raw []byte) (attestation, error) {
	var members map[string]webauthncbor.RawMessage
	if err := webauthncbor.Unmarshal(raw, &members); err != nil {
		return attestation{}, malformed(ReasonAttestationObject, err)
	}
	var a attestation
	var ok bool
	if a.format, ok = decode[string](members["fmt"]); !ok {
		return attestation{}, malformed(ReasonAttestationObject, errors.New("no format"))
	}
	if a.authData, ok = decode[[]byte](members["authData"]); !ok {
		return attestation{}, malformed(ReasonAttestationObject, errors.New("no authenticator data"))
	}
	if a.format != formatNone && a.format != formatPacked {
		return a, nil
	}
	if a.statement, ok = decodeTextMap(members["attStmt"]); !ok {
		return attestation{}, malformed(ReasonAttestationObject, errors.New("no attestation statement"))
	}
	return a, nil
}

// decode decodes one value into the type CBOR gives it by itself, and not into
// whatever can be made to fit, such as an array of numbers into bytes.
func decode[T any](raw webauthncbor.RawMessage) (T, bool) {
	var value any
	if err := webauthncbor.Unmarshal(raw, &value); err != nil {
		var zero T
		return zero, false
	}
	typed, ok := value.(T)
	return typed, ok
}

func decodeTextMap(raw webauthncbor.RawMessage) (map[string]any, bool) {
	generic, ok := decode[map[any]any](raw)
	if !ok {
		return nil, false
	}
	members := make(map[string]any, len(generic))
	for name, member := range generic {
		text, ok := name.(string)
		if !ok {
			return nil, false
		}
		members[text] = member
	}
	return members, true
}

// verify accepts the two statements a client may deliver when asked for none.
// The signature of the second is left to the library.
func (a attestation) verify() error {
	switch a.format {
	case formatNone:
		if len(a.statement) != 0 {
			return refused(ReasonAttestation, errors.New("format none with a statement"))
		}
		return nil
	case formatPacked:
		// The library insists on alg and sig. A third member would be x5c or
		// ecdaaKeyId, and no self attestation.
		if len(a.statement) != 2 {
			return refused(ReasonAttestation, errors.New("not a self attestation"))
		}
		return nil
	default:
		return refused(ReasonAttestation, errors.New("format not accepted"))
	}
}

// encode writes the attestation object anew for the library, with the three
// members we have looked at and no other.
func (a attestation) encode() ([]byte, error) {
	return webauthncbor.Marshal(map[string]any{
		"fmt":      a.format,
		"attStmt":  a.statement,
		"authData": a.authData,
	})
}
