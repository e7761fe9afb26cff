//go:build unix

package main

import (
	"math"
	"syscall"
)

// openFiles returns how many open files and connections the system allows this
// process. Go has already raised the limit to its maximum.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt
	}
	return int(min(limit.Cur, math.MaxInt))
}
