package argon2

import "syscall"

// yield lets another thread run if one waits for this CPU, by sched_yield(2).
//
// A hash computes for 20 ms or more and never sleeps. Since Linux 6.6 a thread that wakes up on the same CPU may have to wait until
// the slice of the running one is over, and the kernel looks at that once in a tick, of 4 ms on many systems. So
// requests that need 50 µs would take milliseconds while passwords are hashed.
//
// It is no raw system call, so that the Go scheduler gives the goroutines in this thread's queue to another one if it has to wait.
func yield() { _, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
