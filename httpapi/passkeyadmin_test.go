package httpapi

import (
	"net/http"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/ceremony"
)

// An unknown value is null, and not "this device only".
func TestListedPasskey(t *testing.T) {
	id := uuid.MustParse("0b7ae4ab-5a6f-4e2b-8a5a-6f4f8a3c9d10")
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	const head = `{"id":"0b7ae4ab-5a6f-4e2b-8a5a-6f4f8a3c9d10","name":"Phone",`
	const tail = `"createdAt":"2030-01-02T03:04:05Z","lastUsedAt":`
	for name, test := range map[string]struct {
		credential ceremony.Credential
		usedAt     *time.Time
		want       string
	}{
		"imported and not used": {
			ceremony.Credential{ID: []byte{0xfb, 0xff}},
			nil,
			head + `"backupEligible":null,"synced":null,"transports":[],"credentialId":"-_8",` + tail + `null}`,
		},
		"of this device only": {
			ceremony.Credential{ID: []byte{1}, Flags: 0x05, Transports: []string{"usb"}},
			&at,
			head + `"backupEligible":false,"synced":false,"transports":["usb"],"credentialId":"AQ",` + tail + `"2030-01-02T03:04:05Z"}`,
		},
		"not synced yet": {
			ceremony.Credential{ID: []byte{1}, Flags: 0x0d},
			nil,
			head + `"backupEligible":true,"synced":false,"transports":[],"credentialId":"AQ",` + tail + `null}`,
		},
		"synced": {
			ceremony.Credential{ID: []byte{1}, Flags: 0x1d, AAGUID: uuid.MustParse("bada5566-a7aa-401f-bd96-45619a55120d")},
			nil,
			head + `"provider":"1Password","backupEligible":true,"synced":true,"transports":[],"credentialId":"AQ",` + tail + `null}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := stepkey.Passkey{ID: id, Name: "Phone", Credential: test.credential, CreatedAt: at, LastUsedAt: test.usedAt}
			got, err := json.Marshal(listedOne(p))
			if diff := cmp.Diff(test.want, string(got)); err != nil || diff != "" {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
		})
	}
}

// The hundred of an address grow by one a second meanwhile.
func TestPasskeyLogInAnswers429(t *testing.T) {
	h := limited(t)
	for range 1000 {
		r := send(h, "POST", "/passkeys/login/options", "")
		if r.StatusCode == 200 {
			continue
		}
		wantStatus(t, "too many", r, 429, "rate_limited")
		if r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		return
	}
	t.Error("a thousand were answered")
}

// Password managers are sent to the account page only where there is one.
func TestWellKnownAddressesNeedPages(t *testing.T) {
	service := newService(t)
	for path, want := range map[string]int{"/.well-known/passkey-endpoints": 200, "/.well-known/change-password": 302} {
		without := newHandler(service, Options{})
		wantStatus(t, path+" without pages", send(without, "GET", path, ""), 404, "not_found")
		with := newHandler(service, Options{Pages: http.NotFoundHandler()})
		if got := send(with, "GET", path, ""); got.StatusCode != want {
			t.Errorf("%s with pages: %d, want %d", path, got.StatusCode, want)
		}
	}
}
