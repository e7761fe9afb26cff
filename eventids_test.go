package stepkey_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// The ids of events are in the order of time, and those of nothing else are: the time at which a user or a
// session began must not be read from an id.
func TestOnlyEventsHaveOrderedIDs(t *testing.T) {
	f := newFixture(t)
	claims, device := f.enrolled("mira", authenticator.Config{})
	f.confirm(claims, device, nil)
	f.importAll(false, comer("noor"))
	for _, ids := range []struct {
		table   string
		version uuid.Version
	}{{"events", 7}, {"users", 4}, {"sessions", 4}, {"passkeys", 4}} {
		table, version := ids.table, ids.version
		rows, err := f.sql.QueryContext(t.Context(), `SELECT id FROM `+table)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; rows.Next(); n++ {
			var id uuid.UUID
			if err := rows.Scan(&id); err != nil || id.Version() != version {
				t.Errorf("%s: %s has version %d, want %d (%v)", table, id, id.Version(), version, err)
			}
		}
		if err := rows.Err(); err != nil || n == 0 {
			t.Errorf("%s has %d rows, %v", table, n, err)
		}
	}
}
