package password_test

import (
	"bufio"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/password"
)

func TestPolicyCheck(t *testing.T) {
	tests := []struct {
		name, password, username string
		want                     error
	}{
		{"seven characters", "k7#pQ2x", "", password.ErrTooShort},
		{"eight characters", "k7#pQ2xv", "", nil},
		{"seven characters of four bytes", "🌊🦭🚲🧭🎻🌋🐙", "", password.ErrTooShort},
		{"eight characters of four bytes", "🌊🦭🚲🧭🎻🌋🐙🥨", "", nil},
		{"empty", "", "", password.ErrTooShort},
		{"characters are counted as they are hashed", "e\u0301f\u0301g\u0301h\u0301", "", password.ErrTooShort},
		{"1024 bytes", long(1024), "", nil},
		{"1025 bytes", long(1025), "", password.ErrTooLong},
		{"too long comes before all else", strings.Repeat("a", 1025), "aaaa", password.ErrTooLong},

		{"no composition rules", "gentle walrus parade", "", nil},
		{"15 lower-case letters", "qmzlwnpchtvbxkd", "", nil},
		{"any script", "Ελένη περπατά", "", nil},
		{"leading spaces", "        k7#pQ2xv", "", nil},

		{"common", "password", "", password.ErrCommon},
		{"common with a digit", "password1", "", password.ErrCommon},
		{"common in another case", "PassWord1", "", password.ErrCommon},
		{"common in full width", "ｐａｓｓｗｏｒｄ１", "", password.ErrCommon},
		{"first line of the list", firstAndLast(t)[0], "", password.ErrCommon},
		{"last line of the list", firstAndLast(t)[1], "", password.ErrCommon},
		{"two lines of the list", "12345678\n123456789", "", nil},
		{"beginning of a common one", "passwor-k7#pQ", "", nil},
		{"a common one with more", "password and a walrus", "", nil},

		{"one character", "zzzzzzzz", "", password.ErrCommon},
		{"one character, 1000 times", strings.Repeat("z", 1000), "", password.ErrCommon},
		{"one character of three bytes", "語語語語語語語語", "", password.ErrCommon},
		{"two characters in turn", "zqzqzqzqzq", "", password.ErrCommon},
		{"common twice", "passwordpassword", "", password.ErrCommon},
		{"common twice and a digit", "passwordpassword1", "", password.ErrCommon},
		{"common twice, cases mixed", "passwordPASSWORD1", "", password.ErrCommon},
		{"repeats and then enough else", "zzzzzzzzk7#pQ2x", "", nil},
		{"a short repeat is no repetition", "llamas42", "", nil},
		{"uncommon twice", "walrus42walrus42", "", nil},

		{"the name", "pelikan-jo", "Pelikan-Jo", password.ErrContainsUsername},
		{"the name twice", "pelikanpelikan", "pelikan", password.ErrContainsUsername},
		{"the name and seven bytes", "pelikan" + "k7#pQ2x", "pelikan", password.ErrContainsUsername},
		{"the name and eight bytes", "pelikan" + "k7#pQ2xv", "pelikan", nil},
		{"the name in another case", "PELIKAN2024", "pelikan", password.ErrContainsUsername},
		{"the name in full width", "ｐｅｌｉｋａｎ2024", "pelikan", password.ErrContainsUsername},
		{"the name folds to more letters", "strasse2024", "Straße", password.ErrContainsUsername},
		{"the name with spaces around", "pelikan2024", " pelikan ", password.ErrContainsUsername},
		{"the name inside", "20pelikan24", "pelikan", password.ErrContainsUsername},
		{"a name of two letters is in words by chance", "k7#pjoxv", "jo", nil},
		{"not the name", "k7#pQ2xv", "pelikan", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := password.Policy{}.Check(tt.password, tt.username)
			if !errors.Is(err, tt.want) {
				t.Errorf("Check(%q, %q) = %v, want %v", tt.password, tt.username, err, tt.want)
			}
		})
	}
}

func TestPolicyMinimumIsASetting(t *testing.T) {
	policy := password.Policy{MinLength: 15}
	if err := policy.Check("walrus parade 1", ""); err != nil {
		t.Errorf("15 characters: %v", err)
	}
	if err := policy.Check("walrus parade!", ""); !errors.Is(err, password.ErrTooShort) {
		t.Errorf("14 characters: %v, want %v", err, password.ErrTooShort)
	}
}

func TestPolicyKnowsTheService(t *testing.T) {
	policy := password.Policy{Service: "Pelikan Post"}
	for text, want := range map[string]error{
		"pelikan post 2026":       password.ErrContainsUsername,
		"PELIKAN POST":            password.ErrContainsUsername,
		"pelikan post k7#pQ2xv":   nil,
		"a pelikan on a postcard": nil,
	} {
		if err := policy.Check(text, "mira"); !errors.Is(err, want) {
			t.Errorf("Check(%q) = %v, want %v", text, err, want)
		}
	}
}

// The binary search rests on the order of the list and on every line being one
// that the search can ask for.
func TestCommonListIsInOrder(t *testing.T) {
	lines := commonLines(t)
	if len(lines) < 10_000 {
		t.Errorf("%d passwords, want at least 10000", len(lines))
	}
	if !slices.IsSorted(lines) || len(slices.Compact(slices.Clone(lines))) != len(lines) {
		t.Error("the list is not sorted, or names a password twice")
	}
	for _, line := range lines {
		if err := (password.Policy{}).Check(line, ""); !errors.Is(err, password.ErrCommon) {
			t.Errorf("Check(%q) = %v, want %v", line, err, password.ErrCommon)
		}
	}
}

// A password between two lines of the list is not in it: before the first, after
// the last, and beside each.
func TestNeighboursOfCommonPasswordsAreTaken(t *testing.T) {
	for _, line := range commonLines(t) {
		if beginsTwice(line) {
			continue // refused as a repetition, whatever stands beside it
		}
		for _, neighbour := range []string{line + "~", line + "\x00", "\x00" + line, "~" + line} {
			if err := (password.Policy{}).Check(neighbour, ""); err != nil {
				t.Errorf("Check(%q) = %v, want nil", neighbour, err)
			}
		}
	}
}

func beginsTwice(line string) bool {
	for length := 1; 2*length <= len(line); length++ {
		if strings.HasPrefix(line[length:], line[:length]) {
			return true
		}
	}
	return false
}

func commonLines(t *testing.T) []string {
	t.Helper()
	file, err := os.Open("common.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var lines []string
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func firstAndLast(t *testing.T) [2]string {
	lines := commonLines(t)
	return [2]string{lines[0], lines[len(lines)-1]}
}

// long returns n bytes that repeat nothing at their beginning.
func long(n int) string {
	return "k7#" + strings.Repeat("walrus parade ", n)[:n-3]
}

func BenchmarkPolicyCheck(b *testing.B) {
	worst := strings.Repeat("ﷺ", password.MaxBytes/3)
	b.ReportAllocs()
	for b.Loop() {
		_ = password.Policy{}.Check(worst, "pelikan")
	}
}
