// Package patience has generous deadlines for tests that do not test deadlines.
//
// On a busy machine everything is slow, and a test that fails for that reason is
// useless. Tests of a deadline use the real one instead.
package patience

import "time"

// Long bounds the wait for something that is about to happen. It does not
// measure speed: a machine that still works never needs that long, whatever its
// load.
const Long = 2 * time.Minute

// Settings returns environment variables that give the service such deadlines.
func Settings() []string {
	return []string{
		"STEPKEY_DB_TIMEOUT=2m", "STEPKEY_REDIS_TIMEOUT=2m", "STEPKEY_REQUEST_TIMEOUT=2m", "STEPKEY_HASH_WAIT=2m",
	}
}
