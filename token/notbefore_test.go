package token_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stepkey/stepkey/token"
)

// A token of any type is refused before its nbf (RFC 7519 §4.1.5), within the leeway, and
// also when it is remembered.
func TestNotBefore(t *testing.T) {
	key, private := ecdsaKey(t)
	keys := token.NewKeyring(key)
	signer := token.NewSigner(keys)
	from := now.Add(45 * time.Second)

	access, action, ended := claims(), actionClaims(), endedSessions()
	access.NotBefore, action.NotBefore, ended.NotBefore = from.Unix(), from.Unix(), from.Unix()
	ended.ExpiresAt = ended.IssuedAt + int64(token.Lifetime.Seconds())
	signed := func(raw string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for what, test := range map[string]struct {
		raw    string
		verify func(*token.Verifier, string) error
	}{
		"access token": {signed(signer.Sign(access)), func(v *token.Verifier, raw string) error {
			_, err := v.Verify(context.Background(), raw)
			return err
		}},
		"action token": {signed(signer.SignAction(action)), func(v *token.Verifier, raw string) error {
			_, err := v.VerifyAction(context.Background(), raw)
			return err
		}},
		"list": {signed(signer.SignEndedSessions(ended)), func(v *token.Verifier, raw string) error {
			_, err := v.VerifyEndedSessions(context.Background(), raw)
			return err
		}},
	} {
		at := from.Add(-token.Leeway)
		v, err := token.NewVerifier(keys, token.Expect{Issuer: issuer, Audience: issuer, Clock: func() time.Time { return at }})
		if err != nil {
			t.Fatal(err)
		}
		if err := test.verify(v, test.raw); err != nil {
			t.Errorf("%s within the leeway of its nbf: %v", what, err)
		}
		at = from.Add(-token.Leeway - time.Second)
		var refusal *token.Error
		if err := test.verify(v, test.raw); !errors.As(err, &refusal) || refusal.Reason != token.ReasonNotYetValid {
			t.Errorf("%s before its nbf: %v, want %s", what, err, token.ReasonNotYetValid)
		}
	}

	for _, nbf := range []string{`"soon"`, `1e400`, `true`} {
		raw := forge(t, private, `{"alg":"ES256","kid":"`+key.ID()+`","typ":"`+token.Type+`"}`, `{"nbf":`+nbf+`}`)
		wantReason(t, "nbf "+nbf, verifier(t, keys, now), raw, token.ReasonMalformed)
	}
}

// A passkey proof that lies ahead would be fresh for longer than any limit.
func TestPasskeyAgeOfAProofAhead(t *testing.T) {
	c := claims()
	for ahead, want := range map[time.Duration]bool{0: true, token.Leeway: true, token.Leeway + time.Second: false, time.Hour: false} {
		c.PasskeyTime = now.Add(ahead).Unix()
		if age, ok := c.PasskeyAge(now); ok != want || age != 0 {
			t.Errorf("%s ahead: %s, %v; want %v", ahead, age, ok, want)
		}
	}
}
