package container

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// root is the folder of the files under test.
const root = "../.."

// load reads compose.yaml as docker compose does beside a .env that holds the
// given variables.
func load(t *testing.T, variables map[string]string, profiles ...string) (*types.Project, error) {
	t.Helper()
	var env strings.Builder
	for name, value := range variables {
		fmt.Fprintf(&env, "%s='%s'\n", name, value)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, ".env"), []byte(env.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return loadIn(t, folder, variables, profiles...)
}

func loadIn(t *testing.T, folder string, variables map[string]string, profiles ...string) (*types.Project, error) {
	t.Helper()
	text, err := os.ReadFile(root + "/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  folder,
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: text}},
		Environment: variables,
	}, loader.WithProfiles(profiles))
}

// example returns the variables of .env.example.
func example(t *testing.T) map[string]string {
	t.Helper()
	variables, err := dotenv.Read(root + "/.env.example")
	if err != nil {
		t.Fatal(err)
	}
	return variables
}

func TestComposeHasNoDefaultPassword(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"no .env":                 {},
		".env.example unchanged":  example(t),
		"every other name is set": {"DB_USER": "stepkey", "DB_NAME": "stepkey"},
	} {
		_, err := load(t, variables)
		if err == nil || !strings.Contains(err.Error(), "set DB_PASSWORD in .env") {
			t.Errorf("%s: %v, want a refusal that says to set DB_PASSWORD", name, err)
		}
	}
}

func TestComposeIsReachableFromThisMachineOnly(t *testing.T) {
	variables := example(t)
	variables["DB_PASSWORD"] = "chosen"
	variables["PORT"] = "8080"
	variables["RP_ORIGIN"] = ""
	project, err := load(t, variables)
	if err != nil {
		t.Fatal(err)
	}
	service, db := project.Services["stepkey"], project.Services["db"]

	if len(db.Ports) != 0 || db.NetworkMode == "host" {
		t.Errorf("the database is published: %v %s", db.Ports, db.NetworkMode)
	}
	if len(service.Ports) != 1 {
		t.Fatalf("ports %v, want one", service.Ports)
	}
	port := service.Ports[0]
	if port.HostIP != "127.0.0.1" || port.Published != "8080" || port.Target != 3000 {
		t.Errorf("port %s:%s:%d, want 127.0.0.1:8080:3000", port.HostIP, port.Published, port.Target)
	}
	if origin := service.Environment["RP_ORIGIN"]; origin == nil || *origin != "http://localhost:8080" {
		t.Errorf("RP_ORIGIN does not follow PORT")
	}
}

func TestComposeWaitsForAHealthyDatabase(t *testing.T) {
	variables := example(t)
	variables["DB_PASSWORD"] = "chosen"
	project, err := load(t, variables)
	if err != nil {
		t.Fatal(err)
	}
	service, db := project.Services["stepkey"], project.Services["db"]

	if got := service.DependsOn["db"].Condition; got != types.ServiceConditionHealthy {
		t.Errorf("depends_on: %q, want %q", got, types.ServiceConditionHealthy)
	}
	if db.HealthCheck == nil || !slices.Contains(db.HealthCheck.Test, `pg_isready -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB"`) {
		t.Errorf("health check of the database: %v", db.HealthCheck)
	}
	for theirs, ours := range map[string]string{"POSTGRES_USER": "DB_USER", "POSTGRES_PASSWORD": "DB_PASSWORD", "POSTGRES_DB": "DB_NAME"} {
		a, b := db.Environment[theirs], service.Environment[ours]
		if a == nil || b == nil || *a != *b || *a == "" {
			t.Errorf("%s of the database is not %s of the service", theirs, ours)
		}
	}
	if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) {
		t.Errorf("read_only %t, cap_drop %v: want a read-only file system and no capability", service.ReadOnly, service.CapDrop)
	}
}

// TestExampleNamesEverySettingOfCompose keeps .env.example and compose.yaml
// together: what one takes, the other explains.
func TestExampleNamesEverySettingOfCompose(t *testing.T) {
	variables := example(t)
	variables["DB_PASSWORD"] = "chosen"
	project, err := load(t, variables)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(root + "/.env.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(project.Services["stepkey"].Environment)) {
		if !strings.Contains(string(text), "\n"+name+"=") && !strings.Contains(string(text), "\n#"+name+"=") {
			t.Errorf(".env.example does not name %s", name)
		}
	}
}

// fixed are the settings that compose.yaml decides, whatever .env says.
var fixed = map[string]string{
	"PORT": "3000", "STEPKEY_HOST": "0.0.0.0", "STEPKEY_DATA": "/data", "DB_HOST": "db", "DB_PORT": "5432",
}

// TestEverySettingInEnvReachesTheService takes the settings from the program
// itself, so that a new one is tested as well.
func TestEverySettingInEnvReachesTheService(t *testing.T) {
	names := settings(t)
	variables := make(map[string]string)
	for _, name := range names {
		variables[name] = "value of " + name + ", with spaces, # and $"
	}
	variables["PORT"] = "8080"
	project, err := load(t, variables)
	if err != nil {
		t.Fatal(err)
	}
	environment := project.Services["stepkey"].Environment
	for _, name := range names {
		want, decided := fixed[name]
		if !decided {
			want = variables[name]
		}
		if got := environment[name]; got == nil || *got != want {
			t.Errorf("%s is not %q in the container", name, want)
		}
	}
}

// settings returns the names of all settings, as the program's help has them.
func settings(t *testing.T) []string {
	t.Helper()
	program := exec.Command("go", "run", "./cmd/stepkey", "serve", "--help")
	program.Dir = root
	help, err := program.Output()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, match := range regexp.MustCompile(`\(\$([A-Z0-9_]+)\)`).FindAllSubmatch(help, -1) {
		names = append(names, string(match[1]))
	}
	if len(names) < 30 || !slices.Contains(names, "STEPKEY_TRUSTED_PROXIES") {
		t.Fatalf("the help names only %v", names)
	}
	return names
}

func TestComposeNeedsNoEnvFile(t *testing.T) {
	project, err := loadIn(t, t.TempDir(), map[string]string{"DB_PASSWORD": "chosen", "STEPKEY_SECRET": "of the shell"})
	if err != nil {
		t.Fatal(err)
	}
	environment := project.Services["stepkey"].Environment
	if secret := environment["STEPKEY_SECRET"]; secret == nil || *secret != "of the shell" {
		t.Error("STEPKEY_SECRET of the shell does not reach the service")
	}
	if name, set := environment["RP_NAME"]; set && name != nil {
		t.Errorf("RP_NAME is %q, want the service's own default", *name)
	}
}

func TestMailCatcherIsOptionalAndLocal(t *testing.T) {
	variables := map[string]string{"DB_PASSWORD": "chosen"}
	project, err := load(t, variables)
	if err != nil {
		t.Fatal(err)
	}
	if _, started := project.Services["mail"]; started {
		t.Error("the mail catcher starts without its profile")
	}
	project, err = load(t, variables, "mail")
	if err != nil {
		t.Fatal(err)
	}
	mail, ok := project.Services["mail"]
	if !ok {
		t.Fatal("there is no mail catcher in the profile mail")
	}
	if len(mail.Ports) != 1 || mail.Ports[0].HostIP != "127.0.0.1" {
		t.Errorf("its ports are %v, want one, on 127.0.0.1", mail.Ports)
	}
	if _, version, _ := strings.Cut(mail.Image, ":"); !regexp.MustCompile(`^v\d+\.\d+\.\d+$`).MatchString(version) {
		t.Errorf("image %s, want a version", mail.Image)
	}
}
