package stepkey_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// Whatever is recorded meanwhile, pages make up the whole of one's own events.
func TestEvents(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, device := f.enrolled("mira", authenticator.Config{})
		noors, _ := f.enrolled("noor", authenticator.Config{})
		claims = f.stepUp(claims, device)
		f.clock.Advance(time.Second)
		read := func(c stepkey.Caller, before *stepkey.EventPlace, limit int) (kinds []stepkey.EventKind, next *stepkey.EventPlace) {
			f.Helper()
			events, next, err := f.service.Events(f.Context(), c, before, limit)
			if err != nil {
				f.Fatal(err)
			}
			for _, event := range events {
				kinds = append(kinds, event.Kind)
				if event.UserID.String() != c.Claims().Subject {
					f.Errorf("somebody else's event: %+v", event)
				}
			}
			return kinds, next
		}
		all, next := read(claims, nil, 5)
		if len(all) != 5 || next != nil {
			f.Errorf("%v, next %+v; want all that there is, and no more", all, next)
		}
		newest, next := read(claims, nil, 2)
		if next == nil {
			f.Fatal("no next of two out of five")
		}
		f.logIn("mira") // moves nothing behind the place
		rest, end := read(claims, next, 3)
		if diff := cmp.Diff(all, append(newest, rest...)); diff != "" || end != nil {
			f.Errorf("next %+v, in pages (-all +pages):\n%s", end, diff)
		}
		read(noors, nil, stepkey.MaxEvents)
		for _, limit := range []int{-1, 0, stepkey.MaxEvents + 1} {
			_, _, err := f.service.Events(f.Context(), claims, nil, limit)
			wantError(f.TB, "a limit out of bounds", err, stepkey.ErrInvalidRequest)
		}
		wantError(f.TB, "LogOut", f.service.LogOut(f.Context(), claims), nil)
		_, _, err := f.service.Events(f.Context(), claims, nil, 1)
		wantError(f.TB, "a session that has ended", err, stepkey.ErrUnauthorized)
	})
}
