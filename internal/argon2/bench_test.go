package argon2_test

import (
	"testing"

	xargon2 "golang.org/x/crypto/argon2"

	"github.com/stepkey/stepkey/internal/argon2"
)

// BenchmarkIDKey compares the two at the parameters of new hashes:
//
//	go test ./internal/argon2 -run '^$' -bench IDKey -count 10
func BenchmarkIDKey(b *testing.B) {
	password, salt := []byte("correct horse battery"), []byte("sixteen-byte-slt")
	pool := argon2.NewPool(19456)
	for _, test := range []struct {
		name string
		key  func(password, salt []byte, passes, kib uint32, lanes uint8, keyLength uint32) []byte
	}{{"ours", pool.IDKey}, {"xcrypto", xargon2.IDKey}} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				test.key(password, salt, 2, 19456, 1, 32)
			}
		})
	}
}
