package ceremony

import (
	"errors"
	"math/big"
	"slices"
)

// checkEd25519 checks that b encodes a point of edwards25519 (RFC 8032 §5.1.3)
// that is not of small order. With a key of small order, forged signatures
// verify, and crypto/ed25519 does not refuse it.
//
// With p = 2^255-19 and d = -121665/121666, a point (x, y) is on the curve when
// x² = (y²-1)/(dy²+1). All divisions are multiplied out below.
func checkEd25519(b []byte) error {
	if len(b) != 32 {
		return errors.New("an Ed25519 key has 32 bytes")
	}
	bigEndian := slices.Clone(b)
	slices.Reverse(bigEndian)
	bigEndian[0] &= 0x7f // the sign of x
	y := new(big.Int).SetBytes(bigEndian)

	p := new(big.Int).Lsh(big.NewInt(1), 255)
	p.Sub(p, big.NewInt(19))
	if y.Cmp(p) >= 0 {
		return errors.New("the y coordinate is not reduced")
	}

	num, den := big.NewInt(-121665), big.NewInt(121666)
	y2 := new(big.Int).Mul(y, y)
	y2.Mod(y2, p)

	// x² = (y²-1)·den / (num·y²+den), a square when numerator times
	// denominator is. Zero is x = 0: the points of order 1 and 2.
	denominator := new(big.Int).Mul(num, y2)
	denominator.Add(denominator, den)
	square := new(big.Int).Sub(y2, big.NewInt(1))
	square.Mul(square, den).Mul(square, denominator).Mod(square, p)
	if big.Jacobi(square, p) != 1 {
		return errors.New("not a point of the curve, or one of order 1 or 2")
	}
	if y.Sign() == 0 {
		return errors.New("a point of order 4")
	}
	// Doubling gives y = 0, hence order 4, when x² = -y², which is
	// num·y⁴ + 2·den·y² - den = 0.
	double := new(big.Int).Mul(num, y2)
	double.Add(double, den).Add(double, den).Mul(double, y2).Sub(double, den).Mod(double, p)
	if double.Sign() == 0 {
		return errors.New("a point of order 8")
	}
	return nil
}
