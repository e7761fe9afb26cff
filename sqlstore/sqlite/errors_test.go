package sqlite

import (
	"errors"
	"fmt"
	"testing"
)

// coded is an error of a driver that tells the code.
type coded int

func (c coded) Error() string { return fmt.Sprintf("code %d", int(c)) }
func (c coded) Code() int     { return int(c) }

func TestTransient(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{coded(5), true},          // SQLITE_BUSY
		{coded(5 | 2<<8), true},   // SQLITE_BUSY_SNAPSHOT
		{coded(6), true},          // SQLITE_LOCKED
		{coded(8), true},          // SQLITE_READONLY
		{coded(10 | 12<<8), true}, // SQLITE_IOERR_SHORT_READ
		{coded(13), true},         // SQLITE_FULL
		{coded(14), true},         // SQLITE_CANTOPEN
		{coded(1), false},         // SQLITE_ERROR
		{coded(19 | 8<<8), false}, // SQLITE_CONSTRAINT_UNIQUE
		{coded(11), false},        // SQLITE_CORRUPT
		{errors.Join(errors.New("first"), fmt.Errorf("second: %w", coded(5))), true},
		// github.com/mattn/go-sqlite3 has the texts as they are, ncruces with "sqlite3: " before.
		{errors.New("database is locked"), true},
		{errors.New("sqlite3: database is locked"), true},
		{errors.New("database table is locked: stepkey_users"), true},
		{errors.New("attempt to write a readonly database"), true},
		{errors.New("disk I/O error"), true},
		{errors.New("sqlite3: database or disk is full"), true},
		{errors.New("unable to open database file: no such file or directory"), true},
		{errors.New("UNIQUE constraint failed: stepkey_users.canonical_name"), false},
		{errors.New("database disk image is malformed"), false},
	} {
		if got := transient(test.err); got != test.want {
			t.Errorf("%v: %v, want %v", test.err, got, test.want)
		}
	}
}
