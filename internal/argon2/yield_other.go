//go:build !linux

package argon2

// yield does nothing. Which systems other than Linux let a waking thread wait has not been measured.
func yield() {}
