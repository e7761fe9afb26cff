package password

import "time"

// FailureDelay is the rest of the failure floor for a login that took so long.
func FailureDelay(k *Keeper, hash string, took time.Duration) time.Duration {
	return k.failureDelay(hash, took)
}
