package password

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// FuzzParse looks for stored texts that crash the parsers, that are refused
// without a reason, or that are a second spelling of a hash: what is accepted
// is exactly what would have been written. Nothing is hashed here, because a
// fuzzer soon finds parameters that are fine and cost seconds.
func FuzzParse(f *testing.F) {
	const parts = "$MDEyMzQ1Njc4OWFiY2RlZg$XdTJKPvVpEdCNu922dgwQXj+XfOITS04PpG3cDMn5sE"
	for _, seed := range []string{
		"", "$", "$argon2id$v=19$m=8,t=1,p=1" + parts, "$argon2id$v=19$m=4294967295,t=4294967295,p=255" + parts,
		"$2b$04$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2", "$2b$31$", "$2a$99$" + strings.Repeat("/", 53),
		"$scrypt$ln=14,r=8,p=1$c2FsdA" + parts[23:], "$scrypt$ln=31,r=4294967295,p=4294967295$c2FsdA" + parts[23:],
		"$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D", "$7$zzzzzzzzzzz$",
		"$pbkdf2-sha512$i=1000,l=32$c2FsdA" + parts[23:], "$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI",
		"pbkdf2_sha256$1$salt" + parts[23:] + "=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		stored, err := parsePHC(encoded)
		if err == nil && stored.String() != encoded {
			t.Errorf("%q is another spelling of %q", encoded, stored)
		}
		if err == nil && stored.params.check() != nil {
			t.Errorf("%q would be computed: %v", encoded, stored.params.check())
		}
		checkKind(t, encoded, err)
		checkKind(t, encoded, checkBcrypt(encoded))
		old, err := parseLegacy(encoded)
		checkKind(t, encoded, err)
		checkKind(t, encoded, Check(encoded))
		if err == nil {
			checkLegacy(t, encoded, old)
		}
	})
}

// checkLegacy sees that what would be computed is within the ceilings, counted in
// another way than the parsers do, and that a key is long enough to mean something.
func checkLegacy(t *testing.T, encoded string, old legacy) {
	var key []byte
	switch h := old.(type) {
	case bcryptHash:
		return
	case scryptHash:
		n := math.Ldexp(float64(h.r), int(h.logN))
		if n*128 > MaxMemoryKiB*1024 || n*float64(h.p)*128 > MaxMemoryKiB*1024 || h.r == 0 || h.p == 0 || h.logN == 0 {
			t.Errorf("%q would be computed", encoded)
		}
		key = h.key
	case pbkdf2Hash:
		if h.iterations == 0 || h.iterations > MaxIterations {
			t.Errorf("%q would be computed", encoded)
		}
		key = h.key
	}
	if len(key) < minKeyBytes || len(key) > maxKeyBytes {
		t.Errorf("%q has a key of %d bytes", encoded, len(key))
	}
}

func checkKind(t *testing.T, encoded string, err error) {
	if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrExcessive) {
		t.Errorf("%q: %v is of no known kind", encoded, err)
	}
}
