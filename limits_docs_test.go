package stepkey_test

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/memstore"
	"github.com/stepkey/stepkey/storage"
)

// greedy charges one limit, for attempt number i, as the service does.
type greedy func(l stepkey.Limits, i int) error

// one is a client that always has the same address, or a new /64 of one /48 each time.
var one = stepkey.Client{IP: netip.MustParseAddr("192.0.2.1")}

func neighbour(i int) stepkey.Client {
	return from(fmt.Sprintf("2001:db8:0:%x::1", i%0x10000))
}

var (
	session = uuid.MustParse("00000000-0000-4000-8000-000000000001")
	someone = uuid.MustParse("00000000-0000-4000-8000-000000000002")
)

// documented are the rows of docs/limits.md, by what is counted and per what.
var documented = map[[2]string]greedy{
	{"failures from one address", "IPv4 address, IPv6 /64"}: func(l stepkey.Limits, _ int) error { return l.LogIn(one) },
	{"failures from one network", "/24, /48"}:               func(l stepkey.Limits, i int) error { return l.LogIn(neighbour(i)) },
	{"sign-ins with a password from unknown devices", "keyed hash of the canonical name, whether the account exists or not"}: func(l stepkey.Limits, i int) error {
		return l.SignIn("mira", neighbour(i))
	},
	{"sign-ins with a password from unknown devices", "IPv4 address, IPv6 /64"}: func(l stepkey.Limits, i int) error { return l.SignIn(strconv.Itoa(i), one) },
	{"sign-ins with a password on known devices", "device"}:                     func(l stepkey.Limits, i int) error { return l.SignInOnDevice(1, neighbour(i)) },
	{"sign-ins with a password on known devices", "IPv4 address, IPv6 /64"}:     func(l stepkey.Limits, i int) error { return l.SignInOnDevice(byte(i), one) },
	{"password changes", "user"}:                                                func(l stepkey.Limits, _ int) error { return l.PasswordChange(session) },
	{"all failures together", "–"}:                                              func(l stepkey.Limits, _ int) error { return l.Failure() },
	{"sign-ups", "address"}:                                                     func(l stepkey.Limits, _ int) error { return l.SignUp(one) },
	{"sign-ups", "network"}:                                                     func(l stepkey.Limits, i int) error { return l.SignUp(neighbour(i)) },
	{"recovery-code attempts", "session"}:                                       func(l stepkey.Limits, _ int) error { return l.RecoveryCode(session) },
	{"anonymous requests for a new password", "address or name they are for"}:   func(l stepkey.Limits, i int) error { return l.Reset(neighbour(i), "mira") },
	{"anonymous requests for a new password", "client's address"}:               func(l stepkey.Limits, i int) error { return l.Reset(one, strconv.Itoa(i)) },
	{"links to a new address", "account and address"}:                           func(l stepkey.Limits, i int) error { return l.Confirmation(someone, neighbour(i), "mira@example.com") },
	{"links to a new address", "account"}:                                       func(l stepkey.Limits, i int) error { return l.Confirmation(someone, neighbour(i), strconv.Itoa(i)) },
	{"links to a new address", "address, for all accounts"}: func(l stepkey.Limits, i int) error {
		return l.Confirmation(uuid.New(), neighbour(i), "mira@example.com")
	},
	{"links to a new address", "client's address"}:                                                          func(l stepkey.Limits, i int) error { return l.Confirmation(uuid.New(), one, strconv.Itoa(i)) },
	{"recovery by e-mail: begun", "account"}:                                                                func(l stepkey.Limits, i int) error { return l.RecoveryByMail(someone, neighbour(i)) },
	{"recovery by e-mail: begun", "account and client's address"}:                                           func(l stepkey.Limits, _ int) error { return l.RecoveryByMail(someone, one) },
	{"recovery by e-mail: begun", "client's address"}:                                                       func(l stepkey.Limits, _ int) error { return l.RecoveryByMail(uuid.New(), one) },
	{"passkeys added or removed", "account and level of the session"}:                                       func(l stepkey.Limits, _ int) error { return l.PasskeyChange(someone) },
	{"other changes that are told by e-mail: password", "account, level of the session and kind of change"}: func(l stepkey.Limits, _ int) error { return l.AccountChange(someone) },
	{"notices of what is not refused: a reused refresh token", "account and kind"}:                          func(l stepkey.Limits, _ int) error { return l.Notice(someone, "session_reused") },
	{"notices of a failed passkey after the right password", "account"}:                                     func(l stepkey.Limits, _ int) error { return l.Notice(someone, "passkey_failed") },
	{"challenges", "session"}:                                                                               func(l stepkey.Limits, _ int) error { return l.Options(session) },
	{"challenges for signing in with a passkey alone", "address"}:                                           func(l stepkey.Limits, _ int) error { return l.AnonymousOptions(one) },
	{"challenges for signing in with a passkey alone", "network"}:                                           func(l stepkey.Limits, i int) error { return l.AnonymousOptions(neighbour(i)) },
	{"failed sign-ins with a passkey alone", "address"}:                                                     func(l stepkey.Limits, _ int) error { return l.PasskeyLogIn(one) },
	{"failed sign-ins with a passkey alone", "network"}:                                                     func(l stepkey.Limits, i int) error { return l.PasskeyLogIn(neighbour(i)) },
	{"failed passkey responses", "session"}:                                                                 func(l stepkey.Limits, _ int) error { return l.Verification(session) },
	{"refused passkey responses recorded for the operator", "user"}:                                         func(l stepkey.Limits, _ int) error { return l.RefusedCeremony(session) },
	{"renamed passkeys", "session"}:                                                                         func(l stepkey.Limits, _ int) error { return l.Rename(session) },
	{"exports", "session"}:                                                                                  func(l stepkey.Limits, _ int) error { return l.Export(session) },
	{"refreshes", "session"}:                                                                                func(l stepkey.Limits, _ int) error { return l.Refresh(session) },
	{"calls of a signed-in client", "session"}:                                                              func(l stepkey.Limits, _ int) error { return l.Call(session) },
	{"calls without a session", "address"}:                                                                  func(l stepkey.Limits, _ int) error { return l.CallFrom(one) },
	{"calls of /readyz", "address"}:                                                                         func(l stepkey.Limits, _ int) error { return l.Readiness(one) },
	{"wrong introspection secrets", "address"}:                                                              func(l stepkey.Limits, _ int) error { return l.Introspection(one) },
	{"revocations of unknown tokens", "address"}:                                                            func(l stepkey.Limits, _ int) error { return l.Revocation(one) },
}

// counts are the rows that name a count instead of a rate.
var counts = map[[2]string]int{
	{"attempts at an account from unknown devices", "keyed hash of the canonical name, whether the account exists or not"}: storage.FreeAttempts,
	{"attempts at an account from unknown devices", ""}:                                                                    storage.MaxAttempts,
	{"places in the queue for hashing", "account"}:                                                                         stepkey.MaxAccountPlaces,
	{"places in the queue for hashing", "known devices of an account at one address"}:                                      stepkey.MaxAccountPlaces,
	{"places in the queue for hashing", "all known devices of an account"}:                                                 stepkey.MaxDevicesPlaces,
	{"outstanding challenges", "session"}:                                                                                  storage.MaxChallenges,
	{"sessions with refresh token", "user"}:                                                                                stepkey.MaxSessions,
	{"sessions without refresh token", "user"}:                                                                             stepkey.MaxPlainSessions,
	{"passkeys", "user"}: stepkey.MaxPasskeys,
}

var windows = map[string]time.Duration{
	"hour": time.Hour, "day": 24 * time.Hour, "quarter of an hour": 15 * time.Minute, "five minutes": 5 * time.Minute,
}

var (
	inAny      = regexp.MustCompile(`(\d+) in any (hour|day|quarter of an hour|five minutes)`)
	thenMinute = regexp.MustCompile(`(\d+) at once, then (\d+) a minute`)
	thenEvery  = regexp.MustCompile(`(\d+) at once, then one every (\d+) (second|minute)s`)
	plainCount = regexp.MustCompile(`^(\d+)(?:$|;| in a row)`)
)

// Every number in the tables of docs/limits.md is what the limiter does, for a client
// that takes all it can get.
func TestDocumentedLimits(t *testing.T) {
	seen := map[[2]string]bool{}
	for _, row := range tableRows(t, "docs/limits.md", "| counted | per |") {
		counted, _, _ := strings.Cut(strings.NewReplacer(" (", ",", "`", "").Replace(row[0]), ",")
		key, allowed := [2]string{counted, row[1]}, row[2]
		seen[key] = true
		if want, ok := counts[key]; ok {
			if got := plainCount.FindStringSubmatch(allowed); got == nil || got[1] != strconv.Itoa(want) {
				t.Errorf("%v: %q, want %d", key, allowed, want)
			}
			continue
		}
		try, ok := documented[key]
		if !ok {
			if strings.HasPrefix(allowed, "the same") || strings.HasPrefix(allowed, "half of") || strings.HasPrefix(allowed, "as at an account") {
				continue
			}
			t.Errorf("no test measures the row %v: %s", key, allowed)
			continue
		}
		checkLimit(t, key, allowed, try)
	}
	for key := range documented {
		if !seen[key] {
			t.Errorf("docs/limits.md has no row %v", key)
		}
	}
}

func checkLimit(t *testing.T, key [2]string, allowed string, try greedy) {
	t.Helper()
	maxima := inAny.FindAllStringSubmatch(allowed, -1)
	minute := thenMinute.FindStringSubmatch(allowed)
	every := thenEvery.FindStringSubmatch(allowed)
	if len(maxima) == 0 && minute == nil {
		t.Errorf("%v: %q names no rate that can be measured", key, allowed)
		return
	}
	for _, m := range maxima {
		window := windows[m[2]]
		if got := mostIn(window, admitted(t, try, 3*window)); got != number(t, m[1]) {
			t.Errorf("%v: %d in a window of %s, documented are %s", key, got, window, m[1])
		}
	}
	if minute != nil {
		burst, rest := number(t, minute[1]), number(t, minute[2])
		times := admitted(t, try, time.Minute)
		if got := atOnce(times); got != burst || len(times)-got != rest {
			t.Errorf("%v: %d at once and %d in the minute after, documented are %d and %d", key, got, len(times)-got, burst, rest)
		}
	}
	if every != nil {
		burst, gap := number(t, every[1]), time.Duration(number(t, every[2]))*map[string]time.Duration{"second": time.Second, "minute": time.Minute}[every[3]]
		times := admitted(t, try, gap)
		if got := atOnce(times); got != burst || len(times) != burst+1 {
			t.Errorf("%v: %d at once and %d after %s, documented are %d and 1", key, got, len(times)-got, gap, burst)
		}
	}
}

// admitted returns when a greedy client is let through, from an hour at which nothing
// had been charged until a time later, that moment included.
func admitted(t *testing.T, try greedy, until time.Duration) (times []time.Duration) {
	t.Helper()
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	now := begin
	limits := stepkey.NewLimits(memstore.NewLimiter(0, func() time.Time { return now }), func() time.Time { return now })
	for i := 0; now.Sub(begin) <= until; i++ {
		err := try(limits, i)
		if err == nil {
			times = append(times, now.Sub(begin))
			continue
		}
		limited, ok := err.(*stepkey.RateLimitedError)
		if !ok {
			t.Fatal(err)
		}
		now = now.Add(limited.RetryAfter)
	}
	return times
}

func atOnce(times []time.Duration) (n int) {
	for n < len(times) && times[n] == 0 {
		n++
	}
	return n
}

// mostIn is the largest number of times in any window, both of its ends included.
func mostIn(window time.Duration, times []time.Duration) (most int) {
	first := 0
	for last := range times {
		for times[last]-times[first] > window {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// tableRows returns the cells of the rows of all tables in a document whose head begins
// like this. An empty first cell is that of the row above.
func tableRows(t *testing.T, document, head string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	inside, first := false, ""
	for line := range strings.SplitSeq(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, head):
			inside = true
			continue
		case !strings.HasPrefix(line, "|"):
			inside = false
		}
		if !inside || strings.HasPrefix(line, "|--") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] == "" {
			cells[0] = first
		}
		first = cells[0]
		rows = append(rows, cells)
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table %q", document, head)
	}
	return rows
}
