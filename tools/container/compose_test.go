package container

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// root is the folder of the files under test.
const root = "../.."

// load reads compose.yaml with the given variables, as docker compose would with
// a .env file that holds them.
func load(t *testing.T, variables map[string]string) (*types.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  root,
		ConfigFiles: []types.ConfigFile{{Filename: root + "/compose.yaml"}},
		Environment: variables,
	})
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
