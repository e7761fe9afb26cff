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
	for ago, want := range map[time.Duration]bool{
		FullWindow: true, FullWindow + time.Second: false, 0: true,
		-token.Leeway: true, -token.Leeway - time.Second: false, -time.Hour: false,
	} {
		at := now.Add(-ago)
		if got := fullWithin(Session{FullAt: &at, FullPasskeyID: &passkey}, FullWindow, now); got != want {
			t.Errorf("a proof %s ago is fresh: %v, want %v", ago, got, want)
		}
	}
}
