package password

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/stepkey/stepkey/internal/argon2"
)

// Errors of [Hasher.Verify] about the stored hash. None of them says anything
// about the password.
var (
	// ErrMalformed: the stored text is not a hash in canonical form.
	ErrMalformed = errors.New("password: malformed hash")

	// ErrUnsupported: a hash of a scheme or version that is not accepted.
	ErrUnsupported = errors.New("password: unsupported kind of hash")

	// ErrExcessive: parameters above the ceiling. The hash is not computed, so
	// that one bad row cannot exhaust the process (ASVS 15.2.2).
	ErrExcessive = errors.New("password: parameters of the hash exceed the ceiling")
)

// The ceilings on what Verify computes for a stored hash, which every login attempt makes us
// compute. They cover what existing systems use: RFC 9106's second recommendation is 64 MiB
// and 3 passes, PHP has 4 passes, Django 100 MiB, 2 passes and 8 lanes; bcrypt has a cost of
// 10 to 14. MaxArgon2KiB bounds passes times memory, to about a third of a second.
const (
	MaxMemoryKiB  = 128 * 1024
	MaxArgon2KiB  = 512 * 1024
	MaxPasses     = 10
	MaxLanes      = 8
	MaxBcryptCost = 14
)

const (
	saltBytes = 16
	keyBytes  = 32
)

// Params is the cost of an argon2id hash (RFC 9106 §3.1: m, t and p).
type Params struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// DefaultParams returns 19 MiB, two passes, one lane: the smallest cost that
// OWASP's Password Storage Cheat Sheet and ASVS 5.0 appendix C allow.
func DefaultParams() Params {
	return Params{MemoryKiB: 19456, Passes: 2, Lanes: 1}
}

// check checks the requirements of RFC 9106, and that Verify would accept the
// parameters.
func (p Params) check() error {
	if p.Passes < 1 || p.Lanes < 1 || p.MemoryKiB < 8*uint32(p.Lanes) {
		return ErrMalformed
	}
	if p.MemoryKiB > MaxMemoryKiB || p.Passes > MaxPasses || p.Lanes > MaxLanes || p.MemoryKiB*p.Passes > MaxArgon2KiB {
		return ErrExcessive
	}
	return nil
}

// effort is as in [legacy]. If the NFKC form of a password differs, a comparison
// hashes both; twice the effort is still within the duration of a failed login.
func (p Params) effort() float64 { return float64(p.MemoryKiB) * float64(p.Passes) / (256 * 1024) }

// Hasher makes and verifies hashes. It is safe for concurrent use if its source
// of randomness is, as crypto/rand.Reader is. It does not bound how many hashes
// run at once; see [Gate].
type Hasher struct {
	params Params
	random io.Reader
	memory *argon2.Pool
	decoy  string
}

// New returns a Hasher that makes hashes with params and takes salts from
// random. It fails if params are unusable or random does.
func New(params Params, random io.Reader) (*Hasher, error) {
	if err := params.check(); err != nil {
		return nil, fmt.Errorf("password: hash parameters: %w", err)
	}
	decoy := phc{params: params, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
	for _, part := range [][]byte{decoy.salt, decoy.key} {
		if _, err := io.ReadFull(random, part); err != nil {
			return nil, fmt.Errorf("password: read randomness: %w", err)
		}
	}
	return &Hasher{params: params, random: random, memory: argon2.NewPool(params.MemoryKiB), decoy: decoy.String()}, nil
}

// Hash returns the argon2id hash of the NFKC form of password, with a fresh
// salt of 16 bytes and a key of 32, in the form
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>
//
// with salt and key in unpadded standard base64 (the PHC string format). Every
// byte of the password counts. The caller bounds its length, with
// [Policy.Check]. The only error is a failing source of randomness.
func (h *Hasher) Hash(password string) (string, error) {
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(h.random, salt); err != nil {
		return "", fmt.Errorf("password: read randomness: %w", err)
	}
	hash := phc{params: h.params, salt: salt}
	hash.key = h.derive(hash, Normal(password), keyBytes)
	return hash.String(), nil
}

// Verify reports whether password matches the stored hash encoded and, if so,
// whether the hash should be replaced: because it is not argon2id, or because its
// parameters are not those of this Hasher.
//
// It accepts argon2id version 19 in PHC form, bcrypt as $2a$, $2b$ or $2y$, scrypt
// in PHC form and as crypt's $7$, and PBKDF2 with SHA-1, SHA-256 or SHA-512 in PHC
// form and as passlib or Django write it. An error is [ErrMalformed],
// [ErrUnsupported] or [ErrExcessive], as returned by [Check]; then no hash is
// computed and ok is false.
//
// A hash with other parameters does not take as long as [Hasher.Decoy]. The caller hides
// that difference, with [Hasher.FailureFloor].
func (h *Hasher) Verify(encoded, password string) (ok, rehash bool, err error) {
	if strings.HasPrefix(encoded, argon2idPrefix) {
		return h.verifyArgon2id(encoded, password)
	}
	stored, err := parseLegacy(encoded)
	if err != nil {
		return false, false, err
	}
	ok, err = stored.matches(password)
	return ok, ok, err
}

func (h *Hasher) verifyArgon2id(encoded, password string) (ok, rehash bool, err error) {
	stored, err := parsePHC(encoded)
	if err != nil {
		return false, false, err
	}
	normal := Normal(password)
	if !h.matches(stored, normal) {
		// A hash made by another system may be of the bytes as typed. If the two
		// differ, that costs a second hash, also for the decoy.
		ok := normal != password && h.matches(stored, password)
		return ok, ok, nil
	}
	current := stored.params == h.params && len(stored.salt) == saltBytes && len(stored.key) == keyBytes
	return true, !current, nil
}

// Decoy returns a hash that no password matches and that takes as long to verify as
// one made today. Verify passwords of unknown users against it, so that they cost
// the same work as those of known users (OWASP Authentication Cheat Sheet). Its key
// is random bytes and not a hash; [New] draws it, and every call returns the same
// one. It must not be stored for a user who should be able to sign in.
func (h *Hasher) Decoy() string { return h.decoy }

func (h *Hasher) matches(stored phc, password string) bool {
	return subtle.ConstantTimeCompare(h.derive(stored, password, len(stored.key)), stored.key) == 1
}

// derive hashes password with the salt and parameters of p.
func (h *Hasher) derive(p phc, password string, length int) []byte {
	return h.memory.IDKey([]byte(password), p.salt, p.params.Passes, p.params.MemoryKiB, p.params.Lanes, uint32(length))
}
