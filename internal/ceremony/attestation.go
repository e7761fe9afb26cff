package ceremony

import (
	"crypto/x509"
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

// parseAttestation decodes an attestation object. Names are compared exactly,
// which the struct tags of the CBOR library would not do. The error is
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

// decode decodes one value into its natural CBOR type and refuses conversions,
// such as an array of numbers into bytes.
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

// The limits of a certificate chain. No authenticator has more or larger
// certificates, and parsing them would only cost time.
const (
	maxCertificates     = 4
	maxCertificateBytes = 4096
)

// judge decides whether the statement is trusted (§7.1, steps 21 to 24), and
// returns the attestation object for the library, which then checks the signature
// and the requirements of §8.2.1 on the certificate.
//
// With roots, a statement that does not lead to one of them proves nothing. It is
// dropped without being read, and the passkey is accepted like any other.
func (a attestation) judge(roots *x509.CertPool) (seen attestation, attested bool, err error) {
	if roots == nil || a.unattested() {
		return a, false, a.verify()
	}
	if a.chainsTo(roots) {
		return a, true, nil
	}
	return attestation{format: formatNone, statement: map[string]any{}, authData: a.authData}, false, nil
}

// unattested reports whether the statement is one of those that a client may
// send although none was requested.
func (a attestation) unattested() bool {
	return a.format == formatNone || a.format == formatPacked && len(a.statement) == 2
}

// chainsTo reports whether the certificate of a packed statement leads to one of
// roots. The clock of this machine decides about validity, as in TLS.
func (a attestation) chainsTo(roots *x509.CertPool) bool {
	chain, ok := a.certificates()
	if !ok {
		return false
	}
	intermediates := x509.NewCertPool()
	for _, certificate := range chain[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err == nil
}

// certificates returns the certificates of a packed statement with alg, sig and
// x5c (§8.2).
func (a attestation) certificates() ([]*x509.Certificate, bool) {
	listed, ok := a.statement["x5c"].([]any)
	if a.format != formatPacked || len(a.statement) != 3 || !ok || len(listed) == 0 || len(listed) > maxCertificates {
		return nil, false
	}
	chain := make([]*x509.Certificate, len(listed))
	for i, member := range listed {
		der, ok := member.([]byte)
		if !ok || len(der) > maxCertificateBytes {
			return nil, false
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, false
		}
		chain[i] = certificate
	}
	return chain, true
}

// verify accepts the two statements that a client may send when none is
// requested. The library checks the signature of the second.
func (a attestation) verify() error {
	switch a.format {
	case formatNone:
		if len(a.statement) != 0 {
			return refused(ReasonAttestation, errors.New("format none with a statement"))
		}
		return nil
	case formatPacked:
		// The library requires alg and sig. A third member would be x5c or
		// ecdaaKeyId, and then it is not a self attestation.
		if len(a.statement) != 2 {
			return refused(ReasonAttestation, errors.New("not a self attestation"))
		}
		return nil
	default:
		return refused(ReasonAttestation, errors.New("format not accepted"))
	}
}

// encode re-encodes the attestation object for the library, with only the three
// members that we have checked.
func (a attestation) encode() ([]byte, error) {
	return webauthncbor.Marshal(map[string]any{
		"fmt":      a.format,
		"attStmt":  a.statement,
		"authData": a.authData,
	})
}
