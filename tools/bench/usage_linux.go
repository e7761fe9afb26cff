package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the CPU time, user and system, that all threads of a process
// have used so far, in the nanoseconds of the scheduler and not in the ticks of
// /proc/PID/stat.
func cpuTime(pid int) (time.Duration, error) {
	// clock_getcpuclockid(3): the complement of the process id, shifted, with
	// CPUCLOCK_SCHED (2) for the kind of clock.
	clock := int32(^pid<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// memoryOf returns the memory of a process.
func memoryOf(pid int) (memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	var m memory
	for name, value := range map[string]*int{"VmRSS:": &m.resident, "RssAnon:": &m.own, "VmHWM:": &m.most} {
		if *value, err = kibibytes(status, name); err != nil {
			return memory{}, fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return m, nil
}

// kibibytes returns a value in kB of /proc/PID/status, in bytes.
func kibibytes(status []byte, name string) (int, error) {
	for line := range bytes.Lines(status) {
		if value, found := bytes.CutPrefix(line, []byte(name)); found {
			kib, err := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))))
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in its status", name)
}
