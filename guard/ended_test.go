package guard_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

const endedURL = "https://auth.example.com/ended-sessions"

// following is a follower in a bubble, and the issuer that it follows.
type following struct {
	publisher
	keys     *token.Keyring
	signer   *token.Signer
	verifier *token.Verifier
	follower *guard.EndedFollower
	etags    []string
}

func newFollowing(t *testing.T) *following {
	t.Helper()
	keys := token.NewKeyring(es256(t))
	return &following{keys: keys, signer: token.NewSigner(keys), verifier: newVerifier(t, keys)}
}

func (f *following) follow(t testing.TB, ctx context.Context, options guard.FollowOptions) {
	t.Helper()
	options.Client = f.client()
	var err error
	if f.follower, err = guard.FollowEndedSessions(ctx, endedURL, f.verifier, options); err != nil {
		t.Fatal(err)
	}
}

// idOf is the id of a session of that name.
func idOf(name string) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte(name)) }

// list signs one that was issued age ago, lives for a minute, and has sessions that ended
// in the minute of its issue.
func (f *following) list(t *testing.T, age time.Duration, names ...string) string {
	t.Helper()
	issued := time.Now().Add(-age)
	m := token.EndedMinute{Minute: issued.Unix() / 60}
	for _, name := range names {
		m.Sessions = append(m.Sessions, token.ID(idOf(name)))
	}
	return f.signed(t, statement(issued), token.EndedContent{m})
}

// statement is that of a list of all that matters at that time.
func statement(issued time.Time) token.EndedSessions {
	oldest := issued.Add(-token.EndedFor).Unix() / 60
	return token.EndedSessions{
		Issuer: issuer, IssuedAt: issued.Unix(), ExpiresAt: issued.Add(time.Minute).Unix(),
		From: oldest * 60, To: (issued.Unix()/60 + 2) * 60, Settled: issued.Unix() - 15,
	}
}

func (f *following) signed(t testing.TB, e token.EndedSessions, content token.EndedContent) string {
	t.Helper()
	written := content.Append(nil)
	e.Digest = token.EndedDigest(written)
	raw, err := f.signer.SignEndedSessions(e)
	if err != nil {
		t.Fatal(err)
	}
	return raw + "\n" + string(written)
}

// publish answers with a list under an etag, and with 304 to a client that has it.
func (f *following) publish(raw, etag string) {
	f.set(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.etags = append(f.etags, r.Header.Get("If-None-Match"))
		f.mu.Unlock()
		w.Header().Set("ETag", etag)
		if etag != "" && r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, raw)
	})
}

// sent lists what came as If-None-Match.
func (f *following) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.etags)
}

// change runs what changes the answers, which read under the same lock.
func (f *following) change(what func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what()
}

func (f *following) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (f *following) want(t *testing.T, what, id string, want bool, wantErr error) {
	t.Helper()
	ended, err := f.follower.Ended(token.Claims{SessionID: idOf(id).String()})
	if ended != want || !errors.Is(err, wantErr) {
		t.Errorf("%s: %s: %v, %v; want %v, %v", what, id, ended, err, want, wantErr)
	}
}

func TestFollowerLearnsOfAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowing(t)
		ctx, cancel := context.WithCancel(t.Context())
		f.publish(f.list(t, 0, "one"), `"1"`)
		f.follow(t, ctx, guard.FollowOptions{})
		f.want(t, "at once", "one", true, nil)
		f.want(t, "at once", "two", false, nil)

		f.wait(2 * time.Second)
		f.publish(f.list(t, 0, "two"), `"2"`)
		f.wait(3*time.Second - 1)
		f.want(t, "before 5 s", "two", false, nil)
		f.wait(time.Nanosecond)
		f.want(t, "after 5 s", "two", true, nil)
		f.wait(5 * time.Second)
		if got := f.sent(); len(got) != 3 || got[0] != "" || got[1] != `"1"` || got[2] != `"2"` {
			t.Errorf("If-None-Match: %q", got)
		}
		cancel()
		f.wait(time.Hour)
		if got := f.asked.Load(); got != 3 {
			t.Errorf("asked %d times, want 3: it went on after the end", got)
		}
		f.want(t, "after the end", "two", false, guard.ErrEndedUnknown)
	})
}

// "Not modified" confirms a list, but not beyond its life.
func TestFollowerAndNotModified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowing(t)
		f.publish(f.list(t, 0, "one"), `"1"`)
		f.follow(t, t.Context(), guard.FollowOptions{MaxStale: 20 * time.Second})
		f.wait(50 * time.Second)
		f.want(t, "not modified for 50 s", "one", true, nil)
		f.wait(10 * time.Second)
		sent := f.sent()
		if last := sent[len(sent)-1]; last != "" {
			t.Errorf("asked with %s for a list that has expired", last)
		}
		f.wait(token.Leeway + 20*time.Second)
		f.want(t, "the same list after it expired", "one", false, guard.ErrEndedUnknown)
		f.publish(f.list(t, 0, "one"), `"2"`)
		f.wait(5 * time.Second)
		f.want(t, "signed anew", "one", true, nil)
	})
}

func TestFollowerFailsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowing(t)
		f.publish(f.list(t, 0, "one"), "")
		f.follow(t, t.Context(), guard.FollowOptions{})
		f.set(down)
		f.wait(60 * time.Second)
		f.want(t, "down for 60 s", "one", true, nil)
		f.want(t, "down for 60 s", "two", false, nil)
		f.wait(time.Nanosecond)
		f.want(t, "down for longer", "one", false, guard.ErrEndedUnknown)
		f.publish(f.list(t, 0, "one"), "")
		f.wait(5 * time.Second)
		f.want(t, "up again", "one", true, nil)
	})
}

func TestFollowerWithoutAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowing(t)
		f.set(down)
		f.follow(t, t.Context(), guard.FollowOptions{Interval: time.Second})
		f.want(t, "never answered", "one", false, guard.ErrEndedUnknown)
		f.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
		f.wait(time.Second)
		f.want(t, "not modified, though nothing is held", "one", false, guard.ErrEndedUnknown)
		f.publish(f.list(t, 0), "")
		f.wait(time.Second)
		f.want(t, "up", "one", false, nil)
	})
}

// None of these confirms the list or changes it.
func TestFollowerBelievesOnlyTheIssuer(t *testing.T) {
	for _, test := range []struct {
		what   string
		answer func(t *testing.T, f *following) string
		reason token.Reason
	}{
		{"signed by another", func(t *testing.T, _ *following) string { return newFollowing(t).list(t, 0) }, token.ReasonUnknownKey},
		{"expired", func(t *testing.T, f *following) string { return f.list(t, 100*time.Second) }, token.ReasonExpired},
		{"older than clocks differ", func(t *testing.T, f *following) string { return f.list(t, 31*time.Second) }, ""},
		{"an access token", func(t *testing.T, f *following) string { return access(t, f.keys, "one") }, token.ReasonType},
		{"no token", func(*testing.T, *following) string { return "<html>" }, token.ReasonMalformed},
		{"a list and a letter", func(t *testing.T, f *following) string { return f.list(t, 0, "two") + "." }, ""},
		{"another content", func(t *testing.T, f *following) string {
			head, _, _ := strings.Cut(f.list(t, 0, "two"), "\n")
			_, content, _ := strings.Cut(f.list(t, 0, "three"), "\n")
			return head + "\n" + content
		}, ""},
		{"a statement without end", func(*testing.T, *following) string { return strings.Repeat("A", 2*token.MaxBytes) }, token.ReasonSize},
		{"too long", func(t *testing.T, f *following) string {
			return f.list(t, 0, "two") + strings.Repeat("A", token.MaxEndedContentBytes)
		}, ""},
		{"no content but signed", func(t *testing.T, f *following) string {
			e := statement(time.Now())
			e.Digest = token.EndedDigest([]byte("?"))
			raw, err := f.signer.SignEndedSessions(e)
			if err != nil {
				t.Fatal(err)
			}
			return raw + "\n?"
		}, ""},
		{"of another time", func(t *testing.T, f *following) string {
			e := statement(time.Now())
			return f.signed(t, e, token.EndedContent{{Minute: e.To / 60}})
		}, ""},
		{"in the future", func(t *testing.T, f *following) string { return f.list(t, -time.Minute, "two") }, token.ReasonNotYetValid},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFollowing(t)
			f.publish(f.list(t, 0, "one"), "")
			f.follow(t, t.Context(), guard.FollowOptions{MaxStale: 20 * time.Second})
			raw := test.answer(t, f)
			f.set(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, raw) })
			f.wait(5 * time.Second)
			f.want(t, test.what, "one", true, nil)
			f.wait(15*time.Second + time.Nanosecond)
			f.want(t, test.what, "one", false, guard.ErrEndedUnknown)
			f.want(t, test.what, "two", false, guard.ErrEndedUnknown)
			_, err := f.follower.Ended(token.Claims{SessionID: idOf("one").String()})
			var refusal *token.Error
			if errors.As(err, &refusal) != (test.reason != "") || (refusal != nil && refusal.Reason != test.reason) {
				t.Errorf("%s: %v, want %q inside", test.what, err, test.reason)
			}
		})
	}
}

// Two instances of an issuer sign lists of their own, and one knows of an end before the
// other. Neither takes anything off, until the minute is complete. A list that is much
// older is a replay.
func TestOlderLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowing(t)
		time.Sleep(time.Hour + 20*time.Second)
		f.publish(f.list(t, 0, "one"), "")
		f.follow(t, t.Context(), guard.FollowOptions{})
		for _, next := range []struct {
			name string
			age  time.Duration
		}{{"two", 0}, {"three", 3 * time.Second}, {"four", 0}} {
			f.publish(f.list(t, next.age, next.name), "")
			f.wait(5 * time.Second)
			f.want(t, "the first", "one", true, nil)
			f.want(t, "each", next.name, true, nil)
		}
		f.publish(f.list(t, 45*time.Second, "five"), "") // 35 s older than the newest
		f.wait(5 * time.Second)
		f.want(t, "much older", "five", false, nil)
		f.want(t, "much older", "four", true, nil)

		minute := time.Now().Unix() / 60
		f.wait(time.Minute)
		complete := token.EndedContent{{Minute: minute, Sessions: []token.ID{token.ID(idOf("two"))}}}
		f.publish(f.signed(t, statement(time.Now()), complete), "")
		f.wait(5 * time.Second)
		f.want(t, "the minute is complete", "two", true, nil)
		f.want(t, "the minute is complete", "one", false, nil)
		for range int(token.EndedFor/time.Minute) + 1 {
			f.wait(time.Minute - 5*time.Second)
			f.publish(f.list(t, 0), "")
			f.wait(5 * time.Second)
		}
		f.want(t, "forgotten", "two", false, nil)
	})
}

// Where the newest list does not go back far enough, the minutes before are fetched, each
// once, from whichever instance. One that is missing or incomplete is no list.
func TestFollowerFetchesMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowing(t)
		time.Sleep(time.Hour + 20*time.Second)
		fault, asked := "missing", map[string]int{}
		f.set(func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			name := path.Base(r.URL.Path)
			asked[name]++
			e := statement(time.Now())
			if name == "ended-sessions" {
				e.From = time.Now().Add(-45*time.Second).Unix() / 60 * 60
				_, _ = io.WriteString(w, f.signed(t, e, nil))
				return
			}
			minute, err := strconv.ParseInt(name, 10, 64)
			if err != nil || fault == "missing" && minute%5 == 0 {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			e.From, e.To = minute*60, (minute+1)*60
			if fault == "incomplete" && minute%5 == 0 {
				e.Settled = e.To - 1
			}
			_, _ = io.WriteString(w, f.signed(t, e, token.EndedContent{
				{Minute: minute, Sessions: []token.ID{token.ID(idOf(name))}},
			}))
		})
		now := time.Now().Unix() / 60
		f.follow(t, t.Context(), guard.FollowOptions{})
		f.want(t, "a minute is missing", "one", false, guard.ErrEndedUnknown)
		f.change(func() { fault = "incomplete" })
		f.wait(5 * time.Second)
		f.want(t, "a minute is incomplete", "one", false, guard.ErrEndedUnknown)
		f.change(func() { fault = "" })
		f.wait(5 * time.Second)
		for minute := now - 15; minute < now-1; minute++ {
			name := strconv.FormatInt(minute, 10)
			f.want(t, "minute "+name, name, true, nil)
			if n := asked[name]; n != 1 && (minute%5 != 0 || n > 5) {
				t.Errorf("minute %s was fetched %d times", name, n)
			}
		}
		f.change(func() { clear(asked) })
		f.wait(2 * time.Minute)
		if len(asked) != 1 {
			t.Errorf("while it keeps up it fetched %v", asked)
		}
		f.publish("", "") // an outage
		f.wait(5 * time.Minute)
		f.want(t, "in an outage", "one", false, guard.ErrEndedUnknown)
	})
}

// A list is as old as what the issuer read, whenever it was signed or sent.
func TestFollowerGoesByTheDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowing(t)
		read := time.Now()
		f.set(func(w http.ResponseWriter, _ *http.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			e := statement(read)
			e.ExpiresAt = read.Add(token.Lifetime).Unix()
			_, _ = io.WriteString(w, f.signed(t, e, token.EndedContent{{Minute: read.Unix() / 60, Sessions: []token.ID{token.ID(idOf("one"))}}}))
		})
		f.follow(t, t.Context(), guard.FollowOptions{})
		f.wait(90 * time.Second)
		f.want(t, "90 s after it was read", "one", true, nil)
		f.want(t, "90 s after it was read", "two", false, nil)
		f.wait(time.Second)
		f.want(t, "91 s after it was read", "one", false, guard.ErrEndedUnknown)
		f.change(func() { read = time.Now() })
		f.wait(5 * time.Second)
		f.want(t, "read again", "one", true, nil)
	})
}

// One entry ends all of a user's tokens from before a moment, but for some sessions.
func TestFollowerAndUsers(t *testing.T) {
	f := newFollowing(t)
	now := time.Now()
	notBefore := now.Unix() - 30
	content := token.EndedContent{{Minute: now.Unix()/60 - 1, Users: []token.EndedUser{{
		User: token.ID(idOf("mira")), NotBefore: notBefore, Except: []token.ID{token.ID(idOf("live")), token.ID(idOf("ended"))},
	}}}, {Minute: now.Unix() / 60, Sessions: []token.ID{token.ID(idOf("ended"))}}}
	f.publish(f.signed(t, statement(now), content), "")
	f.follow(t, t.Context(), guard.FollowOptions{})
	for _, test := range []struct {
		user, session string
		issuedAt      int64
		want          bool
	}{
		{"mira", "some", notBefore - 1, true},
		{"mira", "some", notBefore, false},
		{"mira", "live", notBefore - 1, false},
		{"mira", "ended", notBefore - 1, true},
		{"mira", "ended", notBefore + 10, true},
		{"noor", "some", notBefore - 1, false},
	} {
		got, err := f.follower.Ended(token.Claims{
			Subject: idOf(test.user).String(), SessionID: idOf(test.session).String(), IssuedAt: test.issuedAt,
		})
		if got != test.want || err != nil {
			t.Errorf("%+v: %v, %v", test, got, err)
		}
	}
	if got, err := f.follower.Ended(token.Claims{Subject: "mira", SessionID: "some"}); got || err != nil {
		t.Errorf("ids of another kind: %v, %v", got, err)
	}
}

// A follower holds as many ids as it is said to, in one list or in several, and is not
// confirmed by more.
func TestFollowerHoldsSoMany(t *testing.T) {
	f := newFollowing(t)
	now := time.Now()
	ids := func(minute, n int) token.EndedMinute {
		m := token.EndedMinute{Minute: now.Unix()/60 - int64(minute)}
		for i := range n {
			var id token.ID
			binary.BigEndian.PutUint64(id[:], uint64(i+1)<<20+uint64(minute))
			m.Sessions = append(m.Sessions, id)
		}
		return m
	}
	const half = token.MaxEndedIDs / 2
	for _, test := range []struct {
		what    string
		content token.EndedContent
		want    error
	}{
		{"all", token.EndedContent{ids(3, half), ids(2, half)}, nil},
		{"one more", token.EndedContent{ids(3, half), ids(2, half+1)}, guard.ErrEndedUnknown},
	} {
		f.publish(f.signed(t, statement(now), test.content), "")
		ctx, cancel := context.WithCancel(t.Context())
		asked := f.asked.Load()
		f.follow(t, ctx, guard.FollowOptions{Interval: 10 * time.Millisecond})
		_, err := f.follower.Ended(token.Claims{})
		for err != nil && f.asked.Load() < asked+3 {
			time.Sleep(10 * time.Millisecond)
			_, err = f.follower.Ended(token.Claims{})
		}
		cancel()
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.what, err, test.want)
		}
	}
}

// Neither do lists that are small add up to more.
func TestFollowerHoldsSoManyInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowing(t)
		time.Sleep(time.Hour)
		full := token.EndedMinute{Minute: time.Now().Unix()/60 - 3}
		for i := range token.MaxEndedIDs {
			var id token.ID
			binary.BigEndian.PutUint64(id[:], uint64(i+1)<<20)
			full.Sessions = append(full.Sessions, id)
		}
		f.publish(f.signed(t, statement(time.Now()), token.EndedContent{full}), "")
		f.follow(t, t.Context(), guard.FollowOptions{MaxStale: 20 * time.Second})
		f.want(t, "full", "one", false, nil)
		f.publish(f.list(t, 0, "one"), "")
		f.wait(5 * time.Second)
		f.want(t, "one more", "one", false, nil) // the list before still stands
		f.wait(15*time.Second + time.Nanosecond)
		f.want(t, "one more", "one", false, guard.ErrEndedUnknown)
	})
}

func TestFollowerNeedsAnAddress(t *testing.T) {
	f := newFollowing(t)
	_, err := guard.FollowEndedSessions(t.Context(), "http://auth.example.com/ended", f.verifier, guard.FollowOptions{})
	if !errors.Is(err, guard.ErrURL) {
		t.Errorf("%v, want ErrURL", err)
	}
}

// From the sign-out to the refusal, over a real network, with the token in the
// verifier's memory.
func TestFollowerBehindAGuard(t *testing.T) {
	keys := token.NewKeyring(es256(t))
	f := &following{keys: keys, signer: token.NewSigner(keys), verifier: newVerifier(t, keys)}
	server := httptest.NewServer(f)
	defer server.Close()
	f.publish(f.list(t, 0), "")
	polled := make(chan struct{}, 1)
	follower, err := guard.FollowEndedSessions(t.Context(), server.URL, f.verifier, guard.FollowOptions{
		Client: server.Client(), Interval: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	g := guard.New(f.verifier, guard.Options{Ended: follower})
	login := func(next http.Handler) http.Handler { return g.RequireLogin(next) }
	bearer := "Bearer " + access(t, keys, idOf("session").String())
	if got := ask(login, bearer); got.StatusCode != 200 {
		t.Fatalf("live: %d", got.StatusCode)
	}
	list := f.list(t, 0, "session")
	served := 0
	f.set(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, list)
		if served++; served == 2 { // the list of the first is in place
			polled <- struct{}{}
		}
	})
	<-polled
	if got := ask(login, bearer); got.StatusCode != 401 {
		t.Errorf("ended: %d", got.StatusCode)
	}
}
