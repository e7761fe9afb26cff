package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
)

// A caller's deadline ends an operation; that the caller has gone does not.
func TestDeadlineOfTheCaller(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		store := open(t, empty(t).url, nil)
		passed, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		gone, leave := context.WithCancel(t.Context())
		leave()
		for _, test := range []struct {
			name string
			ctx  context.Context
			want error
		}{{"deadline", passed, stepkey.ErrUnavailable}, {"cancelled", gone, stepkey.ErrNotFound}} {
			if _, err := store.UserByName(test.ctx, "nobody"); !errors.Is(err, test.want) {
				t.Errorf("%s: UserByName: %v, want %v", test.name, err, test.want)
			}
			err := store.InTx(test.ctx, func(stepkey.Tx) error { return stepkey.ErrNotFound })
			if !errors.Is(err, test.want) {
				t.Errorf("%s: InTx: %v, want %v", test.name, err, test.want)
			}
		}
	})
}
