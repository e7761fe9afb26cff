//go:build containers

package containers_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDataFolderOfAnyUser starts the image, with SQLite and a generated secret, as the users that platforms choose, twice each.
func TestDataFolderOfAnyUser(t *testing.T) {
	for name, test := range map[string]struct {
		flags []string
		// between does to the volume what the platform does before the second start.
		between func(t *testing.T, folder string)
	}{
		"the image's own user":      {},
		"arbitrary user in group 0": {[]string{"--user", "123456:0"}, groupMayWrite},
	} {
		t.Run(name, func(t *testing.T) {
			volume := run(t, "volume", "create")
			t.Cleanup(func() { run(t, "volume", "rm", volume) })
			startsTwice(t, append(test.flags, "--volume", volume+":/data"), func() {
				if test.between != nil {
					test.between(t, run(t, "volume", "inspect", "--format", "{{.Mountpoint}}", volume))
				}
			})
		})
	}
	t.Run("fsGroup", func(t *testing.T) {
		const group = 2000
		folder := t.TempDir()
		giveToGroup(t, folder, group)
		startsTwice(t, []string{"--user", "123456:123456", "--group-add", "2000", "--volume", folder + ":/data"},
			func() { giveToGroup(t, folder, group) })
	})
}

// startsTwice starts a container, stops it, and starts another on the same volume. It must find the same secret and database.
func startsTwice(t *testing.T, flags []string, between func()) {
	t.Helper()
	for i := range 2 {
		if i == 1 {
			between()
		}
		id := start(t, flags...)
		waitFor(t, id, "healthy", healthy)
		run(t, "stop", id)
		if c := inspect(t, id); c.State.ExitCode != 0 {
			t.Errorf("stopped with %d", c.State.ExitCode)
		}
		run(t, "rm", id)
	}
}

// start starts a container as safely as compose.yaml does, without any network.
func start(t *testing.T, flags ...string) (id string) {
	t.Helper()
	words := append([]string{
		"run", "--detach", "--network", "none", "--read-only", "--cap-drop", "ALL",
		"--security-opt", "no-new-privileges:true", "--health-interval", "1s",
	}, flags...)
	id = run(t, append(words, ourImage)...)
	t.Cleanup(func() { _, _ = docker.docker("rm", "--force", id) }) // is removed already if the test passed
	return id
}

// groupMayWrite does to a volume what restoring it with the permissions of its folder does.
func groupMayWrite(t *testing.T, folder string) {
	t.Helper()
	change(t, folder, func(path string, mode fs.FileMode) error { return os.Chmod(path, mode|0o060) })
}

// giveToGroup does to a volume what the kubelet does for fsGroup at every start of a pod (SetVolumeOwnership): all of it is the
// group's, files can be written by it, and what is made in a folder is the group's as well.
func giveToGroup(t *testing.T, folder string, group int) {
	t.Helper()
	change(t, folder, func(path string, mode fs.FileMode) error {
		mode |= 0o060
		if mode.IsDir() {
			mode |= 0o010 | fs.ModeSetgid
		}
		if err := os.Lchown(path, -1, group); err != nil {
			return err
		}
		return os.Chmod(path, mode)
	})
}

func change(t *testing.T, folder string, change func(path string, mode fs.FileMode) error) {
	t.Helper()
	count := 0
	if err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		count++
		return change(path, info.Mode())
	}); err != nil || count == 0 {
		t.Fatal(err, count)
	}
}

func TestSecretOpenToAllUsersIsRefused(t *testing.T) {
	volume := run(t, "volume", "create")
	t.Cleanup(func() { run(t, "volume", "rm", volume) })
	id := start(t, "--volume", volume+":/data")
	waitFor(t, id, "healthy", healthy)
	run(t, "rm", "--force", id)
	secret := filepath.Join(run(t, "volume", "inspect", "--format", "{{.Mountpoint}}", volume), "secret")
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	id = start(t, "--volume", volume+":/data")
	c := waitFor(t, id, "ended", func(c container) bool { return c.State.Status == "exited" })
	logs, err := docker.logs(id)
	if err != nil || c.State.ExitCode == 0 || !strings.Contains(logs, "chmod o-rwx /data/secret") {
		t.Errorf("exit %d: %s (%v)", c.State.ExitCode, logs, err)
	}
	run(t, "rm", id)
}

// TestDataFolderInTheImage: a volume takes owner and mode from it.
func TestDataFolderInTheImage(t *testing.T) {
	volume := run(t, "volume", "create")
	t.Cleanup(func() { run(t, "volume", "rm", volume) })
	id := start(t, "--volume", volume+":/data")
	run(t, "rm", "--force", id)
	info, err := os.Stat(run(t, "volume", "inspect", "--format", "{{.Mountpoint}}", volume))
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if info.Mode().Perm() != 0o770 || owner.Uid != 65532 || owner.Gid != 0 {
		t.Errorf("/data is %d:%d, mode %#o; want 65532:0, 0770", owner.Uid, owner.Gid, info.Mode().Perm())
	}
}
