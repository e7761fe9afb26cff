package container

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// The compose files of examples/gate put Stepkey and the apps where the proxies' own files look for them, and where
// nobody else finds them.
func TestComposeOfTheGate(t *testing.T) {
	folder, err := filepath.Abs(root + "/examples/gate")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		more, image string
		files       []string // of the proxy
	}{
		{"", "caddy", []string{"Caddyfile"}},
		{"compose.nginx.yaml", "nginx", []string{"nginx.conf"}},
		{"compose.traefik.yaml", "traefik", []string{"traefik.yaml", "traefik-dynamic.yaml"}},
	} {
		t.Run(test.image, func(t *testing.T) {
			project := loadGate(t, folder, test.more)
			proxy := project.Services["proxy"]
			if name, version, _ := strings.Cut(proxy.Image, ":"); name != test.image || !regexp.MustCompile(`^v?\d+\.\d+$`).MatchString(version) {
				t.Errorf("image %s, want a version of %s", proxy.Image, test.image)
			}
			mounted := map[string]bool{}
			for name, service := range project.Services {
				if name != "proxy" && (len(service.Ports) != 0 || service.NetworkMode != "service:proxy") {
					t.Errorf("%s is published: %v, network %s", name, service.Ports, service.NetworkMode)
				}
				for _, volume := range service.Volumes {
					if volume.Type != types.VolumeTypeBind {
						continue
					}
					mounted[filepath.Base(volume.Source)] = true
					// The certificate is not ours.
					if _, err := os.Stat(volume.Source); err != nil && filepath.Base(volume.Source) != "certificates" || !volume.ReadOnly {
						t.Errorf("%s mounts %s, read-only %t: %v", name, volume.Source, volume.ReadOnly, err)
					}
				}
			}
			for _, file := range append(test.files, "rules.toml", "certificates") {
				if !mounted[file] {
					t.Errorf("%s is not mounted", file)
				}
			}
			checkAddresses(t, folder, test.files[len(test.files)-1], project)
		})
	}
}

func loadGate(t *testing.T, folder, more string) *types.Project {
	t.Helper()
	files := []types.ConfigFile{{Filename: filepath.Join(folder, "compose.yaml")}}
	if more != "" {
		files = append(files, types.ConfigFile{Filename: filepath.Join(folder, more)})
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{WorkingDir: folder, ConfigFiles: files, Environment: map[string]string{}})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// checkAddresses compares what the proxy's file says with the services: its comment has Stepkey's settings.
func checkAddresses(t *testing.T, folder, file string, project *types.Project) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		t.Fatal(err)
	}
	for name, port := range map[string]string{"app": "8080", "shop": "8081"} {
		if set := project.Services[name].Environment["WHOAMI_PORT_NUMBER"]; set == nil || *set != port || !strings.Contains(string(text), "127.0.0.1:"+port) {
			t.Errorf("%s is not at port %s, in compose.yaml or %s", name, port, file)
		}
	}
	for _, line := range regexp.MustCompile(`(?m)^# {3}([A-Z_]+)=(\S+)$`).FindAllStringSubmatch(string(text), -1) {
		set := project.Services["stepkey"].Environment[line[1]]
		if set == nil || strings.TrimPrefix(*set, "/") != line[2] {
			t.Errorf("%s says %s, and compose.yaml does not", file, line[0])
		}
	}
}
