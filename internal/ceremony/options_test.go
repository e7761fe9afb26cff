package ceremony_test

import (
	"bytes"
	stdjson "encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/internal/ceremony"
)

// The options are an API: browsers parse them, and clients of the NestJS demo
// read members of them. Both JSON encoders must agree.
func TestOptionsJSON(t *testing.T) {
	rp, err := ceremony.New(ceremony.Config{
		RPID:    "example.com",
		RPName:  "Example",
		Origins: []string{"https://example.com"},
		Timeout: time.Minute,
		Random:  bytes.NewReader(make([]byte, 4*32)),
	})
	if err != nil {
		t.Fatal(err)
	}
	u := ceremony.User{Handle: []byte{0xff, 0xfe}, Name: "a@example.com", DisplayName: "A"}
	known := []ceremony.Credential{
		{ID: []byte("0123456789abcdef"), Transports: []string{"usb", "nfc"}},
		{ID: []byte("fedcba9876543210")},
	}
	const challenge = `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`
	const descriptors = `[{"id":"MDEyMzQ1Njc4OWFiY2RlZg","type":"public-key","transports":["usb","nfc"]},{"id":"ZmVkY2JhOTg3NjU0MzIxMA","type":"public-key"}]`
	creationWith := func(exclude string) string {
		return `{"challenge":` + challenge + `,"rp":{"name":"Example","id":"example.com"},` +
			`"user":{"id":"__4","name":"a@example.com","displayName":"A"},` +
			`"pubKeyCredParams":[{"alg":-7,"type":"public-key"},{"alg":-8,"type":"public-key"},{"alg":-257,"type":"public-key"}],` +
			`"timeout":60000,"attestation":"none","excludeCredentials":` + exclude + `,` +
			`"authenticatorSelection":{"residentKey":"preferred","requireResidentKey":false,"userVerification":"required"},` +
			`"extensions":{"credProps":true},"hints":[]}`
	}

	first, _, err := rp.BeginRegistration(u, nil)
	if err != nil {
		t.Fatal(err)
	}
	further, _, err := rp.BeginRegistration(u, known)
	if err != nil {
		t.Fatal(err)
	}
	request, _, err := rp.BeginAssertion(u, known)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name    string
		options any
		want    string
	}{
		{"first passkey", first, creationWith("[]")},
		{"further passkey", further, creationWith(descriptors)},
		{"request", request, `{"rpId":"example.com","challenge":` + challenge + `,"allowCredentials":` + descriptors + `,"timeout":60000,"userVerification":"required"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, string(mustJSON(t, row.options))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			standard, err := stdjson.Marshal(row.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, string(standard)); diff != "" {
				t.Errorf("encoding/json (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimeoutDefault(t *testing.T) {
	rp := newRelyingParty(t)
	options, _, err := rp.BeginRegistration(alice(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if options.Timeout != 300_000 {
		t.Errorf("timeout %d ms, want five minutes", options.Timeout)
	}
}
