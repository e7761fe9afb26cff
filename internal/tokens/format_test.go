package tokens

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/storage"
)

// Tokens that earlier versions issued, computed from the documented formats by a program
// of its own. They have to stay valid.
const (
	issuedRefresh = "rt2.EBESExQVFhcYGRobHB0eHwAAAAAAAAADQEFCQ0RFRkdISUpLTE1OT9AdyH3RVp_heYuEiBYwoHX-dXD0vQj4vuwpsyvj547-"
	oldRefresh    = "rt1.EBESExQVFhcYGRobHB0eHwAAAAAAAAADgjmgl7uaOqeERWNTzczd6-c1ZbANMCR-1_eH_O0Ebb8"
	issuedDevice  = "dv1.EBESExQVFhcYGRobHB0eHwAAAAIAAAAAcckmgGBhYmNkZWZnaGlqa2xtbm_3FrwyIV0tj52_Xvmtqgt0NuWD67kH1kN_cKZDKKMm9A"
)

// counting returns n bytes that count up from the first.
func counting(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func testRoot(t *testing.T) secret.Root {
	t.Helper()
	root, err := secret.NewRoot(bytes.NewReader(counting(7, secret.RootBytes)))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestRefreshTokenFormat(t *testing.T) {
	refresh := NewRefreshTokens(testRoot(t))
	session := storage.Session{
		ID: uuid.UUID(counting(0x10, 16)), Generation: 3, Salt: counting(0x40, RefreshSaltBytes), Refresh: storage.RefreshBody,
	}
	if got := refresh.Current(session); got != issuedRefresh {
		t.Errorf("the token is %s, want %s", got, issuedRefresh)
	}
	for _, issued := range []string{issuedRefresh, oldRefresh} {
		r, ok := refresh.Parse(issued)
		if !ok || r.SessionID != session.ID || r.Generation != 3 || !refresh.Genuine(r, session) {
			t.Fatalf("%s reads as %+v, %v", issued, r, ok)
		}
		if current := issued == issuedRefresh; bytes.Equal(r.Salt, session.Salt) != current {
			t.Errorf("%s has the salt %x", issued, r.Salt)
		}
		later := session
		later.Generation = 9
		if !refresh.Genuine(r, later) {
			t.Errorf("%s: not genuine in a later generation", issued)
		}
		for name, change := range map[string]func(*storage.Session){
			"another session": func(s *storage.Session) { s.ID[0]++ },
			"another salt":    func(s *storage.Session) { s.Salt = counting(0x41, RefreshSaltBytes) },
			"no refresh":      func(s *storage.Session) { s.Refresh = storage.RefreshNone },
		} {
			s := session
			change(&s)
			if refresh.Genuine(r, s) {
				t.Errorf("%s, %s: genuine", issued, name)
			}
		}
	}
	if old, _ := refresh.Parse(oldRefresh); refresh.Genuine(RefreshToken{SessionID: session.ID, Generation: 4, mac: old.mac}, session) {
		t.Error("an old token with another generation is genuine")
	}
}

func TestDeviceTokenFormat(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	nonce := counting(0x60, DeviceNonceBytes)
	devices := NewDeviceTokens(testRoot(t), bytes.NewReader(nonce))
	mira := storage.User{ID: uuid.UUID(counting(0x10, 16)), PasswordVersion: 2}
	issued, until, err := devices.Issue(mira, nil, now)
	if err != nil || issued != issuedDevice || !until.Equal(now.Add(DeviceLifetime)) {
		t.Fatalf("the token is %s until %s, %v; want %s", issued, until, err, issuedDevice)
	}
	d, known := devices.Known([]string{"", issuedRefresh, issuedDevice}, mira, now)
	if !known || !bytes.Equal(d.Nonce[:], nonce) {
		t.Fatalf("an issued token reads as %+v, %v", d, known)
	}
	again, _, err := devices.Issue(mira, &d.Nonce, now)
	if err != nil || again != issuedDevice {
		t.Errorf("issued again for the same device: %s, %v", again, err)
	}
	if got := devices.Digests([]string{issuedDevice})[mira.ID.String()]; !bytes.Equal(got, d.Digest()) {
		t.Errorf("the digest is %x, want %x", got, d.Digest())
	}
	for name, test := range map[string]struct {
		texts []string
		user  storage.User
		at    time.Time
	}{
		"expired":              {[]string{issuedDevice}, mira, until},
		"the password changed": {[]string{issuedDevice}, storage.User{ID: mira.ID, PasswordVersion: 3}, now},
		"another user":         {[]string{issuedDevice}, storage.User{PasswordVersion: 2}, now},
		"too many before it":   {append(make([]string, MaxDevices), issuedDevice), mira, now},
	} {
		if _, known := devices.Known(test.texts, test.user, test.at); known {
			t.Errorf("%s: known", name)
		}
	}
}

// A token has one spelling, and every bit of it counts.
func TestChangedTokensAreRefused(t *testing.T) {
	root := testRoot(t)
	refresh, devices := NewRefreshTokens(root), NewDeviceTokens(root, nil)
	session := storage.Session{
		ID: uuid.UUID(counting(0x10, 16)), Salt: counting(0x40, RefreshSaltBytes), Refresh: storage.RefreshBody,
	}
	genuine := func(text string) bool {
		r, ok := refresh.Parse(text)
		_, device := devices.Digests([]string{text})[uuid.UUID(counting(0x10, 16)).String()]
		return device || (ok && r.SessionID == session.ID && refresh.Genuine(r, session))
	}
	for _, issued := range []string{issuedRefresh, oldRefresh, issuedDevice} {
		if !genuine(issued) {
			t.Fatalf("%s is refused as it was issued", issued)
		}
		changed := []string{
			issued[1:], issued + "A", issued + "=", " " + issued, issued[:len(issued)-1],
			issued[:20] + "\n" + issued[21:], issued[:20] + "\r" + issued[20:],
			issued[:4] + strings.Repeat("\n", len(issued)-4), // base64 skips them all
			strings.ToUpper(issued[:4]) + issued[4:], "xx1." + issued[4:], "",
		}
		for i := range issued {
			other := []byte(issued)
			other[i] = 'A'
			if issued[i] == 'A' {
				other[i] = 'B'
			}
			changed = append(changed, string(other))
		}
		if i := slices.IndexFunc(changed, genuine); i >= 0 {
			t.Errorf("%q passes as %s", changed[i], issued)
		}
	}
}
