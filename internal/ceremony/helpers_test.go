package ceremony_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/webauthn"
)

const (
	rpID   = "example.com"
	origin = "https://login.example.com"
	app    = "android:apk-key-hash:-_8jcJtgyfrbH09yT3MOOxaQvYBN2iI4VUdL3lqkfpE"
)

func newRelyingParty(t testing.TB) *ceremony.RelyingParty {
	t.Helper()
	rp, err := ceremony.New(ceremony.Config{
		RPID:    rpID,
		RPName:  "Example",
		Origins: []string{origin, "https://example.com:8443", app},
	})
	if err != nil {
		t.Fatal(err)
	}
	return rp
}

func alice() ceremony.User {
	return ceremony.User{Handle: []byte("0123456789abcdef0123456789abcdef"), Name: "alice@example.com", DisplayName: "Alice"}
}

// verdict is what became of a response: accepted when it is zero.
type verdict struct {
	kind   ceremony.Kind
	reason ceremony.Reason
}

// undecodable is the verdict over a body that does not even decode into
// Registration or Assertion. It is the caller's 400.
const undecodable ceremony.Reason = "undecodable"

func judge(t testing.TB, err error) verdict {
	t.Helper()
	if err == nil {
		return verdict{}
	}
	var e *ceremony.Error
	if !errors.As(err, &e) {
		t.Fatalf("the error is %T, want *ceremony.Error: %v", err, err)
	}
	return verdict{e.Kind, e.Reason}
}

// mustJSON marshals as the HTTP layer does.
func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// through sends a state through its encoding, as a store does.
func through[S interface {
	MarshalBinary() ([]byte, error)
}, P interface {
	*S
	UnmarshalBinary([]byte) error
}](t testing.TB, s S) S {
	t.Helper()
	data, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var decoded S
	if err := P(&decoded).UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// tryRegister runs a whole registration with a departure from honesty.
func tryRegister(t testing.TB, rp *ceremony.RelyingParty, a *authenticator.Authenticator, h authenticator.Hostile, edit func([]byte) []byte) (ceremony.Credential, verdict) {
	t.Helper()
	options, state, err := rp.BeginRegistration(alice(), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := a.CreateWith(origin, mustJSON(t, options), h)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		body = edit(body)
	}
	var r webauthn.RegistrationResponse
	if err := json.Unmarshal(body, &r); err != nil {
		return ceremony.Credential{}, verdict{ceremony.Malformed, undecodable}
	}
	credential, err := rp.FinishRegistration(alice(), through(t, state), r)
	return credential, judge(t, err)
}

func register(t testing.TB, rp *ceremony.RelyingParty, a *authenticator.Authenticator) ceremony.Credential {
	t.Helper()
	credential, got := tryRegister(t, rp, a, authenticator.Hostile{}, nil)
	if got != (verdict{}) {
		t.Fatalf("an honest registration was %v", got)
	}
	return credential
}

// tryAssert runs a whole assertion with a departure from honesty. The offered
// credentials are the owned ones unless told otherwise.
func tryAssert(t testing.TB, rp *ceremony.RelyingParty, a *authenticator.Authenticator, offered, owned []ceremony.Credential, h authenticator.Hostile, edit func([]byte) []byte) (ceremony.Asserted, verdict) {
	t.Helper()
	options, state, err := rp.BeginAssertion(alice(), offered)
	if err != nil {
		t.Fatal(err)
	}
	body, err := a.GetWith(origin, mustJSON(t, options), h)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		body = edit(body)
	}
	var response webauthn.AuthenticationResponse
	if err := json.Unmarshal(body, &response); err != nil {
		return ceremony.Asserted{}, verdict{ceremony.Malformed, undecodable}
	}
	asserted, err := rp.FinishAssertion(alice(), through(t, state), owned, response)
	return asserted, judge(t, err)
}

// set returns a hook that sets members of the client data.
func set(name string, value any) func(map[string]any) {
	return func(members map[string]any) { members[name] = value }
}

func drop(name string) func(map[string]any) {
	return func(members map[string]any) { delete(members, name) }
}

// swap returns a hook that replaces the first occurrence of old, which must be
// there.
func swap(t testing.TB, old, new string) func([]byte) []byte {
	return func(raw []byte) []byte {
		t.Helper()
		if !bytes.Contains(raw, []byte(old)) {
			t.Fatalf("%q is not in %q", old, raw)
		}
		return bytes.Replace(raw, []byte(old), []byte(new), 1)
	}
}

// inResponse returns a hook for the member response of the answer.
func inResponse(hook func(map[string]any)) func(map[string]any) {
	return func(members map[string]any) { hook(members["response"].(map[string]any)) }
}
