//go:build unix

package main

import (
	"math"
	"syscall"
)

// openFiles is how many files and connections the system lets this process have
// open. Go has raised it as far as it may be.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt
	}
	return int(min(limit.Cur, math.MaxInt))
}
