package ceremony

import (
	"crypto/ecdh"
	"errors"
	"math"
	"math/big"
	"slices"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// The algorithms offered and accepted, as COSE numbers them (RFC 9053, RFC
// 8812).
const (
	algEdDSA = -8
	algES256 = -7
	algRS256 = -257
)

// Labels and values of a COSE_Key (RFC 9052 §7, RFC 9053 §7, RFC 8230 §4).
const (
	labelKty = 1
	labelAlg = 3

	labelCrv = -1
	labelX   = -2
	labelY   = -3

	labelN = -1
	labelE = -2

	ktyOKP = 1
	ktyEC2 = 2
	ktyRSA = 3

	crvP256    = 1
	crvEd25519 = 6
)

// The bounds of an RSA key. The lower ones are for security; the upper ones
// keep a key chosen by an attacker from costing seconds at every assertion.
const (
	minRSABits     = 2048
	maxRSABits     = 4096
	minRSAExponent = 65537
	maxRSAExponent = math.MaxInt32
)

// coseKey is a decoded COSE_Key.
type coseKey map[int64]any

// checkPublicKey returns the algorithm of a COSE_Key if it is of one of the
// offered kinds and safe to use. The error is Refused.
//
// go-webauthn does not check the key when there is no attestation, so without
// this check arbitrary bytes could be stored as a key.
func checkPublicKey(raw []byte) (int64, error) {
	var key coseKey
	if err := webauthncbor.Unmarshal(raw, &key); err != nil {
		return 0, refused(ReasonPublicKey, err)
	}
	alg, ok := key.integer(labelAlg)
	if !ok {
		return 0, refused(ReasonAlgorithm, errors.New("no algorithm"))
	}
	var err error
	switch alg {
	case algEdDSA:
		err = key.checkEdDSA()
	case algES256:
		err = key.checkES256()
	case algRS256:
		err = key.checkRS256()
	default:
		return 0, refused(ReasonAlgorithm, errors.New("not an offered algorithm"))
	}
	if err != nil {
		return 0, refused(ReasonPublicKey, err)
	}
	return alg, nil
}

func (k coseKey) checkES256() error {
	// §6.5.1.1: no optional parameter but alg. This also keeps a private key,
	// which someone might send along, out of the database.
	if !k.hasExactly(labelKty, labelAlg, labelCrv, labelX, labelY) {
		return errors.New("not the members of an EC2 key")
	}
	kty, _ := k.integer(labelKty)
	crv, _ := k.integer(labelCrv)
	if kty != ktyEC2 || crv != crvP256 {
		return errors.New("not a P-256 key")
	}
	x, y := k.bytes(labelX), k.bytes(labelY)
	if len(x) != 32 || len(y) != 32 {
		return errors.New("a coordinate is not of 32 bytes")
	}
	_, err := ecdh.P256().NewPublicKey(slices.Concat([]byte{4}, x, y))
	return err
}

func (k coseKey) checkEdDSA() error {
	if !k.hasExactly(labelKty, labelAlg, labelCrv, labelX) {
		return errors.New("not the members of an OKP key")
	}
	kty, _ := k.integer(labelKty)
	crv, _ := k.integer(labelCrv)
	if kty != ktyOKP || crv != crvEd25519 {
		return errors.New("not an Ed25519 key")
	}
	return checkEd25519(k.bytes(labelX))
}

func (k coseKey) checkRS256() error {
	if !k.hasExactly(labelKty, labelAlg, labelN, labelE) {
		return errors.New("not the members of an RSA key")
	}
	if kty, _ := k.integer(labelKty); kty != ktyRSA {
		return errors.New("not an RSA key")
	}
	n, e := k.unsigned(labelN), k.unsigned(labelE)
	if n.BitLen() < minRSABits || n.BitLen() > maxRSABits || n.Bit(0) == 0 {
		return errors.New("the modulus is even or not of 2048 to 4096 bits")
	}
	if e.Cmp(big.NewInt(minRSAExponent)) < 0 || e.Cmp(big.NewInt(maxRSAExponent)) > 0 || e.Bit(0) == 0 {
		return errors.New("the exponent is even or out of bounds")
	}
	return nil
}

// hasExactly reports whether the key has exactly these labels.
func (k coseKey) hasExactly(labels ...int64) bool {
	if len(k) != len(labels) {
		return false
	}
	for _, label := range labels {
		if _, ok := k[label]; !ok {
			return false
		}
	}
	return true
}

func (k coseKey) integer(label int64) (int64, bool) {
	switch v := k[label].(type) {
	case int64:
		return v, true
	case uint64:
		return int64(v), v <= math.MaxInt64
	default:
		return 0, false
	}
}

func (k coseKey) bytes(label int64) []byte {
	b, _ := k[label].([]byte)
	return b
}

// unsigned returns a number in the shortest big-endian form, as RFC 8230 §4
// requires, and zero for anything else.
func (k coseKey) unsigned(label int64) *big.Int {
	b := k.bytes(label)
	if len(b) == 0 || b[0] == 0 {
		return new(big.Int)
	}
	return new(big.Int).SetBytes(b)
}
