package stepkey_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// refreshModel says what should become of one session, in a few lines that can be
// read beside the rules, whatever anybody does with its tokens.
type refreshModel struct {
	created, lastSeen, rotated   time.Time
	full                         time.Time // zero unless at level full
	everSteppedUp, steppedUpLast bool
	ended                        bool
	generation                   int64
	issued                       map[int64]string // the refresh token of each generation that was given out
	reuses                       int
}

func (m *refreshModel) live(now time.Time) bool {
	return !m.ended && now.Before(m.created.Add(stepkey.SessionLifetime))
}

// verdict is what presenting the token of a generation should come to.
type verdict struct {
	granted bool
	level   token.Level
	token   string // the refresh token that should come back, where it is known
}

func (m *refreshModel) present(generation int64, now time.Time) verdict {
	grace := now.Sub(m.rotated) <= 10*time.Second
	switch {
	case generation == m.generation:
		return m.rotate(now)
	case generation == m.generation-1 && grace && m.live(now):
		return verdict{true, m.level(), m.issued[m.generation]}
	case generation == m.generation-1 && grace, generation == m.generation-2 && m.steppedUpLast && grace:
		return verdict{}
	}
	if m.live(now) {
		m.ended = true
		m.reuses++
	}
	return verdict{}
}

func (m *refreshModel) rotate(now time.Time) verdict {
	idle := now.Sub(m.lastSeen)
	steppedUpInTime := m.everSteppedUp || now.Sub(m.created) < stepkey.NoStepUpLifetime
	if !m.live(now) || idle >= stepkey.SessionIdle || !steppedUpInTime {
		return verdict{}
	}
	if idle >= stepkey.FullIdle || now.Sub(m.full) >= stepkey.FullLifetime {
		m.full = time.Time{}
	}
	m.generation++
	m.lastSeen, m.rotated, m.steppedUpLast = now, now, false
	return verdict{true, m.level(), ""}
}

func (m *refreshModel) level() token.Level {
	if m.full.IsZero() {
		return token.LevelPassword
	}
	return token.LevelFull
}

// TestRefreshModel plays random games with one session's tokens: refresh, retry,
// theft, step-up, revocation and the passing of time.
func TestRefreshModel(t *testing.T) {
	onBoth(t, func(f *fixture) {
		_, device := f.enrolled("mira", authenticator.Config{})
		rapid.Check(f.TB, func(rt *rapid.T) { playRefresh(f, rt, device) })
	})
}

func playRefresh(f *fixture, rt *rapid.T, device *authenticator.Authenticator) {
	f.clock.Advance(time.Second) // of sessions that begin at one moment none is the newest
	g := f.logInForRefresh("mira")
	now := f.clock.Now()
	m := &refreshModel{
		created: now, lastSeen: now, rotated: now, generation: 1, issued: map[int64]string{1: g.RefreshToken},
	}
	claims, reusesBefore := g.Caller(), f.events(storage.EventRefreshReused)

	present := func(generation int64) {
		want := m.present(generation, f.clock.Now())
		got, err := f.service.Refresh(f.Context(), m.issued[generation])
		if want.granted != (err == nil) || got.Claims.Level != want.level || (want.token != "" && got.RefreshToken != want.token) {
			rt.Fatalf("generation %d of %d: level %q, %v; want %+v", generation, m.generation, got.Claims.Level, err, want)
		}
		if err == nil {
			m.issued[m.generation], claims = got.RefreshToken, got.Caller()
		}
	}
	rt.Repeat(map[string]func(*rapid.T){
		"refresh": func(*rapid.T) { present(m.generation) },
		"retry": func(rt *rapid.T) {
			if _, ok := m.issued[m.generation-1]; !ok {
				rt.Skip("there is no predecessor")
			}
			present(m.generation - 1)
		},
		"steal": func(rt *rapid.T) {
			var all []int64
			for generation := range m.generation + 1 {
				if m.issued[generation] != "" {
					all = append(all, generation)
				}
			}
			present(rapid.SampledFrom(all).Draw(rt, "generation"))
		},
		"step up": func(*rapid.T) {
			now := f.clock.Now()
			options, err := f.service.BeginStepUp(f.Context(), claims, nil)
			live := m.live(now) && now.Before(time.Unix(claims.Claims().ExpiresAt, 0).Add(token.Leeway))
			if live != (err == nil) {
				rt.Fatalf("BeginStepUp: %v, want session and token to be live: %v", err, live)
			}
			if err != nil {
				return
			}
			got, err := f.service.FinishStepUp(f.Context(), claims, f.got(device, f.marshal(options)))
			if err != nil || got.Claims.Level != token.LevelFull {
				rt.Fatalf("FinishStepUp: %v", err)
			}
			m.generation += 2
			m.full, m.lastSeen, m.rotated, m.everSteppedUp, m.steppedUpLast = now, now, now, true, true
			m.issued[m.generation], claims = got.RefreshToken, got.Caller()
		},
		"revoke": func(rt *rapid.T) {
			if rapid.IntRange(0, 9).Draw(rt, "one in ten") > 0 {
				rt.Skip("most games go on")
			}
			if err := f.service.Revoke(f.Context(), m.issued[m.generation], one); err != nil {
				rt.Fatal(err)
			}
			m.ended = m.ended || m.live(f.clock.Now())
		},
		"time passes": func(rt *rapid.T) {
			f.clock.Advance(rapid.SampledFrom([]time.Duration{
				time.Microsecond, time.Second, 9 * time.Second, 10 * time.Second, 11 * time.Second, time.Minute,
				14 * time.Minute, 15 * time.Minute, 59 * time.Minute, time.Hour, 6 * time.Hour, 12 * time.Hour,
				6 * 24 * time.Hour, 7 * 24 * time.Hour,
			}).Draw(rt, "time"))
		},
		"": func(rt *rapid.T) {
			if got := f.events(storage.EventRefreshReused) - reusesBefore; got != m.reuses {
				rt.Fatalf("%d reuses recorded, want %d", got, m.reuses)
			}
		},
	})
}
