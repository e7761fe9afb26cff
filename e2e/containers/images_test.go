//go:build containers

package containers_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The versions that are compiled from Go modules. Mailpit's is the one in compose.yaml.
const (
	composeModule = "github.com/docker/compose/v2@v2.40.3"
	mailpitModule = "github.com/axllent/mailpit@v1.33.1"
)

// The images that Dockerfile and compose.yaml name.
const (
	golangImage   = "golang:1.26-bookworm"
	postgresImage = "postgres:17"
	mailpitImage  = "axllent/mailpit:v1.33.1"

	baseImage = "stepkey-test-base"
	ourImage  = "stepkey-stepkey" // as Compose calls what it builds for compose.yaml
)

// makeImages makes the images that cannot be pulled and then, as a user does, ours. Images that take minutes are kept in cache.
func makeImages(e *engine, cache string) error {
	base := filepath.Join(cache, "base-bookworm-proxies.tar")
	e.compose = filepath.Join(cache, "docker-compose"+versionOf(composeModule))
	mailpit := filepath.Join(cache, "mailpit"+versionOf(mailpitModule))
	for _, s := range []struct {
		what string
		do   func() error
	}{
		{"make a Debian system", once(base, makeBase)},
		{"compile Docker Compose", once(e.compose, compile(composeModule, "./cmd"))},
		{"compile Mailpit", once(mailpit, compile(mailpitModule, "."))},
		{"make an image of the Debian system", func() error {
			_, err := e.docker("import", base, baseImage)
			return err
		}},
		{"make " + golangImage, e.makeGolang},
		{"make " + postgresImage, e.makePostgres},
		{"make " + mailpitImage, func() error { return e.makeMailpit(mailpit) }},
		{"docker compose build", e.buildOurs},
		{"make what examples/gate names", e.makeGateImages},
	} {
		if err := step(s.what, s.do); err != nil {
			return err
		}
	}
	return nil
}

// versionOf returns a module's version, to be a part of a file's name.
func versionOf(module string) string {
	_, version, _ := strings.Cut(module, "@")
	return "-" + version
}

// once has a file made unless it is there. A file that is there is complete.
func once(path string, make func(path string) error) func() error {
	return func() error {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		draft := path + ".draft"
		if err := errors.Join(os.RemoveAll(draft), make(draft)); err != nil {
			return err
		}
		return os.Rename(draft, path)
	}
}

// makeBase makes a Debian system with PostgreSQL, Caddy and nginx from the package sources of this machine.
func makeBase(path string) error {
	if out, err := exec.Command("apt-get", "-q", "update").CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get update: %w\n%s", err, out)
	}
	sources, err := exec.Command("apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
		"Created-By: Packages", "Origin: Debian").Output()
	if err != nil {
		return fmt.Errorf("list the package sources of this machine: %w", err)
	}
	make := exec.Command("mmdebstrap", "--variant=minbase", "--format=tar", "--include=ca-certificates,postgresql,caddy,nginx-light",
		"--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		"bookworm", path, "-")
	make.Stdin = bytes.NewReader(sources)
	if out, err := make.CombinedOutput(); err != nil {
		return fmt.Errorf("mmdebstrap: %w\n%s", err, out)
	}
	return nil
}

// compile builds the command in a folder of a module as that module's own go.mod says. `go install` refuses a module with
// replace directives.
func compile(module, folder string) func(path string) error {
	return func(path string) error {
		out, err := exec.Command("go", "mod", "download", "-json", module).Output()
		if err != nil {
			return fmt.Errorf("go mod download %s: %w\n%s", module, err, out)
		}
		source, err := os.MkdirTemp("", "stepkey-containers-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(source)
		if err := os.CopyFS(source, os.DirFS(decode[struct{ Dir string }](out).Dir)); err != nil {
			return err
		}
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, folder)
		build.Dir = source
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", module, err, out)
		}
		return nil
	}
}

// makeGolang stands in for golang. A registry of modules may be one that only this machine knows, by a certificate that only
// this machine trusts; they are settings of the image that builds, and get into no image that it makes but ca-certificates.crt.
func (e *engine) makeGolang() error {
	out, err := exec.Command("go", "env", "GOROOT", "GOPROXY", "GOSUMDB").Output()
	if err != nil {
		return err
	}
	goenv := strings.Split(string(out), "\n")
	folder, err := os.MkdirTemp(e.folder, "golang-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	certificates, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		return err
	}
	dockerfile := `FROM ` + baseImage + `
COPY ca-certificates.crt /etc/ssl/certs/
COPY go /usr/local/go
ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin GOTOOLCHAIN=local
ENV GOPROXY="` + goenv[1] + `" GOSUMDB="` + goenv[2] + `"
`
	if err := errors.Join(
		os.WriteFile(filepath.Join(folder, "ca-certificates.crt"), certificates, 0o644),
		os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte(dockerfile), 0o600),
	); err != nil {
		return err
	}
	// Go itself goes from where it is into the daemon: there are 15 000 files, which take their time to be copied.
	_, err = e.run(exec.Command("sh", "-c", `
		tar -c -C "$1" Dockerfile ca-certificates.crt -C "$2" --transform='s,^\./,go/,' ./bin ./lib ./pkg ./src ./VERSION ./go.env |
		docker build --tag "$3" -`, "sh", folder, goenv[0], golangImage))
	return err
}

func (e *engine) makePostgres() error {
	folder, err := os.MkdirTemp(e.folder, "postgres-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	entrypoint, err := os.ReadFile("testdata/postgres-entrypoint")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "entrypoint"), entrypoint, 0o755); err != nil {
		return err
	}
	return e.build(folder, postgresImage, `FROM `+baseImage+`
COPY entrypoint /entrypoint
ENV PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["/entrypoint"]
CMD ["postgres"]
`)
}

func (e *engine) makeMailpit(program string) error {
	folder, err := os.MkdirTemp(e.folder, "mailpit-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := os.Link(program, filepath.Join(folder, "mailpit")); err != nil {
		return err
	}
	return e.build(folder, mailpitImage, `FROM scratch
COPY mailpit /mailpit
EXPOSE 1025 8025
HEALTHCHECK --interval=15s CMD ["/mailpit", "readyz"]
ENTRYPOINT ["/mailpit"]
`)
}

// build makes an image from a folder.
func (e *engine) build(folder, image, dockerfile string) error {
	if err := os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
		return err
	}
	_, err := e.docker("build", "--tag", image, folder)
	return err
}

// buildOurs builds the image as a user does, in a copy of this repository with the .env.example that it is to start from. The
// build alone uses the machine's network, by a file beside compose.yaml: this engine's own leads nowhere else.
func (e *engine) buildOurs() error {
	folder, err := os.MkdirTemp(e.folder, "repository-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := copyRepository(folder); err != nil {
		return err
	}
	for name, text := range map[string]string{
		".env":                  "DB_PASSWORD=" + marker + "\n",
		"compose.override.yaml": "services: {stepkey: {build: {network: host}}}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	build := exec.Command(e.compose, "--progress", "plain", "build")
	build.Dir = folder
	_, err = e.run(build)
	return err
}

// copyRepository copies what a clone holds.
func copyRepository(folder string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch name {
		case ".":
			return nil
		case ".git", "bin", "data":
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case ".env":
			return nil
		}
		if entry.IsDir() {
			return os.Mkdir(filepath.Join(folder, name), 0o755)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(folder, name), content, 0o644)
	})
}
