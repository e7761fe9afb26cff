package guard_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

func (f *following) follow(t *testing.T, ctx context.Context, options guard.FollowOptions) {
	t.Helper()
	options.Client = f.client()
	var err error
	if f.follower, err = guard.FollowEndedSessions(ctx, endedURL, f.verifier, options); err != nil {
		t.Fatal(err)
	}
}

// list signs one that was issued age ago and lives for a minute.
func (f *following) list(t *testing.T, age time.Duration, ids ...string) string {
	t.Helper()
	issued := time.Now().Add(-age)
	raw, err := f.signer.SignEndedSessions(token.EndedSessions{
		Issuer: issuer, IssuedAt: issued.Unix(), ExpiresAt: issued.Add(time.Minute).Unix(), SessionIDs: ids,
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// publish answers with a list under an etag, and with 304 to who has it.
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

func (f *following) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (f *following) want(t *testing.T, what, id string, want bool, wantErr error) {
	t.Helper()
	ended, err := f.follower.Ended(id)
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
		f.want(t, "no longer listed", "one", false, nil)
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
		{"a list and a letter", func(t *testing.T, f *following) string { return f.list(t, 0) + "." }, token.ReasonMalformed},
		{"too long", func(*testing.T, *following) string { return strings.Repeat("A", token.MaxEndedSessionsBytes+1) }, ""},
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
			_, err := f.follower.Ended("one")
			var refusal *token.Error
			if errors.As(err, &refusal) != (test.reason != "") || (refusal != nil && refusal.Reason != test.reason) {
				t.Errorf("%s: %v, want %q inside", test.what, err, test.reason)
			}
		})
	}
}

// Two instances of an issuer sign lists of their own: one that is a little older
// takes nothing off, and one that is much older is a replay.
func TestOlderLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollowing(t)
		time.Sleep(time.Hour)
		f.publish(f.list(t, 0, "one"), "")
		f.follow(t, t.Context(), guard.FollowOptions{})
		f.publish(f.list(t, 0, "two"), "")
		f.wait(5 * time.Second)
		f.want(t, "of the same second", "one", true, nil)
		f.want(t, "of the same second", "two", true, nil)
		f.publish(f.list(t, 20*time.Second, "three"), "")
		f.wait(5 * time.Second)
		f.want(t, "older", "one", true, nil)
		f.want(t, "older", "three", true, nil)
		f.publish(f.list(t, 0, "four"), "")
		f.wait(5 * time.Second)
		f.want(t, "newer", "one", false, nil)
		f.want(t, "newer", "four", true, nil)
		f.publish(f.list(t, 20*time.Second, "four"), "")
		f.wait(5 * time.Second)
		f.publish(f.list(t, 45*time.Second, "five"), "") // 35 s older than the newest
		f.wait(5 * time.Second)
		f.want(t, "much older", "five", false, nil)
		f.want(t, "much older", "four", true, nil)
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
	bearer := "Bearer " + access(t, keys, "session")
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
