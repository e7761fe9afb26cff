package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// maxSocketPath is the number of bytes a Unix socket's path may have on every
// system we care for: sun_path takes 108 with its closing zero on Linux, 104 on
// macOS and the BSDs.
const maxSocketPath = 103

// socketName is the name PostgreSQL gives its socket for port 5432. Sockets live
// in a directory per server, so the port never needs to change.
const socketName = ".s.PGSQL.5432"

// makeDir makes the directory of one server below the first of bases that can
// serve: one whose path leaves room for a socket and, when the server runs as
// another user (owner is not nil), whose parents that user can pass.
func makeDir(bases []string, owner *syscall.Credential) (string, error) {
	var refusals []error
	for _, base := range bases {
		dir, err := makeDirIn(base, owner)
		if err == nil {
			return dir, nil
		}
		refusals = append(refusals, err)
	}
	return "", fmt.Errorf("pgtest: no directory for a server: %w", errors.Join(refusals...))
}

func makeDirIn(base string, owner *syscall.Credential) (string, error) {
	base, err := filepath.Abs(base)
	if err != nil {
		return "", err
	}
	if owner != nil {
		if err := passable(base); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp(base, "stepkey-pg-") // mode 0700: no other user gets to the socket
	if err != nil {
		return "", err
	}
	if n := len(filepath.Join(dir, socketName)); n > maxSocketPath {
		return "", errors.Join(fmt.Errorf("%s: %d bytes are too long for the path of a Unix socket", base, n), os.Remove(dir))
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return "", errors.Join(err, os.Remove(dir))
		}
	}
	return dir, nil
}

// passable reports as an error a directory on the way to dir, or dir itself,
// that only its owner or group can enter.
func passable(dir string) error {
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("%s: not every user can enter it", dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// serverUser returns whom to run the server as: nil for "as we are", which
// PostgreSQL accepts of everybody but root.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("pgtest: PostgreSQL does not run as root, and there is neither a user postgres nor nobody: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("pgtest: user %s: %w", account.Username, err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("pgtest: user %s: %w", account.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
