// Copyright 2017 The Go Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

// Package argon2 derives keys from passwords by argon2id (RFC 9106), in memory that it uses again.
//
// It is made from golang.org/x/crypto/argon2 v0.58.0, returns the same keys, and stands under the licence of
// that module, which is in LICENSE. What differs:
//
//   - The blocks come from a [Pool] instead of from the heap. Fresh ones have to be zeroed by the runtime and
//     mapped by the kernel, for 19 MiB in each hash.
//   - The first pass writes each block instead of adding it to zeros, so blocks need not be zero before a hash.
//   - Blocks are zeroed after a hash; see [Pool.IDKey].
//   - A hash runs on the goroutine of its caller alone. Lanes are filled one after the other, which gives the
//     same key, because no lane of a slice reads what another one writes in it.
//   - A hash yields its CPU to threads that wait for one, after every 512 blocks.
//   - Argon2i, and the assembly for loong64, are left out.
//
// blake2b.go and blamka_amd64.s are unchanged, blamka_generic.go nearly so. docs/decisions/0020-argon2id.md says
// why there is a copy.
package argon2

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"
)

// Version is the version of Argon2 that is implemented (RFC 9106 §3.1).
const Version = 0x13

const (
	argon2id    = 2 // the type y of RFC 9106 §3.1
	blockLength = 128
	syncPoints  = 4
)

type block [blockLength]uint64

// yieldEvery is after how many blocks a hash yields: about half a millisecond. See [yield].
const yieldEvery = 512

// seed is H_0 of RFC 9106 §3.2, with room for the two numbers that are hashed along with it.
type seed [blake2b.Size + 8]byte

func newSeed(password, salt, secret, data []byte, passes, memory, lanes, keyLength uint32) *seed {
	h, _ := blake2b.New512(nil)
	write := func(n uint32) { _, _ = h.Write(binary.LittleEndian.AppendUint32(nil, n)) }
	for _, n := range []uint32{lanes, keyLength, memory, passes, Version, argon2id} {
		write(n)
	}
	for _, text := range [][]byte{password, salt, secret, data} {
		write(uint32(len(text)))
		_, _ = h.Write(text)
	}
	var s seed
	h.Sum(s[:0])
	return &s
}

// memory is the matrix of blocks that one hash fills.
type memory struct {
	blocks        []block
	passes, lanes uint32
	laneLength    uint32
	segmentLength uint32
	yield         func()
}

// roundDown returns how many blocks are used of kib: a multiple of four for each lane, and at least eight
// (RFC 9106 §3.2).
func roundDown(kib, lanes uint32) uint32 {
	unit := syncPoints * lanes
	return max(kib/unit*unit, 2*unit)
}

func newMemory(blocks []block, passes, lanes uint32) *memory {
	length := uint32(len(blocks)) / lanes
	return &memory{blocks, passes, lanes, length, length / syncPoints, yield}
}

// derive fills the memory and makes a key of it.
func (m *memory) derive(s *seed, keyLength uint32) []byte {
	m.begin(s)
	for pass := range m.passes {
		for slice := range uint32(syncPoints) {
			for lane := range m.lanes {
				m.fill(pass, slice, lane)
			}
		}
	}
	return m.key(keyLength)
}

// begin makes the first two blocks of each lane.
func (m *memory) begin(s *seed) {
	var raw [8 * blockLength]byte
	for lane := range m.lanes {
		binary.LittleEndian.PutUint32(s[blake2b.Size+4:], lane)
		for i := range uint32(2) {
			binary.LittleEndian.PutUint32(s[blake2b.Size:], i)
			blake2bHash(raw[:], s[:])
			b := &m.blocks[lane*m.laneLength+i]
			for word := range b {
				b[word] = binary.LittleEndian.Uint64(raw[word*8:])
			}
		}
	}
}

// fill makes the blocks of a segment: a lane's part of a slice.
func (m *memory) fill(pass, slice, lane uint32) {
	var addresses, in, zero block
	// argon2id chooses its references without a look at data in the first half of the first pass.
	independent := pass == 0 && slice < syncPoints/2
	if independent {
		in = block{uint64(pass), uint64(lane), uint64(slice), uint64(len(m.blocks)), uint64(m.passes), argon2id}
	}
	nextAddresses := func() {
		in[6]++
		processBlock(&addresses, &in, &zero)
		processBlock(&addresses, &addresses, &zero)
	}

	index := uint32(0)
	if pass == 0 && slice == 0 {
		index = 2 // begin has made the first two
		nextAddresses()
	}
	offset := lane*m.laneLength + slice*m.segmentLength + index
	for ; index < m.segmentLength; index, offset = index+1, offset+1 {
		if index%yieldEvery == 0 {
			m.yield()
		}
		previous := offset - 1
		if index == 0 && slice == 0 {
			previous += m.laneLength // the last one of the lane
		}
		random := m.blocks[previous][0]
		if independent {
			if index%blockLength == 0 {
				nextAddresses()
			}
			random = addresses[index%blockLength]
		}
		reference := &m.blocks[m.reference(random, pass, slice, lane, index)]
		if pass == 0 {
			processBlock(&m.blocks[offset], &m.blocks[previous], reference)
		} else {
			processBlockXOR(&m.blocks[offset], &m.blocks[previous], reference)
		}
	}
}

// reference returns the index of the block that random refers to (RFC 9106 §3.4.2).
func (m *memory) reference(random uint64, pass, slice, lane, index uint32) uint32 {
	of := uint32(random>>32) % m.lanes
	if pass == 0 && slice == 0 {
		of = lane
	}
	area, start := 3*m.segmentLength, (slice+1)%syncPoints*m.segmentLength
	if lane == of {
		area += index
	}
	if pass == 0 {
		area, start = slice*m.segmentLength, 0
		if slice == 0 || lane == of {
			area += index
		}
	}
	if index == 0 || lane == of {
		area--
	}
	x := random & 0xffffffff
	x = x * x >> 32
	x = x * uint64(area) >> 32
	return of*m.laneLength + uint32((uint64(start)+uint64(area)-(x+1))%uint64(m.laneLength))
}

// key hashes the sum of the last blocks of all lanes.
func (m *memory) key(length uint32) []byte {
	var sum block
	for lane := range m.lanes {
		for word, v := range m.blocks[lane*m.laneLength+m.laneLength-1] {
			sum[word] ^= v
		}
	}
	var raw [8 * blockLength]byte
	for word, v := range sum {
		binary.LittleEndian.PutUint64(raw[word*8:], v)
	}
	key := make([]byte, length)
	blake2bHash(key, raw[:])
	return key
}
