//go:build containers

package containers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience bounds waiting for something that has to happen. It is no measure of speed.
const patience = 5 * time.Minute

// cannotRun returns why no engine can run on this machine, or nothing if one can. Only what is known to rule one out counts:
// anything else that goes wrong is a failure of the tests.
func cannotRun() string {
	if runtime.GOOS != "linux" {
		return "it needs Linux."
	}
	if os.Geteuid() != 0 {
		return "the tests start an engine of their own, which needs root."
	}
	if release, err := os.ReadFile("/etc/os-release"); err != nil || !isBookworm(string(release)) {
		return "the images are made from the packages of Debian 12, which this machine does not have."
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return ""
	}
	if !mayAdminister(string(status)) {
		return "root has not all of its rights here, as in a container without --privileged."
	}
	probe := exec.Command("true")
	probe.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
	}
	if err := probe.Run(); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) {
		return fmt.Sprintf("the kernel refuses to make namespaces (%v).", err)
	}
	return ""
}

// isBookworm reports whether a machine with that /etc/os-release is Debian 12, on which the image of Go is based.
func isBookworm(release string) bool {
	return regexp.MustCompile(`(?m)^ID=debian$`).MatchString(release) &&
		regexp.MustCompile(`(?m)^VERSION_CODENAME=bookworm$`).MatchString(release)
}

// mayAdminister reports whether a process with that /proc/self/status has the capabilities without which no container starts.
func mayAdminister(status string) bool {
	const netAdmin, sysAdmin = 1 << 12, 1 << 21
	effective := regexp.MustCompile(`(?m)^CapEff:\s*([0-9a-f]+)$`).FindStringSubmatch(status)
	if effective == nil {
		return true
	}
	capabilities, err := strconv.ParseUint(effective[1], 16, 64)
	return err != nil || capabilities&netAdmin != 0 && capabilities&sysAdmin != 0
}

// setUp installs Docker and mmdebstrap.
func setUp() error {
	command := exec.Command(filepath.Join(root, "tools/setup"), "containers")
	command.Stderr = os.Stderr
	return command.Run()
}

// engine is a Docker daemon with its command line and Compose.
type engine struct {
	folder  string   // where it keeps everything, emptied at the start
	compose string   // the program
	env     []string // of the commands

	process *exec.Cmd
	log     string
	exited  chan struct{}
	exit    error // to be read after exited is closed

	stop func() error // once
}

// startEngine starts a daemon with an empty store.
func startEngine(cache string) (*engine, error) {
	folder := filepath.Join(cache, "engine")
	if err := remove(folder); err != nil {
		return nil, fmt.Errorf("remove what a run that was killed has left: %w", err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	socket := "unix://" + filepath.Join(folder, "socket")
	e := &engine{
		folder: folder, log: filepath.Join(folder, "log"), exited: make(chan struct{}),
		// Not the caller's environment: Compose takes settings from it, and Docker its configuration.
		env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "DOCKER_HOST=" + socket, "DOCKER_BUILDKIT=0"},
	}
	e.stop = sync.OnceValue(e.end)
	e.process = exec.Command("dockerd", "-H", socket, "-p", filepath.Join(folder, "pid"),
		"--data-root", filepath.Join(folder, "data"), "--exec-root", filepath.Join(folder, "exec"),
		// The machine's packet filter and routing stay as they are.
		"--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
		// Where containerd runs already, another engine's containers are none of ours.
		"--containerd-namespace", "stepkey-containers", "--containerd-plugins-namespace", "stepkey-containers-plugins")
	// Ctrl-C is for the tests, which stop the daemon; and should they be killed, it ends with them.
	e.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := e.launch(); err != nil {
		return nil, err
	}
	return e, step("start an engine", e.ready)
}

// launch starts the daemon from a thread that stays: the end of the thread would be taken for that of the process.
func (e *engine) launch() error {
	log, err := os.Create(e.log)
	if err != nil {
		return err
	}
	e.process.Stdout, e.process.Stderr = log, log
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer log.Close()
		err := e.process.Start()
		started <- err
		if err == nil {
			e.exit = e.process.Wait()
			close(e.exited)
		}
	}()
	return <-started
}

func (e *engine) ready() error {
	deadline := time.Now().Add(patience)
	for {
		_, err := e.docker("version")
		if err == nil {
			return nil
		}
		select {
		case <-e.exited:
			return fmt.Errorf("dockerd ended (%w):\n%s", e.exit, e.lastWords())
		case <-time.After(200 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.Join(err, e.stop(), errors.New(e.lastWords()))
		}
	}
}

// lastWords are the end of the daemon's log.
func (e *engine) lastWords() string {
	log, err := os.ReadFile(e.log)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-4000):])
}

// end removes containers and networks, stops the daemon, and then removes what it kept.
func (e *engine) end() error {
	var failed error
	if containers, err := e.docker("ps", "-aq"); err == nil && containers != "" {
		_, err := e.docker(append([]string{"rm", "-f", "-v"}, strings.Fields(containers)...)...)
		failed = errors.Join(failed, err)
	}
	_, err := e.docker("network", "prune", "-f")
	failed = errors.Join(failed, err, e.process.Process.Signal(syscall.SIGTERM))
	select {
	case <-e.exited:
		failed = errors.Join(failed, e.exit)
	case <-time.After(patience):
		return errors.Join(failed, fmt.Errorf("dockerd does not stop:\n%s", e.lastWords()), e.process.Process.Kill())
	}
	return errors.Join(failed, remove(e.folder))
}

// remove removes the folder of a daemon that has ended. It leaves mounts behind: always the one by which it names the machine's
// network, and all of them if it was killed.
func remove(folder string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var below []string
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); strings.HasPrefix(fields[4], folder+"/") {
			below = append(below, fields[4])
		}
	}
	slices.Reverse(below) // those that were mounted on others first
	for _, place := range below {
		if err := syscall.Unmount(place, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", place, err)
		}
	}
	return os.RemoveAll(folder)
}

// docker runs a command of Docker's and returns what it printed.
func (e *engine) docker(words ...string) (string, error) {
	return e.run(exec.Command("docker", words...))
}

// logs returns what a container printed to either stream.
func (e *engine) logs(id string) (string, error) {
	return e.run(exec.Command("sh", "-c", `exec docker logs "$1" 2>&1`, "sh", id))
}

// run runs a command that speaks to the daemon.
func (e *engine) run(command *exec.Cmd) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	command.Env = append(e.env, command.Env...)
	var out, faults bytes.Buffer
	command.Stdout, command.Stderr = &out, &faults
	if err := command.Start(); err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, func() { _ = command.Process.Kill() })()
	if err := command.Wait(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(command.Args, " "), err, &out, &faults)
	}
	return strings.TrimSpace(out.String()), nil
}
