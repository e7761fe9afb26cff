package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strings"
)

// warnOfReadableFiles logs the files of an SQLite database that every user of the machine can read or write:
// they contain password hashes and e-mail addresses. New files are only accessible to their owner; copies and
// restored backups may not be.
//
// As with the secret, group access is allowed: Kubernetes gives every file of a volume to the group in
// fsGroup, and OpenShift runs each container as a separate user in group 0. The service starts anyway: on a
// network volume the mode may mean little, and that must not keep people from signing in.
func warnOfReadableFiles(log *slog.Logger, dsn string) {
	path, isSQLite := strings.CutPrefix(dsn, "sqlite:")
	if !isSQLite || runtime.GOOS == "windows" {
		return
	}
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			log.Warn("cannot read the mode of a database file", "file", file, "error", err)
			continue
		}
		if mode := info.Mode().Perm(); mode&0o007 != 0 {
			log.Warn("the database file is accessible to all users of this machine: run chmod o-rwx "+file, "file", file, "mode", mode.String())
		}
	}
}
