package redistest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// watchdogScript reads the server's process id, one per line, from a pipe whose
// other end only our process holds: the end of the pipe is the death of that
// process, however it died. An empty line says that no server runs.
const watchdogScript = `
pid=
while read -r line; do pid=$line; done
[ -z "$pid" ] || kill -KILL "$pid"
rm -rf "$1"
`

// watchdog is a process that outlives ours to clean up after it.
type watchdog struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// watch starts a watchdog that removes dir in the end.
func watch(dir string) (*watchdog, error) {
	cmd := exec.Command("/bin/sh", "-c", watchdogScript, "watchdog", dir)
	// A session of its own: Ctrl-C and a killed process group spare it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("redistest: watchdog: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("redistest: watchdog: %w", err)
	}
	return &watchdog{cmd: cmd, pipe: pipe}, nil
}

// guard makes pid the server to end.
func (w *watchdog) guard(pid int) error {
	_, err := fmt.Fprintln(w.pipe, pid)
	return err
}

// forget says that the server has ended, so that its process id, which another
// process may get, is not signalled.
func (w *watchdog) forget() error {
	_, err := fmt.Fprintln(w.pipe)
	return err
}

// finish lets the watchdog do its work now and waits for it.
func (w *watchdog) finish() error {
	if err := w.pipe.Close(); err != nil {
		if errors.Is(err, os.ErrClosed) {
			return nil // it has finished
		}
		return err
	}
	return w.cmd.Wait()
}
