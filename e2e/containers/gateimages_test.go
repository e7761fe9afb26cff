//go:build containers

package containers_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The images that the compose files of examples/gate name, but for Traefik's: compiling Traefik takes ten minutes.
const (
	caddyImage  = "caddy:2.11"
	nginxImage  = "nginx:1.28"
	whoamiImage = "traefik/whoami:v1.11"

	gateImage = "stepkey-gate-stepkey" // as Compose calls what it builds for examples/gate
)

// makeGateImages makes the proxies from the packages in the base system, and names our own image as examples/gate does.
func (e *engine) makeGateImages() error {
	for image, dockerfile := range map[string]string{
		caddyImage: `FROM ` + baseImage + `
EXPOSE 80 443
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
`,
		nginxImage: `FROM ` + baseImage + `
RUN rm /etc/nginx/sites-enabled/default
EXPOSE 80 443
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
`,
	} {
		folder, err := os.MkdirTemp(e.folder, "proxy-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		if err := e.build(folder, image, dockerfile); err != nil {
			return err
		}
	}
	if err := e.makeWhoami(); err != nil {
		return err
	}
	_, err := e.docker("tag", ourImage, gateImage)
	return err
}

func (e *engine) makeWhoami() error {
	folder, err := os.MkdirTemp(e.folder, "whoami-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "whoami"), "./testdata/whoami")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("whoami: %w\n%s", err, out)
	}
	return e.build(folder, whoamiImage, "FROM scratch\nCOPY whoami /whoami\nENTRYPOINT [\"/whoami\"]\n")
}
