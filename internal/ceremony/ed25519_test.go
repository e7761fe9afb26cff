package ceremony_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"testing"
)

// smallOrderPoints are encodings of the eight points of small order of
// edwards25519, and ways to spell them that RFC 8032 forbids.
func smallOrderPoints() map[string][]byte {
	points := map[string][]byte{}
	for name, text := range map[string]string{
		"all zero, order 4":          "0000000000000000000000000000000000000000000000000000000000000000",
		"order 4, other sign":        "0000000000000000000000000000000000000000000000000000000000000080",
		"order 1":                    "0100000000000000000000000000000000000000000000000000000000000000",
		"order 1, sign of zero":      "0100000000000000000000000000000000000000000000000000000000000080",
		"order 2":                    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 8":                    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"order 8, other sign":        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"order 8, second":            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"order 8, second, other":     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"order 4, y not reduced":     "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 1, y not reduced":     "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 4, y not reduced, -x": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	} {
		point, err := hex.DecodeString(text)
		if err != nil {
			panic(err)
		}
		points[name] = point
	}
	return points
}

// Why R55 matters: under each of these keys, the signature that anyone can
// write down, R = identity and S = 0, is valid for every eighth message or so.
func TestSmallOrderKeysAreForgeable(t *testing.T) {
	forged := make([]byte, ed25519.SignatureSize)
	forged[0] = 1
	for name, point := range smallOrderPoints() {
		found := false
		for i := range uint32(1000) {
			if ed25519.Verify(point, binary.BigEndian.AppendUint32(nil, i), forged) {
				found = true
				break
			}
		}
		if !found {
			t.Errorf("%s: no message out of 1000 verifies, so it is no point of small order", name)
		}
	}
}
