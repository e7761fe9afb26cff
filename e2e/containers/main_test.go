//go:build containers

package containers_test

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// root is the folder of the repository.
const root = "../.."

// docker is the engine that all tests use, with the image of this repository in it.
var docker *engine

func TestMain(m *testing.M) {
	if reason := cannotRun(); reason != "" {
		fmt.Println("containers: nothing was tested, because Docker cannot run here:", reason)
		os.Exit(0)
	}
	os.Exit(func() int {
		code, err := test(m)
		if err != nil {
			fmt.Fprintln(os.Stderr, "containers:", err)
			return 1
		}
		return code
	}())
}

func test(m *testing.M) (code int, err error) {
	defer progress("all of it")()
	cache, err := os.UserCacheDir()
	if err != nil {
		return 0, err
	}
	cache = filepath.Join(cache, "stepkey-containers")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return 0, err
	}
	unlock, err := lock(filepath.Join(cache, "lock"))
	if err != nil {
		return 0, err
	}
	defer unlock()
	if err := step("install what is missing", setUp); err != nil {
		return 0, err
	}
	docker, err = startEngine(cache)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, docker.stop()) }()
	stopWhenInterrupted()
	if err := makeImages(docker, cache); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// stopWhenInterrupted stops the engine also if somebody presses Ctrl-C or a CI runner gives up.
func stopWhenInterrupted() {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		if err := docker.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "containers:", err)
		}
		os.Exit(1)
	}()
}

// lock waits until no other run uses the cache folder. The lock ends with the process at the latest.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		fmt.Println("containers: waiting for another run to end")
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	return func() { file.Close() }, nil
}

// step runs one of the steps before the tests, and says how long it took.
func step(what string, do func() error) error {
	defer progress(what)()
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func progress(what string) (done func()) {
	start := time.Now()
	fmt.Printf("containers: %s …\n", what)
	return func() { fmt.Printf("containers: %s took %.0f s\n", what, time.Since(start).Seconds()) }
}
