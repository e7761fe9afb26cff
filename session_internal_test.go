package stepkey

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/token"
)

// A proof that lies ahead, because a clock has been set back, is not fresh until then.
func TestFullWithin(t *testing.T) {
	now, passkey := time.Date(2030, 5, 17, 9, 30, 0, 0, time.UTC), uuid.New()
	for _, test := range []struct {
		ago  time.Duration
		want bool
	}{
		{FullWindow, true},
		{FullWindow + time.Second, false},
		{0, true},
		{-token.Leeway, true},
		{-token.Leeway - time.Second, false},
		{-time.Hour, false},
	} {
		at := now.Add(-test.ago)
		if got := fullWithin(Session{FullAt: &at, FullPasskeyID: &passkey}, FullWindow, now); got != test.want {
			t.Errorf("a proof %s ago is fresh: %v, want %v", test.ago, got, test.want)
		}
	}
}
