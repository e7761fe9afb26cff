package container

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// image is what the Dockerfile says about the image and its program.
type image struct {
	base       string // of the last stage
	build      string // the command that compiles the program to /out/stepkey
	user       uint32
	env        []string
	entrypoint []string
	command    []string
	health     []string
}

// readImage understands as much of the Dockerfile's language as ours uses.
func readImage(t *testing.T) image {
	t.Helper()
	text, err := os.ReadFile(root + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var i image
	for line := range strings.Lines(string(text)) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "FROM":
			i.base = rest
		case "RUN":
			if strings.Contains(rest, "go build") {
				i.build = rest
			}
		case "USER":
			user, _, _ := strings.Cut(rest, ":")
			id, err := strconv.ParseUint(user, 10, 32)
			if err != nil {
				t.Fatalf("USER %s: want a number: %v", rest, err)
			}
			i.user = uint32(id)
		case "ENV":
			i.env = append(i.env, strings.Fields(rest)...)
		case "ENTRYPOINT":
			i.entrypoint = list(t, rest)
		case "CMD":
			i.command = list(t, rest)
		case "HEALTHCHECK":
			_, command, _ := strings.Cut(rest, "CMD ")
			i.health = list(t, command)
		}
	}
	return i
}

// list reads the exec form of a command, the only one without a shell.
func list(t *testing.T, text string) []string {
	t.Helper()
	var words []string
	if err := json.Unmarshal([]byte(text), &words); err != nil {
		t.Fatalf("%s: not in exec form: %v", text, err)
	}
	return words
}

// unpack makes a directory with what the image holds, and the /etc/hosts that an
// engine adds.
func (i image) unpack(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	compile := exec.Command("sh", "-c", strings.ReplaceAll(i.build, "/out/", dir+"/"))
	compile.Dir = root
	if output, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", i.build, err, output)
	}
	if err := os.Mkdir(dir+"/data", 0o770); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir+"/data", int(i.user), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/etc/hosts", []byte("127.0.0.1 localhost\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// program prepares a command of the image to run inside dir as its user.
func (i image) program(ctx context.Context, dir string, extra []string, words ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = "/data"
	cmd.Env = append(slices.Clone(i.env), extra...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir, Credential: &syscall.Credential{Uid: i.user, Gid: i.user}}
	return cmd
}

// check runs the health check once, with the time that the Dockerfile gives it.
func (i image) check(t *testing.T, dir string, extra []string) error {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	return i.program(ctx, dir, extra, i.health...).Run()
}

func TestImageRunsAsItsUserAloneInAnEmptyRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root, and CI skips nothing")
		}
		t.Skip("needs root: it runs the program in another root directory, as another user")
	}
	i := readImage(t)
	if i.base != "scratch" {
		t.Errorf("base %q: this test assumes scratch", i.base)
	}
	if i.user == 0 {
		t.Error("the image runs as root")
	}
	dir := i.unpack(t)
	port := freePort(t)
	extra := []string{"PORT=" + port, "RP_ORIGIN=http://localhost:" + port}

	service := i.program(t.Context(), dir, extra, append(i.entrypoint, i.command...)...)
	var printed bytes.Buffer
	service.Stdout, service.Stderr = &printed, &printed
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = service.Process.Kill()
		_ = service.Wait()
	}()
	for tries := 0; ; tries++ {
		err := i.check(t, dir, extra)
		if err == nil {
			break
		}
		if tries == 100 {
			_ = service.Process.Kill()
			_ = service.Wait()
			t.Fatalf("never healthy: %v\n%s", err, &printed)
		}
		time.Sleep(100 * time.Millisecond)
	}

	// Another address than localhost's own, as the engine's is when it forwards a
	// published port.
	response, err := http.Get("http://127.0.0.2:" + port + "/livez")
	if err != nil {
		t.Fatalf("a published port would not work: %v", err)
	}
	response.Body.Close()
	made, err := os.ReadDir(filepath.Join(dir, "data"))
	if err != nil || len(made) == 0 {
		t.Errorf("the service keeps nothing in /data (%v)", err)
	}

	if err := service.Process.Signal(syscall.SIGTERM); err != nil { // docker stop
		t.Fatal(err)
	}
	if err := service.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, &printed)
	}
	if err := i.check(t, dir, extra); err == nil {
		t.Error("a stopped service is healthy")
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
