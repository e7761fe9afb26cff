package password

import (
	"errors"
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
	})
}

func checkKind(t *testing.T, encoded string, err error) {
	if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrExcessive) {
		t.Errorf("%q: %v is of no known kind", encoded, err)
	}
}
