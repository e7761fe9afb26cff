package storage_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stepkey/stepkey/storage"
)

// The layout is that of RFC 9562 §5.7, and the time and the random bytes are those of its appendix A.6.
func TestNewEventID(t *testing.T) {
	at := time.Date(2022, 2, 22, 19, 22, 22, 0, time.UTC)
	random := bytes.NewReader([]byte{0, 0, 0, 0, 0, 0, 0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f})
	id, err := storage.NewEventID(random, at)
	if want := "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"; err != nil || id.String() != want {
		t.Errorf("NewEventID = %s, %v, want %s", id, err, want)
	}
	out := errors.New("no randomness")
	if _, err := storage.NewEventID(iotest.ErrReader(out), at); !errors.Is(err, out) {
		t.Errorf("NewEventID without randomness: %v", err)
	}
}
