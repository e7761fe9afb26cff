package stepkey_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// listed is the newest list as a verifier reads it.
func listed(f *fixture, s *stepkey.Service) (token.EndedSessions, token.EndedContent, string) {
	f.Helper()
	list, version, err := s.EndedSessions()
	if err != nil {
		f.Fatal(err)
	}
	statement, written, _ := strings.Cut(string(list), "\n")
	e, err1 := f.service.Verifier().VerifyEndedSessions(f.Context(), statement)
	content, err2 := token.ParseEndedContent([]byte(written))
	if err := errors.Join(err1, err2); err != nil || e.Digest != token.EndedDigest([]byte(written)) {
		f.Fatalf("%v, or the digest differs", err)
	}
	return e, content, version
}

func TestListOfEndedSessions(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	g := f.logInForRefresh("mira")
	before, content, version := listed(f, f.service)
	now := f.clock.Now().Unix()
	if before.IssuedAt != now || before.From > now-int64(token.EndedFor.Seconds()) || len(content) != 0 {
		t.Errorf("before: %+v %+v", before, content)
	}
	wantError(t, "LogOut", f.service.LogOut(t.Context(), g.Caller()), nil)
	_, content, changed := listed(f, f.service)
	if len(content) != 1 || len(content[0].Sessions) != 1 || uuid.UUID(content[0].Sessions[0]).String() != g.Claims.SessionID || version == changed {
		t.Errorf("after: %+v, version %s was %s", content, changed, version)
	}
}

// storeOfEnds is a store whose ended sessions can be counted, kept from being read, and
// added to without rows.
type storeOfEnds struct {
	stepkey.Store
	down bool
	read atomic.Int64 // rows
	more []storage.EndedSession

	wait func() // called before a transaction
	late func() // called when a transaction has ended sessions
}

func (s *storeOfEnds) EndedSessions(ctx context.Context, after storage.EndedSession, limit int) ([]storage.EndedSession, error) {
	if s.down {
		return nil, stepkey.ErrUnavailable
	}
	if s.more != nil {
		return s.page(after, limit), nil
	}
	ended, err := s.Store.EndedSessions(ctx, after, limit)
	s.read.Add(int64(len(ended)))
	return ended, err
}

// page finds its place by halving: more is in order.
func (s *storeOfEnds) page(after storage.EndedSession, limit int) []storage.EndedSession {
	i, _ := slices.BinarySearchFunc(s.more, after, func(e, place storage.EndedSession) int {
		if order := e.At.Compare(place.At); order != 0 {
			return order
		}
		return cmp.Or(bytes.Compare(e.ID[:], place.ID[:]), -1) // the place itself is before the page
	})
	return s.more[i:min(len(s.more), i+limit)]
}

func (s *storeOfEnds) InTx(ctx context.Context, fn func(storage.Tx) error) error {
	if s.wait != nil {
		s.wait()
	}
	return s.Store.InTx(ctx, func(tx storage.Tx) error { return fn(&lateTx{tx, s.late}) })
}

type lateTx struct {
	storage.Tx
	late func()
}

func (t *lateTx) EndSessions(ctx context.Context, which storage.EndSessions) ([]uuid.UUID, error) {
	ended, err := t.Tx.EndSessions(ctx, which)
	if t.late != nil {
		t.late()
	}
	return ended, err
}

func (f *fixture) serviceOn(store *storeOfEnds) *stepkey.Service {
	f.Helper()
	c := f.config()
	c.Store = store
	return f.newService(c)
}

// ends stores n sessions of u that ended evenly over that time until now.
func (f *fixture) ends(u stepkey.User, n int, over time.Duration) {
	f.Helper()
	now := f.clock.Now()
	stored := func(at time.Time) any { return at }
	if f.sql.Complete("FROM users") != "FROM users" {
		stored = func(at time.Time) any { return at.UnixMicro() } // SQLite
	}
	const rows = 1000 // in one statement
	for first := 0; first < n; first += rows {
		var values []string
		args := []any{u.ID, stored(now.Add(-time.Hour)), stored(now.Add(time.Hour))}
		for i := first; i < min(n, first+rows); i++ {
			args = append(args, stored(now.Add(-over+over*time.Duration(i)/time.Duration(n))))
			values = append(values, fmt.Sprintf("('%s', $1, 1, $2, $2, $3, $%d)", uuid.New(), len(args)))
		}
		f.exec(`INSERT INTO sessions (id, user_id, password_version, password_at, created_at, expires_at, ended_at) VALUES `+
			strings.Join(values, ", "), args...)
	}
}

// A look reads what is new, and not the window again.
func TestLookReadsWhatIsNew(t *testing.T) {
	onBoth(t, func(f *fixture) {
		u := f.addUser()
		f.ends(u, 300, 10*time.Minute)
		store := &storeOfEnds{Store: f.store}
		s := f.serviceOn(store)
		if got := store.read.Load(); got != 300 {
			f.Errorf("the first look read %d rows, want 300", got)
		}
		for _, test := range []struct {
			what string
			step time.Duration
			ends int
			want int64
		}{
			{"the overlap alone", 500 * time.Millisecond, 0, 7},
			{"after a minute", time.Minute, 0, 7},
			{"nothing", time.Second, 0, 0},
			{"two more", time.Second, 2, 2},
		} {
			f.clock.Advance(test.step)
			f.ends(u, test.ends, time.Second)
			store.read.Store(0)
			f.look(s)
			if got := store.read.Load(); got != test.want {
				f.Errorf("%s: read %d rows, want %d", test.what, got, test.want)
			}
		}
	})
}

// An end that is committed late is found, and one that comes too late is undone: it
// would never be.
func TestEndsThatAreCommittedLate(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		g := f.logInForRefresh("mira")
		other := f.newService(f.config())
		store := &storeOfEnds{Store: f.store}
		late := f.serviceOn(store)
		for _, test := range []struct {
			takes time.Duration
			want  error
		}{{stepkey.EndedCommit + time.Millisecond, stepkey.ErrUnavailable}, {stepkey.EndedCommit, nil}} {
			store.late = func() {
				f.clock.Advance(test.takes)
				f.look(other) // it looks in vain; with SQLite it reads beside the transaction
			}
			wantError(f.TB, fmt.Sprintf("a logout of %s", test.takes), late.LogOut(f.Context(), g.Caller()), test.want)
			f.clock.Advance(time.Second)
			f.look(other)
			for _, row := range []struct {
				what string
				s    *stepkey.Service
			}{{"this instance", late}, {"another", other}} {
				if ended, err := row.s.Ended(g.Claims); ended != (test.want == nil) || err != nil {
					f.Errorf("a logout of %s, %s: ended %v, %v", test.takes, row.what, ended, err)
				}
			}
		}
	})
}

// An instance that cannot read the database does not date its list anew.
func TestListIsDatedByTheLastLook(t *testing.T) {
	f := newFixture(t)
	store := &storeOfEnds{Store: f.store}
	s := f.serviceOn(store)
	first, _, _ := listed(f, s)
	store.down = true
	for range 4 {
		f.clock.Advance(20 * time.Second)
		if err := stepkey.LookForEnded(t.Context(), s); !errors.Is(err, stepkey.ErrUnavailable) {
			t.Fatalf("look: %v", err)
		}
		if got, _, _ := listed(f, s); got.IssuedAt != first.IssuedAt || got.Settled != first.Settled || got.ExpiresAt != first.ExpiresAt {
			t.Errorf("cut off, the list is %+v, want %+v", got, first)
		}
	}
	store.down = false
	f.look(s)
	if got, _, _ := listed(f, s); got.IssuedAt != f.clock.Now().Unix() {
		t.Errorf("back again, it is of %d, want %d", got.IssuedAt, f.clock.Now().Unix())
	}
}

// A use-case that waits before its transaction, for a turn to hash say, gives its ends the
// time at which it wrote them.
func TestEndsAfterAWait(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	g := f.logInForRefresh("mira")
	other := f.newService(f.config())
	store := &storeOfEnds{Store: f.store}
	waiting := f.serviceOn(store)
	store.wait = func() {
		f.clock.Advance(time.Minute)
		f.look(other)
	}
	wantError(t, "LogOut", waiting.LogOut(t.Context(), g.Caller()), nil)
	f.look(other)
	if ended, err := other.Ended(g.Claims); !ended || err != nil {
		t.Errorf("ended %v, %v", ended, err)
	}
}

// A list is signed when it changes, and when its date gets old; never because somebody
// asks. ES256 signatures are random, so another signature is another list.
func TestListIsSignedOnce(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	g := f.logInForRefresh("mira")
	other := f.newService(f.config())
	minute := f.clock.Now().Unix()/60 - 2
	var mu sync.Mutex
	lists := map[string]int{}
	ask := func() {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				list, _, err1 := f.service.EndedSessions()
				of, _, err2 := f.service.EndedSessionsOf(minute)
				if err := errors.Join(err1, err2); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				lists[string(list)]++
				lists[string(of)]++
			})
		}
		wg.Wait()
	}
	for _, test := range []struct {
		what string
		do   func()
		want int // lists in all
	}{
		{"first", func() {}, 2},
		{"again", func() {}, 2},
		{"a look that finds nothing", func() { f.clock.Advance(time.Second); f.look(f.service) }, 2},
		{"an end", func() { wantError(t, "LogOut", f.service.LogOut(t.Context(), g.Caller()), nil) }, 3},
		{"the same end, read from the store", func() { f.look(f.service) }, 4},
		{"and again", func() { f.look(f.service) }, 4},
		{"ten seconds later", func() { f.clock.Advance(10 * time.Second); f.look(f.service) }, 5},
	} {
		test.do()
		ask()
		if len(lists) != test.want {
			t.Errorf("%s: %d lists, want %d", test.what, len(lists), test.want)
		}
	}
	f.look(other)
	_, _, mine := listed(f, f.service)
	if _, _, theirs := listed(f, other); mine != theirs {
		t.Errorf("two instances that know the same have versions %s and %s", mine, theirs)
	}
}

// 38 ends a second of one account, for as long as tokens live, are some entries and not
// 34 000, and the owner stays signed in elsewhere.
func TestManyEndsOfOneUser(t *testing.T) {
	onBoth(t, func(f *fixture) {
		u := f.addUser()
		elsewhere := sessionOf(u, uuid.New(), f.clock.Now().Add(-time.Hour))
		f.inTx(func(tx storage.Tx) error { return tx.CreateSession(f.Context(), elsewhere) })
		const perSecond = 38
		f.ends(u, int(token.EndedFor.Seconds())*perSecond, token.EndedFor)
		s := f.newService(f.config())
		list, _, err := s.EndedSessions()
		if err != nil {
			f.Fatal(err)
		}
		// Explicit are those of the last minutes, which may not be complete.
		if most := 16 * perSecond * 120; len(list) > most {
			f.Errorf("the list has %d bytes, want at most %d", len(list), most)
		}
		_, content, _ := listed(f, s)
		entries := 0
		for _, m := range content {
			entries += len(m.Users)
			if len(m.Users) > 1 || len(m.Users) == 1 && len(m.Sessions) > 0 {
				f.Errorf("minute %d has %d users and %d sessions", m.Minute, len(m.Users), len(m.Sessions))
			}
		}
		if entries == 0 {
			f.Error("nothing was collapsed")
		}
		follower := f.followThrough(f.behindOneURL(s))
		iat := f.clock.Now().Add(-10 * time.Minute).Unix()
		for _, test := range []struct {
			name string
			e    guard.EndedSessions
		}{{"instance", s}, {"follower", follower}} {
			got, err := test.e.Ended(token.Claims{Subject: u.ID.String(), SessionID: elsewhere.ID.String(), IssuedAt: iat})
			if got || err != nil {
				f.Errorf("%s: the owner's session elsewhere: ended %v, %v", test.name, got, err)
			}
		}
	})
}

// A million sessions of a million users that ended within a quarter of an hour reach a
// follower that has just begun, over HTTP, and one more end after that costs it what is
// new.
func TestMillionEnds(t *testing.T) {
	f := newFixture(t)
	store := &storeOfEnds{Store: f.store}
	now := f.clock.Now()
	const n = 1_000_000
	for i := range n {
		at := now.Add(-15 * time.Minute).Add(15 * time.Minute * time.Duration(i) / n).Truncate(time.Microsecond)
		store.more = append(store.more, storage.EndedSession{ID: testID(i), UserID: testID(i), At: at})
	}
	a, b := f.serviceOn(store), f.serviceOn(store)
	balancer := f.behindOneURL(a, b)
	follower := f.followAll(balancer)
	for _, i := range []int{0, 1, n / 2, n - 2, n - 1} {
		c := token.Claims{SessionID: testID(i).String(), Subject: uuid.NewString()}
		if ended, err := follower.Ended(c); !ended || err != nil {
			t.Errorf("session %d: ended %v, %v", i, ended, err)
		}
	}
	if ended, err := follower.Ended(token.Claims{SessionID: testID(n).String()}); ended || err != nil {
		t.Errorf("one that has not: ended %v, %v", ended, err)
	}
	if got := balancer.bytes.Load(); got < 16*n || got > 20*n {
		t.Errorf("%d bytes for %d ends, want 16 to 20 each", got, n)
	}
}

// numbered is the id of that number.
func testID(i int) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15) // spread as random ids are
	binary.BigEndian.PutUint64(id[8:], uint64(i))
	return id
}

// followAll is follow for lists that may take longer than the first question may.
func (f *fixture) followAll(b *balancer) *guard.EndedFollower {
	f.Helper()
	follower := f.followEvery(f.Context(), b, 100*time.Millisecond)
	for {
		if _, err := follower.Ended(token.Claims{}); err == nil {
			return follower
		}
		time.Sleep(10 * time.Millisecond) // the test's own deadline is the bound
	}
}

// BenchmarkLookForEnded measures a look with an empty window, and with a window that once brought an
// instance down.
func BenchmarkLookForEnded(b *testing.B) {
	for _, rows := range []int{0, 37_000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			f := newFixture(b)
			f.ends(f.addUser(), rows, 15*time.Minute)
			s := f.newService(f.config())
			f.clock.Advance(time.Minute)
			f.look(s)
			for b.Loop() {
				f.look(s)
			}
		})
	}
}

// BenchmarkEndedList measures an anonymous request for the list.
func BenchmarkEndedList(b *testing.B) {
	for _, rows := range []int{0, 37_000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			f := newFixture(b)
			f.ends(f.addUser(), rows, 15*time.Minute)
			s := f.newService(f.config())
			for b.Loop() {
				if _, _, err := s.EndedSessions(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestDocumentedEndedNumbers(t *testing.T) {
	rows := tableRows(t, "docs/limits.md", "| what | number |")
	for _, row := range rows {
		if want := strconv.Itoa(stepkey.EndedNumbers[row[0]]); row[1] != want {
			t.Errorf("%s: %s, want %s", row[0], row[1], want)
		}
	}
	if len(rows) != len(stepkey.EndedNumbers) {
		t.Errorf("%d rows, want %d", len(rows), len(stepkey.EndedNumbers))
	}
}
