package argon2

import "testing"

// A hash yields all the time that it runs, however many passes and lanes it has.
func TestYields(t *testing.T) {
	for _, c := range []struct{ passes, kib, lanes uint32 }{
		{1, 4096, 1},
		{2, 19456, 1},
		{3, 65536, 4},
	} {
		m := newMemory(make([]block, roundDown(c.kib, c.lanes)), c.passes, c.lanes)
		yields := uint32(0)
		m.yield = func() { yields++ }
		m.derive(newSeed([]byte("password"), []byte("some salt"), nil, nil, c.passes, c.kib, c.lanes, 32), 32)
		blocks := c.passes * c.kib
		if yields < blocks/yieldEvery*9/10 || yields > blocks/yieldEvery*11/10 {
			t.Errorf("%d blocks in %d lanes: %d yields, want one for each %d blocks", blocks, c.lanes, yields, yieldEvery)
		}
	}
}
