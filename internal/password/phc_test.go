package password_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/password"
)

const (
	salt16 = "MDEyMzQ1Njc4OWFiY2RlZg"
	key32  = "XdTJKPvVpEdCNu922dgwQXj+XfOITS04PpG3cDMn5sE"
)

// The hashes below cost nothing to refuse: one that was computed in spite of
// its parameters would make this test take minutes or exhaust the machine.
func TestVerifyRefusesBadArgon2idHashes(t *testing.T) {
	const good = "$argon2id$v=19$m=8,t=1,p=1$" + salt16 + "$" + key32
	with := func(old, replacement string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the good hash", old)
		}
		return strings.Replace(good, old, replacement, 1)
	}
	tests := []struct {
		name, encoded string
		want          error
	}{
		{"good", good, nil},

		{"empty", "", password.ErrMalformed},
		{"plain text", "correct horse battery staple", password.ErrMalformed},
		{"plain text like the scheme", "argon2id", password.ErrMalformed},
		{"argon2i", with("argon2id", "argon2i"), password.ErrUnsupported},
		{"argon2d", with("argon2id", "argon2d"), password.ErrUnsupported},
		{"other case", with("argon2id", "Argon2id"), password.ErrUnsupported},
		{"yescrypt", "$y$j9T$" + salt16 + "$" + key32, password.ErrUnsupported},
		{"scheme alone", "$argon2id$", password.ErrMalformed},

		{"version 16", with("v=19", "v=16"), password.ErrUnsupported},
		{"no version", with("v=19$", ""), password.ErrMalformed},
		{"version not a number", with("v=19", "v=x"), password.ErrMalformed},

		{"memory over the ceiling", with("m=8", "m=131073"), password.ErrExcessive},
		{"4 GiB", with("m=8", "m=4194304"), password.ErrExcessive},
		{"memory beyond 32 bits", with("m=8", "m=99999999999999999999"), password.ErrExcessive},
		{"passes times memory over the ceiling", with("m=8,t=1", "m=131072,t=5"), password.ErrExcessive},
		{"many passes over less memory", with("m=8,t=1", "m=65536,t=9"), password.ErrExcessive},
		{"passes over the ceiling", with("t=1", "t=11"), password.ErrExcessive},
		{"lanes over the ceiling", with("m=8,t=1,p=1", "m=1024,t=1,p=9"), password.ErrExcessive},
		{"lanes wrapping a byte", with("p=1$", "p=257$"), password.ErrExcessive},
		{"memory 0", with("m=8", "m=0"), password.ErrMalformed},
		{"passes 0", with("t=1", "t=0"), password.ErrMalformed},
		{"lanes 0", with("p=1$", "p=0$"), password.ErrMalformed},
		{"less than 8 KiB a lane", with("p=1$", "p=2$"), password.ErrMalformed},
		{"sign", with("m=8", "m=+8"), password.ErrMalformed},
		{"negative", with("t=1", "t=-1"), password.ErrMalformed},
		{"leading zero", with("m=8", "m=08"), password.ErrMalformed},
		{"no digits", with("m=8", "m="), password.ErrMalformed},
		{"space", with("m=8", "m= 8"), password.ErrMalformed},
		{"hexadecimal", with("m=8", "m=0x8"), password.ErrMalformed},
		{"order", with("m=8,t=1", "t=1,m=8"), password.ErrMalformed},
		{"parameter missing", with(",p=1", ""), password.ErrMalformed},
		{"parameter twice", with("p=1", "p=1,p=1"), password.ErrMalformed},
		{"keyid", with("p=1", "p=1,keyid=Zm9v"), password.ErrMalformed},

		{"salt missing", with(salt16+"$", ""), password.ErrMalformed},
		{"salt empty", with(salt16, ""), password.ErrMalformed},
		{"salt of 7 bytes", with(salt16, "MDEyMzQ1Ng"), password.ErrMalformed},
		{"salt of 49 bytes", with(salt16, strings.Repeat("MDEy", 16)+"MA"), password.ErrMalformed},
		{"salt padded", with(salt16, salt16+"=="), password.ErrMalformed},
		{"salt with trailing bits", with(salt16, "MDEyMzQ1Njc4OWFiY2RlZh"), password.ErrMalformed},
		{"salt in URL alphabet", with(salt16, "_-EyMzQ1Njc4OWFiY2RlZg"), password.ErrMalformed},
		{"salt with line break", with(salt16, "MDEy\nMzQ1Njc4OWFiY2RlZg"), password.ErrMalformed},
		{"key missing", with("$"+key32, ""), password.ErrMalformed},
		{"key empty", with(key32, ""), password.ErrMalformed},
		{"key of 15 bytes", with(key32, strings.Repeat("MDEy", 5)), password.ErrMalformed},
		{"key of 66 bytes", with(key32, strings.Repeat("MDEy", 22)), password.ErrMalformed},
		{"key padded", with(key32, key32+"="), password.ErrMalformed},
		{"one more field", good + "$", password.ErrMalformed},
		{"line feed at the end", good + "\n", password.ErrMalformed},
		{"space before", " " + good, password.ErrMalformed},
	}
	hasher := newHasher(t, cheap())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ok, rehash, err := hasher.Verify(tt.encoded, "correct horse battery staple")
			if !errors.Is(err, tt.want) {
				t.Errorf("Verify: %v, want %v", err, tt.want)
			}
			if wantOK := tt.want == nil; ok != wantOK || rehash {
				t.Errorf("Verify = %v, rehash %v; want %v, false", ok, rehash, wantOK)
			}
		})
	}
}
