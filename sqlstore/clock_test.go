package sqlstore

import (
	"testing"
	"time"
)

// An instance whose own clock is wrong goes by the server's.
func TestFollowerGoesByTheServer(t *testing.T) {
	local := time.Now()
	for _, skew := range []time.Duration{-10 * time.Minute, 0, 10 * time.Minute} {
		f := &follower{}
		f.last.Store(&reading{server: local.Add(skew), local: local})
		before := time.Now().Add(skew)
		got := f.now()
		after := time.Now().Add(skew)
		if got.Before(before) || got.After(after) {
			t.Errorf("server ahead by %s: now is %s, want between %s and %s", skew, got, before, after)
		}
	}
}
