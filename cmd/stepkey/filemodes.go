package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strings"
)

// warnOfReadableFiles names the files of an SQLite database that every user of the machine can read or write: they hold password
// hashes and e-mail addresses. New ones are made for their owner alone; copies and files of old backups may not be.
//
// As with the secret, the group is left alone: Kubernetes gives every file of a volume to the group in fsGroup, and OpenShift
// runs each container as a user of its own in group 0. The service does not stop: on a volume of a network the mode may say
// little, and nobody is to be kept from signing in for it.
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
			log.Warn("the mode of a database file is not known", "file", file, "error", err)
			continue
		}
		if mode := info.Mode().Perm(); mode&0o007 != 0 {
			log.Warn("the database file is accessible to all users of this machine: run chmod o-rwx "+file, "file", file, "mode", mode.String())
		}
	}
}
