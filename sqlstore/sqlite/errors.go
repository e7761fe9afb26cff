package sqlite

import (
	"errors"
	"strings"
)

// faults are the primary result codes of https://sqlite.org/rescode.html that concern the
// file and not the statement, with SQLite's texts for them.
var faults = map[int]string{
	5:  "database is locked",                   // SQLITE_BUSY
	6:  "database table is locked",             // SQLITE_LOCKED
	8:  "attempt to write a readonly database", // SQLITE_READONLY
	10: "disk i/o error",                       // SQLITE_IOERR
	13: "database or disk is full",             // SQLITE_FULL
	14: "unable to open database file",         // SQLITE_CANTOPEN
}

// transient reports whether the file, and not the statement, is at fault: locked by another
// process, on a full disk, unreadable.
func transient(err error) bool { return fault(err) != 0 }

// locked reports whether another connection has the file locked.
func locked(err error) bool { return fault(err) == 5 || fault(err) == 6 }

// fault returns the code of err in faults, or 0. Most drivers expose the code of an error;
// for the others, it compares SQLite's text.
func fault(err error) int {
	if err == nil {
		return 0
	}
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		primary := coded.Code() & 0xff
		if _, known := faults[primary]; !known {
			return 0
		}
		return primary
	}
	text := strings.ToLower(err.Error())
	for code, fault := range faults {
		if strings.Contains(text, fault) {
			return code
		}
	}
	return 0
}
