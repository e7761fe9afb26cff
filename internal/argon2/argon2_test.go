package argon2

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	xargon2 "golang.org/x/crypto/argon2"
)

// RFC 9106 §5.3, the one vector with a secret and data.
func TestVectorOfTheRFC(t *testing.T) {
	const passes, kib, lanes, keyLength = 3, 32, 4, 32
	s := newSeed(bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 16), bytes.Repeat([]byte{3}, 8), bytes.Repeat([]byte{4}, 12), passes, kib, lanes, keyLength)
	key := newMemory(make([]block, roundDown(kib, lanes)), passes, lanes).derive(s, keyLength)
	const want = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
	if got := hex.EncodeToString(key); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The vectors of golang.org/x/crypto/argon2 for argon2id, which were made with the command of the reference
// implementation.
func TestVectors(t *testing.T) {
	pool := NewPool(256)
	for _, v := range []struct {
		passes, kib uint32
		lanes       uint8
		want        string
	}{
		{1, 64, 1, "655ad15eac652dc59f7170a7332bf49b8469be1fdb9c28bb"},
		{2, 64, 1, "068d62b26455936aa6ebe60060b0a65870dbfa3ddf8d41f7"},
		{2, 64, 2, "350ac37222f436ccb5c0972f1ebd3bf6b958bf2071841362"},
		{3, 256, 2, "4668d30ac4187e6878eedeacf0fd83c5a0a30db2cc16ef0b"},
		{4, 4096, 4, "145db9733a9f4ee43edf33c509be96b934d505a4efb33c5a"},
		{4, 1024, 8, "8dafa8e004f8ea96bf7c0f93eecf67a6047476143d15577f"},
		{2, 64, 3, "4a15b31aec7c2590b87d1f520be7d96f56658172deaa3079"},
		{3, 1024, 6, "1640b932f4b60e272f5d2207b9a9c626ffa1bd88d2349016"},
	} {
		key := pool.IDKey([]byte("password"), []byte("somesalt"), v.passes, v.kib, v.lanes, uint32(len(v.want)/2))
		if got := hex.EncodeToString(key); got != v.want {
			t.Errorf("%d passes, %d KiB, %d lanes:\ngot  %s\nwant %s", v.passes, v.kib, v.lanes, got, v.want)
		}
	}
}

// Hashes of many kinds take turns on the same blocks, so that nothing of one may reach the next.
func TestKeysAreThoseOfXCrypto(t *testing.T) {
	pool := NewPool(1000)
	for _, kib := range []uint32{1, 8, 100, 1000, 1111, 2048} {
		for _, lanes := range []uint8{1, 2, 4, 7} {
			for passes := uint32(1); passes <= 4; passes++ {
				for _, length := range []uint32{16, 32, 64, 100} {
					t.Run(fmt.Sprintf("m=%d,t=%d,p=%d,%d", kib, passes, lanes, length), func(t *testing.T) {
						compare(t, pool, []byte("correct horse"), []byte("sixteen-byte-slt"), passes, kib, lanes, length)
					})
				}
			}
		}
	}
	compare(t, NewPool(19456), []byte("correct horse"), []byte("sixteen-byte-slt"), 2, 19456, 1, 32)
}

func compare(t *testing.T, pool *Pool, password, salt []byte, passes, kib uint32, lanes uint8, length uint32) {
	t.Helper()
	got := pool.IDKey(password, salt, passes, kib, lanes, length)
	if want := xargon2.IDKey(password, salt, passes, kib, lanes, length); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

// Two fuzzed hashes follow each other on the same blocks.
func FuzzIDKey(f *testing.F) {
	f.Add([]byte("password"), []byte("somesalt"), uint8(2), uint16(64), uint8(1), uint8(32))
	f.Add([]byte(""), []byte(""), uint8(1), uint16(0), uint8(7), uint8(65))
	f.Add(bytes.Repeat([]byte{0xff}, 129), []byte("somesalt"), uint8(4), uint16(999), uint8(3), uint8(200))
	f.Fuzz(func(t *testing.T, password, salt []byte, passes uint8, kib uint16, lanes, length uint8) {
		pool := NewPool(500)
		p, m, l, n := uint32(passes%5+1), uint32(kib%1500), lanes%12+1, uint32(length)+1
		compare(t, pool, password, salt, p, m, l, n)
		compare(t, pool, salt, password, p, m/2, l, n)
	})
}

// Assembly and Go do the same to a block, also where out is one of the others.
func TestProcessBlock(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var in1, in2, out block
		for i := range out {
			in1[i], in2[i], out[i] = random.Uint64(), random.Uint64(), random.Uint64()
		}
		want, got := out, out
		processBlockGeneric(&want, &in1, &in2, false)
		processBlock(&got, &in1, &in2)
		if got != want {
			t.Fatal("processBlock differs")
		}
		want, got = out, out
		processBlockGeneric(&want, &in1, &in2, true)
		processBlockXOR(&got, &in1, &in2)
		if got != want {
			t.Fatal("processBlockXOR differs")
		}
		want, got = in1, in1
		processBlockGeneric(&want, &want, &in2, false)
		processBlock(&got, &got, &in2)
		if got != want {
			t.Fatal("processBlock onto its own input differs")
		}
	}
}
