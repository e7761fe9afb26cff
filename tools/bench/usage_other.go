//go:build !linux

package main

import (
	"errors"
	"time"
)

var errLinuxOnly = errors.New("bench: only Linux shows the CPU time and memory of other processes in the way used here")

func cpuTime(int) (time.Duration, error) { return 0, errLinuxOnly }

func memoryOf(int) (memory, error) { return memory{}, errLinuxOnly }
