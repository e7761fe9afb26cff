package stepkey_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// logInForRefresh signs in and asks for a refresh token in the body.
func (f *fixture) logInForRefresh(name string) stepkey.Grant {
	f.Helper()
	g, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{
		Username: name, Password: password, Refresh: stepkey.RefreshBody,
		Client: stepkey.Client{Device: "Firefox on Linux", Network: "203.0.113.0/24"},
	})
	if err != nil {
		f.Fatal(err)
	}
	return g
}

func (f *fixture) refresh(refreshToken string) stepkey.Grant {
	f.Helper()
	g, err := f.service.Refresh(f.Context(), refreshToken)
	if err != nil {
		f.Fatalf("Refresh: %v", err)
	}
	return g
}

func (f *fixture) wantRefused(what, refreshToken string) {
	f.Helper()
	wantError(f.TB, what, second(f.service.Refresh(f.Context(), refreshToken)), stepkey.ErrUnauthorized)
}

func (f *fixture) stepUpGrant(c stepkey.Caller, device *authenticator.Authenticator) stepkey.Grant {
	f.Helper()
	g, err := f.service.FinishStepUp(f.Context(), c, f.got(device, f.stepUpOptions(c)))
	if err != nil {
		f.Fatal(err)
	}
	return g
}

func TestRefreshRotates(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		first := f.logInForRefresh("mira")
		f.clock.Advance(14 * time.Minute)
		next := f.refresh(first.RefreshToken)
		c := next.Claims
		if next.RefreshToken == first.RefreshToken || c.SessionID != first.Claims.SessionID || c.ID == first.Claims.ID {
			f.Errorf("refreshed: %+v", next)
		}
		if c.AuthTime != first.Claims.AuthTime || c.PasswordTime != first.Claims.PasswordTime || c.IssuedAt == first.Claims.IssuedAt {
			f.Errorf("times after a refresh: %+v, before: %+v", c, first.Claims)
		}
		f.refresh(next.RefreshToken)
	})
}

func TestClientThatDoesNotAskGetsNoRefreshToken(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	g, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: password})
	if err != nil || g.RefreshToken != "" || g.RefreshMode != stepkey.RefreshNone {
		t.Errorf("%+v, %v", g, err)
	}
	wantError(t, "another mode", second(f.service.LogIn(t.Context(),
		stepkey.LogInRequest{Username: "mira", Password: password, Refresh: "header"})), stepkey.ErrInvalidRequest)
}

// 20 tabs, two instances, one token: all get the same successor and nobody is
// signed out.
func TestParallelRefreshesGetOneSuccessor(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		first := f.logInForRefresh("mira")
		services := []*stepkey.Service{f.service, f.newService(f.config())}
		successors := make([]string, 20)
		for _, err := range race(20, func(i int) error {
			g, err := services[i%2].Refresh(f.Context(), first.RefreshToken)
			successors[i] = g.RefreshToken
			return err
		}) {
			if err != nil {
				f.Error(err)
			}
		}
		for _, successor := range successors {
			if successor != successors[0] || successor == first.RefreshToken {
				f.Fatalf("successors differ: %q", successors)
			}
		}
		f.refresh(successors[0])
	})
}

func TestPredecessorHasTenSeconds(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	first := f.logInForRefresh("mira")
	next := f.refresh(first.RefreshToken)
	f.clock.Advance(10 * time.Second)
	if again := f.refresh(first.RefreshToken); again.RefreshToken != next.RefreshToken {
		t.Errorf("the predecessor got %q, want the successor %q", again.RefreshToken, next.RefreshToken)
	}
	f.clock.Advance(time.Microsecond)
	f.wantRefused("the predecessor, later", first.RefreshToken)
	f.wantRefused("the successor, after the predecessor came back", next.RefreshToken)
	if n := f.events(storage.EventRefreshReused); n != 1 {
		t.Errorf("%d reuses recorded, want 1", n)
	}
}

func TestOlderTokenEndsTheSessionAndNoOther(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		first, other := f.logInForRefresh("mira"), f.logInForRefresh("mira")
		third := f.refresh(f.refresh(first.RefreshToken).RefreshToken)
		f.wantRefused("two generations old, within the grace", first.RefreshToken)
		f.wantRefused("the current one", third.RefreshToken)
		wantError(f.TB, "a ceremony in that session",
			second(f.service.BeginRegistration(f.Context(), third.Caller())), stepkey.ErrUnauthorized)
		if ended, err := f.service.Ended(third.Claims); !ended || err != nil {
			f.Errorf("Ended: %v, %v", ended, err)
		}
		f.refresh(other.RefreshToken)
		if n := f.events(storage.EventRefreshReused); n != 1 {
			f.Errorf("%d reuses recorded, want 1", n)
		}
	})
}

func TestStepUpReplacesTheRefreshToken(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		device := authenticator.New(authenticator.Config{})
		f.register(f.logIn("mira"), device)
		first := f.logInForRefresh("mira")
		full := f.stepUpGrant(first.Caller(), device)
		if full.RefreshToken == first.RefreshToken || full.Claims.Level != token.LevelFull {
			f.Fatalf("after the step-up: %+v", full)
		}
		f.clock.Advance(time.Second)
		f.wantRefused("the token from before", first.RefreshToken)
		next := f.refresh(full.RefreshToken) // a tab that was late does not end the session
		if next.Claims.Level != token.LevelFull || next.Claims.AuthTime != full.Claims.AuthTime {
			f.Errorf("refreshed at full: %+v", next.Claims)
		}
		f.clock.Advance(time.Minute)
		f.wantRefused("the token from before, later", first.RefreshToken)
		f.wantRefused("the session, which had to end", next.RefreshToken)
	})
}

func TestFullAges(t *testing.T) {
	f := newFixture(t)
	_, device := f.enrolled("mira", authenticator.Config{})
	g := f.logInForRefresh("mira")
	g = f.stepUpGrant(g.Caller(), device)
	for range 22 { // 11 hours
		f.clock.Advance(30 * time.Minute)
		g = f.refresh(g.RefreshToken)
		if g.Claims.Level != token.LevelFull {
			t.Fatalf("at %s the level is %s", f.clock.Now(), g.Claims.Level)
		}
	}
	f.clock.Advance(55 * time.Minute) // 11 h 55 min
	g = f.refresh(g.RefreshToken)
	if g.Claims.Level != token.LevelFull || g.Claims.ExpiresAt > g.Claims.PasskeyTime+int64(stepkey.FullLifetime/time.Second) {
		t.Errorf("shortly before its end: %+v; want full, and no token beyond 12 hours", g.Claims)
	}
	f.clock.Advance(10 * time.Minute)
	g = f.refresh(g.RefreshToken)
	if g.Claims.Level != token.LevelPassword || g.Claims.PasskeyTime != 0 || g.Claims.AuthTime != g.Claims.PasswordTime {
		t.Errorf("after 12 hours: %+v, want password", g.Claims)
	}
	if again := f.stepUpGrant(g.Caller(), device); again.Claims.Level != token.LevelFull {
		t.Error("it cannot be stepped up again")
	}
}

// Just before the end of what a token rests on, refreshing still works: otherwise the
// rotation would have used up the refresh token for nothing.
func TestRefreshInTheLastSecond(t *testing.T) {
	f := newFixture(t)
	_, device := f.enrolled("mira", authenticator.Config{})
	f.signUp("noor")
	for _, test := range []struct {
		what  string
		begin func() stepkey.Grant
		lasts time.Duration
		step  time.Duration // between two refreshes
	}{
		{"full", func() stepkey.Grant { return f.stepUpGrant(f.logInForRefresh("mira").Caller(), device) }, stepkey.FullLifetime, 30 * time.Minute},
		{"a session without a step-up", func() stepkey.Grant { return f.logInForRefresh("mira") }, stepkey.NoStepUpLifetime, 5 * time.Minute},
		{"a session", func() stepkey.Grant { return f.logInForRefresh("noor") }, stepkey.SessionLifetime, 24 * time.Hour},
	} {
		t.Run(test.what, func(t *testing.T) {
			g := test.begin()
			for range test.lasts/test.step - 1 {
				f.clock.Advance(test.step)
				g = f.refresh(g.RefreshToken)
			}
			level := g.Claims.Level
			f.clock.Advance(test.step - 500*time.Millisecond)
			g = f.refresh(g.RefreshToken)
			if g.Claims.Level != level || g.Claims.ExpiresAt != g.Claims.IssuedAt+1 {
				t.Errorf("in the last second: %+v", g.Claims)
			}
		})
	}
}

func TestFullIsLostWhenIdle(t *testing.T) {
	f := newFixture(t)
	_, device := f.enrolled("mira", authenticator.Config{})
	g := f.logInForRefresh("mira")
	g = f.stepUpGrant(g.Caller(), device)
	f.clock.Advance(61 * time.Minute)
	for range 2 {
		g = f.refresh(g.RefreshToken)
		if g.Claims.Level != token.LevelPassword {
			t.Errorf("after an idle hour: %s, want password", g.Claims.Level)
		}
	}
}

func TestSessionWithoutStepUpOfAUserWithPasskeys(t *testing.T) {
	f := newFixture(t)
	f.enrolled("mira", authenticator.Config{})
	g := f.logInForRefresh("mira")
	f.clock.Advance(14 * time.Minute)
	g = f.refresh(g.RefreshToken)
	if left := g.Claims.ExpiresAt - f.clock.Now().Unix(); left > 60 {
		t.Errorf("the token lives %d s, want at most the minute that is left", left)
	}
	f.clock.Advance(time.Minute)
	f.wantRefused("after 15 minutes", g.RefreshToken)
}

func TestSessionLimits(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	idle, active := f.logInForRefresh("mira"), f.logInForRefresh("mira")
	for range 4 {
		f.clock.Advance(stepkey.SessionIdle - time.Second)
		active = f.refresh(active.RefreshToken)
	}
	f.wantRefused("idle for a week", idle.RefreshToken)
	f.clock.Advance(2*24*time.Hour + 4*time.Second - time.Minute)
	active = f.refresh(active.RefreshToken)
	if left := active.Claims.ExpiresAt - f.clock.Now().Unix(); left > 60 {
		t.Errorf("the last token lives %d s, want at most the minute that is left", left)
	}
	f.clock.Advance(time.Minute)
	f.wantRefused("after 30 days", active.RefreshToken)
}

func TestRefreshLooksAgain(t *testing.T) {
	for _, test := range []struct{ what, statement string }{
		{"user disabled", `UPDATE users SET disabled_at = created_at`},
		{"password changed", `UPDATE users SET password_version = password_version + 1`},
		{"session ended", `UPDATE sessions SET ended_at = created_at`},
		{"user deleted", `DELETE FROM users`},
	} {
		t.Run(test.what, func(t *testing.T) {
			f := fixtureOn(t, "sqlite:"+t.TempDir()+"/stepkey.db")
			f.signUp("mira")
			g := f.logInForRefresh("mira")
			f.sql.SetMaxOpenConns(1)
			f.exec(`PRAGMA foreign_keys = 1`)
			f.exec(test.statement)
			f.wantRefused(test.what, g.RefreshToken)
			if f.events(storage.EventRefreshReused) != 0 {
				t.Error("it was taken for a theft")
			}
		})
	}
	t.Run("elevating passkey deleted", func(t *testing.T) {
		f := newFixture(t)
		_, device := f.enrolled("mira", authenticator.Config{})
		g := f.logInForRefresh("mira")
		g = f.stepUpGrant(g.Caller(), device)
		f.exec(`DELETE FROM passkeys`)
		if g = f.refresh(g.RefreshToken); g.Claims.Level != token.LevelPassword {
			t.Errorf("level %s, want password", g.Claims.Level)
		}
	})
}

// A copy of the database makes no token, and neither does the secret without it.
func TestForgedRefreshTokens(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	g := f.logInForRefresh("mira")
	cookie, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	raw := g.RefreshToken
	body := strings.TrimPrefix(raw, "rt2.")
	for _, test := range []struct{ what, forged string }{
		{"nothing", ""},
		{"garbage", "rt2.x"},
		{"another prefix", "rt1." + body},
		{"no prefix", body},
		{"padded", raw + "="},
		{"another session", "rt2." + strings.Repeat("A", 22) + body[22:]},
		{"another generation", "rt2." + body[:30] + flip(body[30:31]) + body[31:]},
		{"another salt", "rt2." + body[:40] + flip(body[40:41]) + body[41:]},
		{"another MAC", "rt2." + body[:80] + flip(body[80:81]) + body[81:]},
		{"an access token", g.AccessToken},
		{"a million bytes", "rt2." + strings.Repeat("A", 1_000_000)},
		{"a session without any", "rt2." + strings.Repeat("A", len(body))},
		{"an older form", "rt1." + strings.Repeat("A", 75)},
	} {
		f.wantRefused(test.what, test.forged)
	}
	f.exec(`UPDATE sessions SET salt = $1 WHERE id = $2`, []byte("another salt 16b"), g.Claims.SessionID)
	f.wantRefused("the key without the salt", raw)
	if _, err := f.service.BeginRegistration(t.Context(), cookie.Caller()); err != nil {
		t.Errorf("forgeries touched another session: %v", err)
	}
	if f.events(storage.EventRefreshReused)+f.events(storage.EventSessionEnded) != 0 {
		t.Error("a forgery ended a session")
	}
}

// Sessions that an earlier version began go on: their tokens did not carry the salt.
func TestRefreshTokensOfEarlierVersions(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	g := f.logInForRefresh("mira")
	session, err := f.store.RefreshSession(t.Context(), uuid.MustParse(g.Claims.SessionID))
	if err != nil {
		t.Fatal(err)
	}
	old := func(salt []byte) string { return oldRefreshToken(t, session.ID, session.Generation, salt) }
	f.wantRefused("a forgery", old([]byte("another salt 16b")))
	next := f.refresh(old(session.Salt))
	if again := f.refresh(old(session.Salt)); again.RefreshToken != next.RefreshToken {
		t.Error("the old token, sent twice, gives two tokens")
	}
	f.refresh(next.RefreshToken)
	f.clock.Advance(time.Minute)
	f.wantRefused("a forgery in a later generation", old([]byte("another salt 16b")))
	if f.events(storage.EventRefreshReused) != 0 {
		t.Error("a forgery counts as reused")
	}
	f.wantRefused("reused", old(session.Salt))
	if f.events(storage.EventRefreshReused) != 1 {
		t.Error("the old token, reused, did not end the session")
	}
}

// oldRefreshToken returns a token as it was issued before the salt was in it.
func oldRefreshToken(t *testing.T, session uuid.UUID, generation int64, salt []byte) string {
	t.Helper()
	root, err := secret.ParseRoot(rootSecret)
	if err != nil {
		t.Fatal(err)
	}
	payload := binary.BigEndian.AppendUint64(session[:], uint64(generation))
	mac := hmac.New(sha256.New, root.Derive("refresh token"))
	mac.Write(slices.Concat([]byte("rt1"), payload, salt))
	return "rt1." + base64.RawURLEncoding.EncodeToString(mac.Sum(payload))
}

func flip(letter string) string {
	if letter == "A" {
		return "B"
	}
	return "A"
}

func TestStoreHoldsNoRefreshToken(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	g := f.logInForRefresh("mira")
	rows, err := f.sql.QueryContext(t.Context(), `SELECT * FROM sessions`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		t.Fatal(err, rows.Err())
	}
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		t.Fatal(err)
	}
	dump := fmt.Sprintf("%s %x", values, values)
	if strings.Contains(dump, g.RefreshToken[40:]) {
		t.Errorf("the session's row holds the token: %s", dump)
	}
}

// storeWithHook is a store on which something happens just before the next look at
// an account.
type storeWithHook struct {
	stepkey.Store
	before func()
}

func (s *storeWithHook) Account(ctx context.Context, userID, sessionID uuid.UUID, now time.Time) (storage.Account, error) {
	if hook := s.before; hook != nil {
		s.before = nil
		hook()
	}
	return s.Store.Account(ctx, userID, sessionID, now)
}

// A step-up that comes while the predecessor of the current token is answered: the
// predecessor must not yield what came of it.
func TestGraceDoesNotCrossAStepUpInBetween(t *testing.T) {
	f := newFixture(t)
	_, device := f.enrolled("mira", authenticator.Config{})
	first := f.logInForRefresh("mira")
	next := f.refresh(first.RefreshToken)

	c := f.config()
	store := &storeWithHook{Store: f.store}
	c.Store = store
	slow := f.newService(c)
	var full stepkey.Grant
	store.before = func() { full = f.stepUpGrant(next.Caller(), device) }
	got, err := slow.Refresh(t.Context(), first.RefreshToken)
	wantError(t, "the predecessor", err, stepkey.ErrUnauthorized)
	if got.RefreshToken != "" || got.AccessToken != "" {
		t.Errorf("the predecessor got level %s", got.Claims.Level)
	}
	f.refresh(full.RefreshToken) // nor did it end the session
}
