package password_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/password"
)

// The hashes were made by the original's library, npm bcrypt 6.0.0:
//
//	bcrypt.hashSync(<password>, '$2b$04$abcdefghijklmnopqrstuu')
func TestVerifyBcryptOfTheOriginal(t *testing.T) {
	const (
		at72  = "$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe"
		at71  = "$2b$04$abcdefghijklmnopqrstuuMCu.k1vM/ywQwiONaEn3oEMlZoCVBd6"
		nul   = "$2b$04$abcdefghijklmnopqrstuuU8Rgm0REdvZ0WHY/1al21xqZXmq41/C"
		nfd   = "$2b$04$abcdefghijklmnopqrstuuK6RE/USx6VzD1zJesOvh81x1r6ZItA."
		empty = "$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq"
		at300 = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"
		emoji = "$2b$04$abcdefghijklmnopqrstuu8b8.Vng51/7cuaCHkfQmAxUTnZgZhhm"
		cost  = "$2b$12$abcdefghijklmnopqrstuuE3j5FFjC71WyDL2KIK7ShSoj8tPD3m6"
		old   = "$2a$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS"
	)
	tests := []struct {
		name, encoded, typed string
		want                 bool
	}{
		{"cost 12", cost, "correct horse battery", true},
		{"$2a$", old, "correct horse battery", true},
		{"$2a$, wrong", old, "correct horse", false},
		{"$2y$ is $2b$", strings.Replace(emoji, "$2b$", "$2y$", 1), "🔑🔑🔑🔑", true},
		{"emoji", emoji, "🔑🔑🔑🔑", true},
		{"empty", empty, "", true},
		{"71 bytes", at71, strings.Repeat("a", 71), true},
		{"71 bytes set, 72 typed", at71, strings.Repeat("a", 72), false},
		{"72 bytes", at72, strings.Repeat("a", 72), true},
		{"set with 72, typed 73", at72, strings.Repeat("a", 72) + "b", true},
		{"byte 72 counts", at72, strings.Repeat("a", 71) + "b", false},
		{"300 bytes", at300, strings.Repeat("x", 300), true},
		{"NUL is a byte", nul, "abc\x00def", true},
		{"nothing ends at a NUL", nul, "abc", false},
		{"NUL, then other", nul, "abc\x00deg", false},
		{"bytes as received", nfd, "Zoe\u0308-passphrase", true},
		{"composed form is other bytes", nfd, "Zoë-passphrase", false},
	}
	hasher := newHasher(t, cheap())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ok, rehash := verify(t, hasher, tt.encoded, tt.typed)
			if ok != tt.want || rehash != tt.want {
				t.Errorf("Verify = %v, rehash %v; want both %v", ok, rehash, tt.want)
			}
		})
	}
}

// After the remade hash, what bcrypt ignored counts.
func TestRehashCoversWhatBcryptIgnored(t *testing.T) {
	const at72 = "$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe"
	hasher := newHasher(t, cheap())
	typed := strings.Repeat("a", 72) + "the rest"
	if ok, rehash := verify(t, hasher, at72, typed); !ok || !rehash {
		t.Fatalf("Verify = %v, rehash %v; want true, true", ok, rehash)
	}
	remade := hash(t, hasher, typed)
	if ok, _ := verify(t, hasher, remade, strings.Repeat("a", 72)); ok {
		t.Error("the remade hash ignores what follows byte 72")
	}
	if ok, rehash := verify(t, hasher, remade, typed); !ok || rehash {
		t.Errorf("Verify = %v, rehash %v; want true, false", ok, rehash)
	}
}

func TestVerifyRefusesBadBcryptHashes(t *testing.T) {
	const tail = "abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2"
	tests := []struct {
		name, encoded string
		want          error
	}{
		{"good", "$2b$04$" + tail, nil},
		{"cost over the ceiling", "$2b$15$" + tail, password.ErrExcessive},
		{"cost 31", "$2b$31$" + tail, password.ErrExcessive},
		{"cost 99", "$2b$99$" + tail, password.ErrExcessive},
		{"cost under the least", "$2b$03$" + tail, password.ErrMalformed},
		{"cost of one digit", "$2b$4$" + tail + "a", password.ErrMalformed},
		{"cost not a number", "$2b$1x$" + tail, password.ErrMalformed},
		{"cost signed", "$2b$+4$" + tail, password.ErrMalformed},
		{"$2x$ is a broken bcrypt", "$2x$04$" + tail, password.ErrUnsupported},
		{"$2$ is another bcrypt", "$2$04$" + tail + "a", password.ErrUnsupported},
		{"unknown letter", "$2c$04$" + tail, password.ErrUnsupported},
		{"too short", "$2b$04$" + tail[1:], password.ErrMalformed},
		{"too long", "$2b$04$" + tail + "a", password.ErrMalformed},
		{"no salt and key", "$2b$04$", password.ErrMalformed},
		{"prefix alone", "$2", password.ErrMalformed},
		{"outside the alphabet", "$2b$04$" + strings.Replace(tail, "/", "+", 1), password.ErrMalformed},
		{"one more field", "$2b$04$" + tail[:52] + "$", password.ErrMalformed},
		{"NUL at the end", "$2b$04$" + tail[:52] + "\x00", password.ErrMalformed},
	}
	hasher := newHasher(t, cheap())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ok, rehash, err := hasher.Verify(tt.encoded, "abc")
			if !errors.Is(err, tt.want) {
				t.Errorf("Verify: %v, want %v", err, tt.want)
			}
			if wantOK := tt.want == nil; ok != wantOK || rehash != wantOK {
				t.Errorf("Verify = %v, rehash %v; want both %v", ok, rehash, wantOK)
			}
		})
	}
}
