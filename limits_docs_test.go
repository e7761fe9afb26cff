package stepkey_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	internalpassword "github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/memstore"
	"github.com/stepkey/stepkey/storage"
)

// greedy charges one limit, for attempt number i, as the service does.
type greedy func(l limits, i int) error

// one is a client that always has the same address, or a new /64 of one /48 each time.
var one = stepkey.Client{IP: netip.MustParseAddr("192.0.2.1")}

func neighbour(i int) stepkey.Client {
	return from(fmt.Sprintf("2001:db8:0:%x::1", i%0x10000))
}

var (
	session = uuid.MustParse("00000000-0000-4000-8000-000000000001")
	someone = uuid.MustParse("00000000-0000-4000-8000-000000000002")
)

// limits are the service's own, at a limiter in memory, without the service around them.
type limits struct {
	*throttle.Throttle
	limiter storage.Limiter
	clock   func() time.Time
}

func newLimits(clock func() time.Time) limits {
	limiter := memstore.NewLimiter(0, clock)
	return limits{throttle.New(throttle.Config{
		Limiter: limiter, Attempts: patientAttempts{}, Gate: internalpassword.NewGate(1, time.Second), Key: make([]byte, 32),
		AttackFailures: stepkey.AttackFailures, Log: slog.New(slog.DiscardHandler),
		Refuse: func(wait time.Duration) error { return &stepkey.RateLimitedError{RetryAfter: wait} },
	}), limiter, clock}
}

// patientAttempts allows any number of wrong passwords, so that other limits can be measured.
type patientAttempts struct{}

func (patientAttempts) ChargeAttempt(context.Context, storage.Attempt) (storage.Attempts, error) {
	return storage.Attempts{Charged: true}, nil
}

func (patientAttempts) RefundAttempt(context.Context, storage.Attempt) error { return nil }

// logIn charges a login, which succeeds or fails, and reports whether it was charged to the device.
func (l limits) logIn(name string, d *throttle.Device, c stepkey.Client, succeeds bool) (onDevice bool, err error) {
	ctx := context.Background()
	attempt, err := l.EnterLogIn(name, d, c)
	if err != nil {
		return false, err
	}
	defer attempt.Leave()
	if err := attempt.Charge(ctx, throttle.Account{Exists: true, Device: d}, l.clock()); err != nil {
		return false, err
	}
	if succeeds {
		attempt.Succeeded(ctx)
	}
	return attempt.OnKnownDevice(), nil
}

// failedLogIn is a failure at an account that nobody else tries.
func (l limits) failedLogIn(c stepkey.Client, i int) error {
	_, err := l.logIn(strconv.Itoa(i), nil, c, false)
	return err
}

func (l limits) signIn(name string, c stepkey.Client) error {
	_, err := l.logIn(name, nil, c, true)
	return err
}

// signInOnDevice says to come back in a second where the device counts as unknown.
func (l limits) signInOnDevice(number byte, c stepkey.Client) error {
	d := throttle.Device{ID: string([]byte{number}), UserID: someone, ExpiresAt: l.clock().Add(time.Hour)}
	onDevice, err := l.logIn("mira", &d, c, true)
	if onDevice {
		return nil
	}
	var limited *stepkey.RateLimitedError
	if err != nil && !errors.As(err, &limited) {
		return err
	}
	return &stepkey.RateLimitedError{RetryAfter: time.Second}
}

// failure counts one failure among those of all clients.
func (l limits) failure() error {
	limit := throttle.Failures(stepkey.AttackFailures)
	wait, err := l.limiter.Charge(context.Background(), storage.Charge{Bucket: "login-all", Limit: limit, Cost: 1})
	if err == nil && wait > 0 {
		err = &stepkey.RateLimitedError{RetryAfter: wait}
	}
	return err
}

func (l limits) signUp(c stepkey.Client) error {
	_, err := l.ChargeSignUp(context.Background(), c, l.clock())
	return err
}

func (l limits) passkeyLogIn(c stepkey.Client) error {
	_, err := l.ChargePasskeyLogIn(context.Background(), c, l.clock())
	return err
}

func (l limits) logInOptions(c stepkey.Client) error {
	return l.ChargeLogInOptions(context.Background(), c, l.clock())
}

func (l limits) of(rule throttle.Rule, id uuid.UUID) error {
	return l.Charge(context.Background(), rule, id, l.clock())
}

func (l limits) reset(c stepkey.Client, target string) error {
	return l.ChargeReset(context.Background(), c, target, l.clock())
}

func (l limits) confirmation(user uuid.UUID, c stepkey.Client, address string) error {
	return l.ChargeConfirmation(context.Background(), accountOf(user), c, address, l.clock())
}

func (l limits) recoveryByMail(user uuid.UUID, c stepkey.Client) error {
	return l.ChargeRecoveryByMail(context.Background(), accountOf(user), c, l.clock())
}

func (l limits) change(user uuid.UUID, change throttle.Change) error {
	return l.ChargeChange(context.Background(), accountOf(user), change, l.clock())
}

func (l limits) notice(user uuid.UUID, kind storage.MailKind) error {
	return l.ChargeNotice(context.Background(), user, kind, l.clock())
}

func (l limits) guess(budget throttle.Rule, c stepkey.Client) error {
	_, err := l.AdmitGuess(budget, c, l.clock())
	return err
}

func accountOf(user uuid.UUID) storage.Account {
	return storage.Account{User: stepkey.User{ID: user}}
}

// documented are the rows of docs/limits.md, by what is counted and per what.
var documented = map[[2]string]greedy{
	{"failures from one address", "IPv4 address, IPv6 /64"}: func(l limits, i int) error { return l.failedLogIn(one, i) },
	{"failures from one network", "/24, /48"}:               func(l limits, i int) error { return l.failedLogIn(neighbour(i), i) },
	{"sign-ins with a password from unknown devices", "keyed hash of the canonical name, whether the account exists or not"}: func(l limits, i int) error {
		return l.signIn("mira", neighbour(i))
	},
	{"sign-ins with a password from unknown devices", "IPv4 address, IPv6 /64"}: func(l limits, i int) error { return l.signIn(strconv.Itoa(i), one) },
	{"sign-ins with a password on known devices", "device"}:                     func(l limits, i int) error { return l.signInOnDevice(1, neighbour(i)) },
	{"sign-ins with a password on known devices", "IPv4 address, IPv6 /64"}:     func(l limits, i int) error { return l.signInOnDevice(byte(i), one) },
	{"password changes", "user"}:                                                func(l limits, _ int) error { return l.of(throttle.PasswordChanges, session) },
	{"all failures together", "–"}:                                              func(l limits, _ int) error { return l.failure() },
	{"sign-ups", "address"}:                                                     func(l limits, _ int) error { return l.signUp(one) },
	{"sign-ups", "network"}:                                                     func(l limits, i int) error { return l.signUp(neighbour(i)) },
	{"recovery-code attempts", "session"}:                                       func(l limits, _ int) error { return l.of(throttle.RecoveryCodes, session) },
	{"anonymous requests for a new password", "address or name they are for"}:   func(l limits, i int) error { return l.reset(neighbour(i), "mira") },
	{"anonymous requests for a new password", "client's address"}:               func(l limits, i int) error { return l.reset(one, strconv.Itoa(i)) },
	{"links to a new address", "account and address"}:                           func(l limits, i int) error { return l.confirmation(someone, neighbour(i), "mira@example.com") },
	{"links to a new address", "account"}:                                       func(l limits, i int) error { return l.confirmation(someone, neighbour(i), strconv.Itoa(i)) },
	{"links to a new address", "address, for all accounts"}: func(l limits, i int) error {
		return l.confirmation(uuid.New(), neighbour(i), "mira@example.com")
	},
	{"links to a new address", "client's address"}:                                                          func(l limits, i int) error { return l.confirmation(uuid.New(), one, strconv.Itoa(i)) },
	{"recovery by e-mail: begun", "account"}:                                                                func(l limits, i int) error { return l.recoveryByMail(someone, neighbour(i)) },
	{"recovery by e-mail: begun", "account and client's address"}:                                           func(l limits, _ int) error { return l.recoveryByMail(someone, one) },
	{"recovery by e-mail: begun", "client's address"}:                                                       func(l limits, _ int) error { return l.recoveryByMail(uuid.New(), one) },
	{"passkeys added or removed", "account and level of the session"}:                                       func(l limits, _ int) error { return l.change(someone, throttle.ChangePasskeys) },
	{"other changes that are told by e-mail: password", "account, level of the session and kind of change"}: func(l limits, _ int) error { return l.change(someone, throttle.ChangeRecoveryCodes) },
	{"notices of what is not refused: a reused refresh token", "account and kind"}:                          func(l limits, _ int) error { return l.notice(someone, "session_reused") },
	{"notices of a failed passkey after the right password", "account"}:                                     func(l limits, _ int) error { return l.notice(someone, "passkey_failed") },
	{"challenges", "session"}:                                                                               func(l limits, _ int) error { return l.of(throttle.Challenges, session) },
	{"challenges for signing in with a passkey alone", "address"}:                                           func(l limits, _ int) error { return l.logInOptions(one) },
	{"challenges for signing in with a passkey alone", "network"}:                                           func(l limits, i int) error { return l.logInOptions(neighbour(i)) },
	{"failed sign-ins with a passkey alone", "address"}:                                                     func(l limits, _ int) error { return l.passkeyLogIn(one) },
	{"failed sign-ins with a passkey alone", "network"}:                                                     func(l limits, i int) error { return l.passkeyLogIn(neighbour(i)) },
	{"failed passkey responses", "session"}:                                                                 func(l limits, _ int) error { return l.of(throttle.Verifications, session) },
	{"refused passkey responses recorded for the operator", "user"}:                                         func(l limits, _ int) error { return l.of(throttle.RefusedCeremonies, session) },
	{"renamed passkeys", "session"}:                                                                         func(l limits, _ int) error { return l.of(throttle.Renames, session) },
	{"codes for applications behind the gate", "session"}:                                                   func(l limits, _ int) error { return l.of(throttle.BrowserCodes, session) },
	{"exports", "session"}:                                                                                  func(l limits, _ int) error { return l.of(throttle.Exports, session) },
	{"refreshes", "session"}:                                                                                func(l limits, _ int) error { return l.Admit(throttle.Refreshes, session.String(), l.clock()) },
	{"calls of a signed-in client", "session"}:                                                              func(l limits, _ int) error { return l.Admit(throttle.SessionCalls, session.String(), l.clock()) },
	{"calls without a session", "address"}:                                                                  func(l limits, _ int) error { return l.AdmitClient(throttle.ClientCalls, one, l.clock()) },
	{"calls of /readyz", "address"}:                                                                         func(l limits, _ int) error { return l.AdmitClient(throttle.Readiness, one, l.clock()) },
	{"wrong introspection secrets", "address"}:                                                              func(l limits, _ int) error { return l.guess(throttle.Introspections, one) },
	{"revocations of unknown tokens", "address"}:                                                            func(l limits, _ int) error { return l.guess(throttle.Revocations, one) },
}

// counts are the rows that name a count instead of a rate.
var counts = map[[2]string]int{
	{"attempts at an account from unknown devices", "keyed hash of the canonical name, whether the account exists or not"}: storage.FreeAttempts,
	{"attempts at an account from unknown devices", ""}:                                                                    storage.MaxAttempts,
	{"places in the queue for hashing", "account"}:                                                                         throttle.MaxAccountPlaces,
	{"places in the queue for hashing", "known devices of an account at one address"}:                                      throttle.MaxAccountPlaces,
	{"places in the queue for hashing", "all known devices of an account"}:                                                 throttle.MaxDevicesPlaces,
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
	limits := newLimits(func() time.Time { return now })
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
