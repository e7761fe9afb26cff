package password_test

import (
	"crypto/rand"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stepkey/stepkey/internal/password"
)

// cheap keeps the tests fast; the cost makes no difference to the rules.
func cheap() password.Params { return password.Params{MemoryKiB: 8, Passes: 1, Lanes: 1} }

func newHasher(tb testing.TB, params password.Params) *password.Hasher {
	tb.Helper()
	hasher, err := password.New(params, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return hasher
}

func hash(tb testing.TB, hasher *password.Hasher, plain string) string {
	tb.Helper()
	encoded, err := hasher.Hash(plain)
	if err != nil {
		tb.Fatal(err)
	}
	return encoded
}

func verify(tb testing.TB, hasher *password.Hasher, encoded, plain string) (ok, rehash bool) {
	tb.Helper()
	ok, rehash, err := hasher.Verify(encoded, plain)
	if err != nil {
		tb.Fatalf("Verify(%q): %v", encoded, err)
	}
	return ok, rehash
}

// The expected hashes come from the reference implementation:
//
//	printf '<password>' | argon2 0123456789abcdef -id -t 2 -k 19456 -p 1 -l 32 -e
func TestHashAgreesWithTheReferenceImplementation(t *testing.T) {
	const salt = "0123456789abcdef"
	tests := []struct {
		name     string
		params   password.Params
		password string
		want     string
	}{
		{
			"default", password.DefaultParams(), "correct horse battery staple",
			"$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0",
		},
		{
			"four lanes",
			password.Params{MemoryKiB: 64, Passes: 3, Lanes: 4},
			"correct horse battery staple",
			"$argon2id$v=19$m=64,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$50WlLMTS62Tm0boTX6gj9/Twg9JqLCOkn3nUFhfCpHs",
		},
		{
			"smallest",
			password.Params{MemoryKiB: 8, Passes: 1, Lanes: 1},
			"correct horse battery staple",
			"$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$XdTJKPvVpEdCNu922dgwQXj+XfOITS04PpG3cDMn5sE",
		},
		{
			"NFC and NFD hash alike",
			password.Params{MemoryKiB: 8, Passes: 1, Lanes: 1},
			"Zoe\u0308-passphrase",
			"$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MCuqKLg1Dx0lohmTPLvYNdC0t8MerGddY8ymUphG8WM",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// New takes 48 bytes for the decoy; the salt comes after them.
			hasher, err := password.New(tt.params, strings.NewReader(strings.Repeat("-", 48)+salt))
			if err != nil {
				t.Fatal(err)
			}
			if got := hash(t, hasher, tt.password); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if ok, rehash := verify(t, hasher, tt.want, tt.password); !ok || rehash {
				t.Errorf("Verify = %v, rehash %v; want true, false", ok, rehash)
			}
		})
	}
}

func TestVerifyEveryByteCounts(t *testing.T) {
	hasher := newHasher(t, cheap())
	long := strings.Repeat("a", password.MaxBytes-1)
	tests := []struct {
		name, set, typed string
		want             bool
	}{
		{"same", "correct horse", "correct horse", true},
		{"case", "correct horse", "Correct horse", false},
		{"trailing space", "correct horse", "correct horse ", false},
		{"byte 73", strings.Repeat("a", 72) + "b", strings.Repeat("a", 72) + "c", false},
		{"last byte of the longest", long + "b", long + "c", false},
		{"after a NUL", "abc\x00defgh", "abc\x00defgi", false},
		{"empty against set", "correct horse", "", false},
		{"empty", "", "", true},
		{"composed and decomposed", "Zoë-passphrase", "Zoe\u0308-passphrase", true},
		{"full width and ASCII", "ＡＢＣ-passphrase", "ABC-passphrase", true},
		{"invalid UTF-8 is told apart", "abcdefg\xff", "abcdefg\xfe", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if ok, _ := verify(t, hasher, hash(t, hasher, tt.set), tt.typed); ok != tt.want {
				t.Errorf("Verify = %v, want %v", ok, tt.want)
			}
		})
	}
}

func TestHashesOfOnePasswordDiffer(t *testing.T) {
	hasher := newHasher(t, cheap())
	if a, b := hash(t, hasher, "correct horse"), hash(t, hasher, "correct horse"); a == b {
		t.Errorf("two hashes share a salt: %s", a)
	}
}

func TestVerifyAsksForARehash(t *testing.T) {
	today := password.Params{MemoryKiB: 16, Passes: 2, Lanes: 1}
	tests := []struct {
		name   string
		params password.Params
		want   bool
	}{
		{"today's", today, false},
		{"less memory", password.Params{MemoryKiB: 8, Passes: 2, Lanes: 1}, true},
		{"more memory", password.Params{MemoryKiB: 32, Passes: 2, Lanes: 1}, true},
		{"fewer passes", password.Params{MemoryKiB: 16, Passes: 1, Lanes: 1}, true},
		{"more lanes", password.Params{MemoryKiB: 16, Passes: 2, Lanes: 2}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hasher := newHasher(t, today)
			encoded := hash(t, newHasher(t, tt.params), "correct horse")
			if ok, rehash := verify(t, hasher, encoded, "correct horse"); !ok || rehash != tt.want {
				t.Errorf("Verify = %v, rehash %v; want true, %v", ok, rehash, tt.want)
			}
			if ok, rehash := verify(t, hasher, encoded, "wrong"); ok || rehash {
				t.Errorf("wrong password: Verify = %v, rehash %v; want false, false", ok, rehash)
			}
		})
	}
	t.Run("shorter salt and key", func(t *testing.T) {
		// printf 'correct horse' | argon2 saltsalt -id -t 2 -k 16 -p 1 -l 16 -e
		const encoded = "$argon2id$v=19$m=16,t=2,p=1$c2FsdHNhbHQ$EaCmIofySyEjHhCMT0bkUQ"
		if ok, rehash := verify(t, newHasher(t, today), encoded, "correct horse"); !ok || !rehash {
			t.Errorf("Verify = %v, rehash %v; want true, true", ok, rehash)
		}
	})
}

func TestDecoyLooksLikeAHashOfToday(t *testing.T) {
	hasher := newHasher(t, cheap())
	decoy := hasher.Decoy()
	fresh := hash(t, hasher, "correct horse")
	parameters := func(encoded string) string { return encoded[:strings.LastIndex(encoded, "p=1$")] }
	if parameters(decoy) != parameters(fresh) || len(decoy) != len(fresh) {
		t.Errorf("decoy %s does not cost what %s does", decoy, fresh)
	}
	if ok, rehash := verify(t, hasher, decoy, ""); ok || rehash {
		t.Errorf("the decoy matches: %v, rehash %v", ok, rehash)
	}
	if decoy == newHasher(t, cheap()).Decoy() {
		t.Error("two hashers share a decoy")
	}
}

func TestNewRefusesUnusableParams(t *testing.T) {
	tests := []struct {
		name   string
		params password.Params
		want   error
	}{
		{"zero", password.Params{}, password.ErrMalformed},
		{"no pass", password.Params{MemoryKiB: 8, Lanes: 1}, password.ErrMalformed},
		{"no lane", password.Params{MemoryKiB: 8, Passes: 1}, password.ErrMalformed},
		{"less than 8 KiB a lane", password.Params{MemoryKiB: 15, Passes: 1, Lanes: 2}, password.ErrMalformed},
		{"memory above the ceiling", password.Params{MemoryKiB: password.MaxMemoryKiB + 1, Passes: 1, Lanes: 1}, password.ErrExcessive},
		{"passes above the ceiling", password.Params{MemoryKiB: 8, Passes: password.MaxPasses + 1, Lanes: 1}, password.ErrExcessive},
		{"lanes above the ceiling", password.Params{MemoryKiB: 1024, Passes: 1, Lanes: password.MaxLanes + 1}, password.ErrExcessive},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := password.New(tt.params, rand.Reader); !errors.Is(err, tt.want) {
				t.Errorf("New: %v, want %v", err, tt.want)
			}
		})
	}
}

func TestFailingRandomnessIsAnError(t *testing.T) {
	broken := errors.New("no entropy")
	if _, err := password.New(cheap(), iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("New: %v, want %v", err, broken)
	}
	hasher, err := password.New(cheap(), io.MultiReader(strings.NewReader(strings.Repeat("-", 48)), iotest.ErrReader(broken)))
	if err != nil {
		t.Fatal(err)
	}
	if encoded, err := hasher.Hash("correct horse"); !errors.Is(err, broken) || encoded != "" {
		t.Errorf("Hash = %q, %v; want %v", encoded, err, broken)
	}
}

func BenchmarkHash(b *testing.B) {
	hasher := newHasher(b, password.DefaultParams())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := hasher.Hash("correct horse battery staple"); err != nil {
			b.Fatal(err)
		}
	}
}

// The memory of a hash serves the next one, and the comparison after it.
func TestHashesShareTheirMemory(t *testing.T) {
	hasher := newHasher(t, password.Params{MemoryKiB: 4096, Passes: 1, Lanes: 1})
	encoded := hash(t, hasher, "correct horse battery")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	hash(t, hasher, "correct horse battery")
	verify(t, hasher, encoded, "correct horse battery")
	verify(t, hasher, hasher.Decoy(), "correct horse battery")
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4096*1024 {
		t.Errorf("three hashes allocated %d bytes", allocated)
	}
}
