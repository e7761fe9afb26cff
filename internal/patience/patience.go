// Package patience has the deadlines of tests whose subject is not a deadline.
//
// A busy machine makes everything late, and a test that fails for that reason tells
// nobody anything. Tests of a deadline use the real one instead.
package patience

import "time"

// Long bounds waiting for something that is about to happen. It is no measure of
// speed: no load that a machine still works under reaches it.
const Long = 2 * time.Minute

// Settings returns environment variables that give the service such deadlines.
func Settings() []string {
	return []string{
		"STEPKEY_DB_TIMEOUT=2m", "STEPKEY_REDIS_TIMEOUT=2m", "STEPKEY_REQUEST_TIMEOUT=2m", "STEPKEY_HASH_WAIT=2m",
	}
}
