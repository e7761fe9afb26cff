package password

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"strings"
)

// MaxIterations is the ceiling on a PBKDF2 hash: iterations of SHA-1 or SHA-256, over all
// blocks of the key. One of SHA-512 counts twice. It takes about half a second of a core.
// OWASP recommends 600,000 of SHA-256 and 1.4 million of SHA-1, Django 6 uses 1.2 million
// of SHA-256.
const MaxIterations = 2_000_000

// maxLegacySalt bounds the salt of hashes made by other systems. Any salt that is
// not empty is long enough: a bad salt is a reason to replace the hash, not to lock
// its owner out.
const maxLegacySalt = 64

// adaptedBase64 is passlib's base64: a dot instead of the plus, no padding.
var adaptedBase64 = base64.NewEncoding(
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./").WithPadding(base64.NoPadding)

// pbkdf2Hash is a parsed PBKDF2 hash (RFC 8018 §5.2).
type pbkdf2Hash struct {
	digest     pbkdf2Digest
	iterations uint32
	salt, key  []byte
}

// pbkdf2Digest is the hash function of the HMAC.
type pbkdf2Digest struct {
	new    func() hash.Hash
	size   int
	weight int // iterations of SHA-256 that take as long as one
}

// pbkdf2DigestNamed returns the digest with that name, in any of the formats.
// "pbkdf2" alone is SHA-1.
func pbkdf2DigestNamed(name string) (pbkdf2Digest, error) {
	switch name {
	case "pbkdf2", "pbkdf2-sha1", "pbkdf2_sha1":
		return pbkdf2Digest{sha1.New, sha1.Size, 1}, nil
	case "pbkdf2-sha256", "pbkdf2_sha256":
		return pbkdf2Digest{sha256.New, sha256.Size, 1}, nil
	case "pbkdf2-sha512", "pbkdf2_sha512":
		return pbkdf2Digest{sha512.New, sha512.Size, 2}, nil
	default:
		return pbkdf2Digest{}, ErrUnsupported
	}
}

// parsePBKDF2 parses the PHC form, as RustCrypto writes it, and passlib's:
//
//	$pbkdf2-sha256$i=600000,l=32$<salt>$<key>    unpadded base64; l may be missing
//	$pbkdf2-sha256$29000$<salt>$<key>            passlib's base64
func parsePBKDF2(encoded string) (legacy, error) {
	fields := strings.Split(encoded, "$")
	digest, err := pbkdf2DigestNamed(fields[1])
	if err != nil {
		return nil, err
	}
	if len(fields) != 5 {
		return nil, ErrMalformed
	}
	h := pbkdf2Hash{digest: digest}
	encoding := adaptedBase64
	rounds, isPHC := strings.CutPrefix(fields[2], "i=")
	if isPHC {
		encoding = base64.RawStdEncoding
	}
	rounds, length, hasLength := strings.Cut(rounds, ",")
	if h.iterations, err = parseNumber(rounds, ""); err != nil {
		return nil, err
	}
	if h.salt, err = decodeBase64(encoding, fields[3], 1, maxLegacySalt); err != nil {
		return nil, err
	}
	if h.key, err = decodeBase64(encoding, fields[4], minKeyBytes, maxKeyBytes); err != nil {
		return nil, err
	}
	if hasLength {
		if l, err := parseNumber(length, "l="); !isPHC || err != nil || int64(l) != int64(len(h.key)) {
			return nil, ErrMalformed
		}
	}
	return h, h.check()
}

// parseDjango parses Django's form, in which the salt is used as text:
//
//	pbkdf2_sha256$600000$<salt>$<key in padded base64>
func parseDjango(encoded string) (legacy, error) {
	fields := strings.Split(encoded, "$")
	digest, err := pbkdf2DigestNamed(fields[0])
	if err != nil {
		return nil, err
	}
	if len(fields) != 4 || fields[2] == "" || len(fields[2]) > maxLegacySalt {
		return nil, ErrMalformed
	}
	h := pbkdf2Hash{digest: digest, salt: []byte(fields[2])}
	if h.iterations, err = parseNumber(fields[1], ""); err != nil {
		return nil, err
	}
	if h.key, err = decodeBase64(base64.StdEncoding, fields[3], minKeyBytes, maxKeyBytes); err != nil {
		return nil, err
	}
	return h, h.check()
}

func (h pbkdf2Hash) check() error {
	if h.iterations < 1 {
		return ErrMalformed
	}
	if h.work() > MaxIterations {
		return ErrExcessive
	}
	return nil
}

// work returns the cost in iterations of SHA-256. A key longer than the digest has
// several blocks, each with all iterations.
func (h pbkdf2Hash) work() uint64 {
	blocks := (len(h.key) + h.digest.size - 1) / h.digest.size
	return uint64(h.iterations) * uint64(h.digest.weight) * uint64(blocks)
}

func (h pbkdf2Hash) memoryKiB() uint64 { return 0 }

func (h pbkdf2Hash) effort() float64 { return float64(h.work()) / 1_000_000 }

func (h pbkdf2Hash) matches(password string) (bool, error) {
	key, err := pbkdf2.Key(h.digest.new, password, h.salt, int(h.iterations), len(h.key))
	if err != nil {
		return false, errors.Join(ErrUnsupported, err) // a FIPS 140 build refuses short salts
	}
	return subtle.ConstantTimeCompare(key, h.key) == 1, nil
}
