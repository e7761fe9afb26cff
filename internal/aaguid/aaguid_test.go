package aaguid

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/uuid"
)

func TestName(t *testing.T) {
	for id, want := range map[string]string{
		"fbfc3007-154e-4ecc-8c0b-6e020557d7bd": "iCloud Keychain",
		"ee882879-721c-4913-9775-3dfcce97072a": "YubiKey 5",
		"d7781e5d-e353-46aa-afe2-3ca49f13332a": "YubiKey 5",
		"00000000-0000-0000-0000-000000000000": "",
		"01020304-0506-0708-0102-030405060708": "",
	} {
		if got := Name(uuid.MustParse(id)); got != want {
			t.Errorf("Name(%s) = %q, want %q", id, got, want)
		}
	}
}

// An id in another spelling than uuid's own would never be found.
func TestEveryIDIsFound(t *testing.T) {
	source, err := os.ReadFile("aaguid.go")
	if err != nil {
		t.Fatal(err)
	}
	ids := regexp.MustCompile(`"([0-9A-Za-z]+-[0-9A-Za-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(ids) < 20 {
		t.Fatalf("%d ids in the table", len(ids))
	}
	for _, id := range ids {
		parsed, err := uuid.Parse(id[1])
		if err != nil || Name(parsed) == "" {
			t.Errorf("%s is not found: %v", id[1], err)
		}
	}
}
