// Package watchdog ends a server that tests started, and removes its files, also when
// the tests die: internal/pgtest and internal/redistest have it beside each server.
package watchdog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// script reads the server's process id, one per line, from a pipe whose other end only
// our process holds: the end of the pipe is the death of that process, however it died.
// An empty line says that no server runs. It works on every Unix, unlike Linux's
// parent-death signal, and removes the files as well.
//
// The wait of at most 5 s lets the server's children go before their files do.
const script = `
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
	kill -"$2" "$pid"
	tries=0
	while [ "$tries" -lt 50 ] && kill -0 "$pid"; do sleep 0.1; tries=$((tries + 1)); done
	kill -KILL "$pid"
fi
rm -rf "$1"
`

// Watchdog is a process that outlives ours to clean up after it.
type Watchdog struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// Watch starts a watchdog that in the end sends signal, such as QUIT, to the server,
// kills it if that does not help, and removes dir.
func Watch(dir, signal string) (*Watchdog, error) {
	cmd := exec.Command("/bin/sh", "-c", script, "watchdog", dir, signal)
	// A session of its own: Ctrl-C and a killed process group spare it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	return &Watchdog{cmd: cmd, pipe: pipe}, nil
}

// Pid is the process id of the watchdog itself.
func (w *Watchdog) Pid() int { return w.cmd.Process.Pid }

// Guard makes pid the server to end.
func (w *Watchdog) Guard(pid int) error {
	_, err := fmt.Fprintln(w.pipe, pid)
	return err
}

// Forget says that the server has ended, so that its process id, which another process
// may get, is not signalled.
func (w *Watchdog) Forget() error {
	_, err := fmt.Fprintln(w.pipe)
	return err
}

// Finish lets the watchdog do its work now and waits for it. Once it has finished, it
// does nothing.
func (w *Watchdog) Finish() error {
	if err := w.pipe.Close(); err != nil {
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		return err
	}
	return w.cmd.Wait()
}
