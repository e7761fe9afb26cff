package faults_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
)

// shiftedClock is added to the package time of a binary whose wall clock, and not its
// monotonic one, is off by the seconds in a file, as when somebody sets the time of a
// machine. The file is read again and again, so that the clock can jump. time.Now
// itself cannot read it: the scheduler calls it where no system call may be made.
const shiftedClock = `package time

import (
	"sync/atomic"
	"syscall"
)

var shiftedBy atomic.Int64

func init() {
	path, ok := syscall.Getenv("CLOCK_OFFSET_FILE")
	if !ok {
		return
	}
	shiftedBy.Store(readShift(path))
	go func() {
		for {
			Sleep(10 * Millisecond)
			shiftedBy.Store(readShift(path))
		}
	}()
}

func readShift(path string) (seconds int64) {
	file, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer syscall.Close(file)
	var text [20]byte
	n, _ := syscall.Read(file, text[:])
	sign := int64(1)
	for _, c := range text[:max(n, 0)] {
		switch {
		case c == '-':
			sign = -1
		case '0' <= c && c <= '9':
			seconds = seconds*10 + int64(c-'0')
		}
	}
	return sign * seconds
}
`

// buildShifted compiles the service with a clock that can be set. Go asks the kernel
// for the time without the C library, so that nothing outside of the binary can. With
// another package time all others are compiled anew, which takes minutes the first
// time; the files stay in one place so that Go finds its results again.
func buildShifted() error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	dir := filepath.Join(cache, "stepkey-shifted-clock")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	folder := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time")
	source, err := os.ReadFile(filepath.Join(folder, "time.go"))
	if err != nil {
		return err
	}
	const reading = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	changed := strings.Replace(string(source), reading, reading+"\tsec += shiftedBy.Load()\n", 1)
	replaced := map[string]string{}
	for name, text := range map[string]string{"time.go": changed, "shifted_clock.go": shiftedClock} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
		replaced[filepath.Join(folder, name)] = file
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return err
	}
	return build(programs.shifted, "-overlay", list)
}

// wallClock is the setting of an instance's clock.
type wallClock struct{ file string }

func newWallClock(t testing.TB) wallClock {
	t.Helper()
	programs.shift.Do(func() { programs.shiftErr = buildShifted() })
	if programs.shiftErr != nil {
		t.Fatal(programs.shiftErr)
	}
	w := wallClock{filepath.Join(t.TempDir(), "offset")}
	w.set(t, 0)
	return w
}

// set puts the clock off by d from now on.
func (w wallClock) set(t testing.TB, d time.Duration) {
	t.Helper()
	next := w.file + ".next"
	if err := os.WriteFile(next, []byte(strconv.Itoa(int(d.Seconds()))), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, w.file); err != nil {
		t.Fatal(err)
	}
}

func (w wallClock) settings() []string {
	return []string{"PROGRAM=" + programs.shifted, "CLOCK_OFFSET_FILE=" + w.file}
}

// isOff fails the test unless the instance's own clock is off by d, as the Date of its
// answers shows: without that the row proves nothing.
func isOff(t testing.TB, s *server, d time.Duration) {
	t.Helper()
	c := newClient(t, s)
	date, err := http.ParseTime(c.do("GET", "/livez", "", nil).header.Get("Date"))
	if err != nil {
		t.Fatal(err)
	}
	if off := time.Until(date) - d; off.Abs() > patience.Long {
		t.Fatalf("the instance's clock is off by %s, want %s", off+d, d)
	}
}

func TestF11ClockSkew(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		11, "The clock of one of two instances is 10 minutes off",
		"B is built with a clock that is 10 minutes ahead, then 10 minutes behind; requests go to both in turn",
		"nothing happens: instances go by the clock of the database. Tokens, sessions and challenges of one are good for the other",
	})
	clock := newWallClock(t)
	dsn, secret := pgtest.NewDatabase(t), newSecret()
	a := start(t, "DATABASE_URL="+dsn, "STEPKEY_SECRET="+secret)
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		clock.set(t, off)
		b := start(t, append(clock.settings(), "DATABASE_URL="+dsn, "STEPKEY_SECRET="+secret, "RP_ORIGIN="+a.url)...)
		isOff(t, b, off)
		c := newClient(t, a, b)
		l := newLedger(r, c)
		l.run()
		time.Sleep(pick(time.Second, 8*time.Second))
		refused := c.outcomes()["503 unavailable"]
		text, _, _ := c.tally()
		r.observe("B off by %s: %s", off, text)
		if refused > 0 {
			t.Error("an instance with a wrong clock refuses people")
		}
		l.settle()
		// A session that B starts lasts as long as one that A starts.
		for _, s := range []*server{a, b} {
			one := newClient(t, s)
			a := l.granted("login", one.insist(func() answer { return one.logIn(l.people[0].name) }))
			lives := time.Until(expiry(t, a.member("accessToken")))
			if lives > 15*time.Minute+patience.Long || lives < 15*time.Minute-patience.Long {
				t.Errorf("a token of %s lives for %s, want 15 minutes", s.url, lives)
			}
		}
		b.stop(t)
	}
}

func TestF12ClockJumps(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		12, "The clock of an instance jumps",
		"the only instance's clock is put an hour, then a month forward and an hour back under load",
		"nothing happens: nobody is signed out, nothing is valid for longer, no panic",
	})
	clock := newWallClock(t)
	s := start(t, append(clock.settings(), "DATABASE_URL="+pgtest.NewDatabase(t))...)
	c := newClient(t, s)
	l := newLedger(r, c)
	l.run()
	jumps := []time.Duration{time.Hour, 30 * 24 * time.Hour, -time.Hour, 0}
	for _, off := range jumps {
		clock.set(t, off)
		time.Sleep(100 * time.Millisecond) // the instance follows every 10 ms
		isOff(t, s, off)
		time.Sleep(pick(500*time.Millisecond, 5*time.Second))
		lives := time.Until(expiry(t, l.granted("login", c.insist(func() answer { return c.logIn(l.people[0].name) })).member("accessToken")))
		if lives > 15*time.Minute+patience.Long || lives < 15*time.Minute-patience.Long {
			t.Errorf("a token made after a jump by %s lives for %s, want 15 minutes", off, lives)
		}
	}
	if c.outcomes()["503 unavailable"] > 0 {
		t.Error("somebody was refused after a jump")
	}
	text, _, _ := c.tally()
	r.observe("jumps to %v: %s", jumps, text)
	l.settle()
}
