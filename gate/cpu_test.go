//go:build unix

package gate

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime returns the CPU time that this process has used. Unlike the time on the clock, it hardly
// depends on what else the machine does.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
