// Copyright 2017 The Go Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build amd64 && gc && !purego

package argon2

import "golang.org/x/sys/cpu"

//go:noescape
func mixBlocksSSE2(out, a, b, c *block)

//go:noescape
func xorBlocksSSE2(out, a, b, c *block)

//go:noescape
func blamkaSSE4(b *block)

func processBlock(out, in1, in2 *block) {
	if !cpu.X86.HasSSE41 {
		processBlockGeneric(out, in1, in2, false)
		return
	}
	var t block
	mixBlocksSSE2(&t, in1, in2, &t)
	blamkaSSE4(&t)
	mixBlocksSSE2(out, in1, in2, &t)
}

func processBlockXOR(out, in1, in2 *block) {
	if !cpu.X86.HasSSE41 {
		processBlockGeneric(out, in1, in2, true)
		return
	}
	var t block
	mixBlocksSSE2(&t, in1, in2, &t)
	blamkaSSE4(&t)
	xorBlocksSSE2(out, in1, in2, &t)
}
