package token_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stepkey/stepkey/token"
)

func actionClaims() token.ActionClaims {
	return token.ActionClaims{
		Issuer: issuer, Audience: []string{issuer}, Subject: "user", SessionID: "session", ID: "action",
		IssuedAt: now.Unix(), ExpiresAt: now.Add(token.ActionLifetime).Unix(),
		Act: token.ActClaim{Name: payout().Name, Digest: payout().Digest()}, PasskeyTime: now.Unix(),
	}
}

func signAction(t *testing.T, keys *token.Keyring) string {
	t.Helper()
	raw, err := token.NewSigner(keys).SignAction(actionClaims())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func reasonOf(err error) token.Reason {
	var refusal *token.Error
	if !errors.As(err, &refusal) {
		return token.Reason(fmt.Sprint(err))
	}
	return refusal.Reason
}

func TestActionTokenVerifies(t *testing.T) {
	ec, _ := ecdsaKey(t)
	for _, key := range []token.SigningKey{ec, ed25519Key(t), secretKey(t)} {
		keys := token.NewKeyring(key)
		got, err := verifier(t, keys, now).VerifyAction(t.Context(), signAction(t, keys))
		if diff := cmp.Diff(actionClaims(), got); err != nil || diff != "" {
			t.Errorf("%v: %v\n%s", key, err, diff)
		}
	}
}

// A token of one type is refused where another type is expected, no matter who signed it.
func TestTypesAreApart(t *testing.T) {
	key, _ := ecdsaKey(t)
	keys := token.NewKeyring(key)
	v, signer := verifier(t, keys, now), token.NewSigner(keys)
	list, err := signer.SignEndedSessions(endedSessions())
	if err != nil {
		t.Fatal(err)
	}
	raws := map[string]string{"access": sign(t, keys, claims()), "action": signAction(t, keys), "list": list}
	for kind, verify := range map[string]func(string) error{
		"access": func(raw string) error { _, err := v.Verify(t.Context(), raw); return err },
		"action": func(raw string) error { _, err := v.VerifyAction(t.Context(), raw); return err },
		"list":   func(raw string) error { _, err := v.VerifyEndedSessions(t.Context(), raw); return err },
	} {
		for other, raw := range raws {
			err := verify(raw)
			if kind == other && err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			if kind != other && reasonOf(err) != token.ReasonType {
				t.Errorf("%s in place of %s: %v, want refused: type", other, kind, err)
			}
		}
	}
}

func TestActionTokenRules(t *testing.T) {
	key, private := ecdsaKey(t)
	v := verifier(t, token.NewKeyring(key), now)
	header := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"action+jwt"}`, key.ID())
	digest := payout().Digest()
	act := func(name, digest string) map[string]any { return map[string]any{"name": name, "digest": digest} }
	for _, test := range []struct {
		member string
		value  any
		want   token.Reason
	}{
		{"iss", "https://evil.example", token.ReasonIssuer},
		{"iss", nil, token.ReasonClaims},
		{"aud", "https://evil.example", token.ReasonAudience},
		{"aud", nil, token.ReasonClaims},
		{"sub", nil, token.ReasonClaims},
		{"sid", nil, token.ReasonClaims},
		{"jti", nil, token.ReasonClaims},
		{"jti", strings.Repeat("i", 65), token.ReasonClaims},
		{"iat", nil, token.ReasonClaims},
		{"iat", now.Add(31 * time.Second).Unix(), token.ReasonNotYetValid},
		{"exp", nil, token.ReasonClaims},
		{"exp", now.Add(-31 * time.Second).Unix(), token.ReasonExpired},
		{"exp", now.Add(61 * time.Second).Unix(), token.ReasonClaims},
		{"passkey_time", nil, token.ReasonClaims},
		{"act", nil, token.ReasonClaims},
		{"act", "payout.create", token.ReasonMalformed},
		{"act", act("", digest), token.ReasonClaims},
		{"act", act("Payout", digest), token.ReasonClaims},
		{"act", act("payout.create", ""), token.ReasonClaims},
		{"act", act("payout.create", digest[:42]), token.ReasonClaims},
		{"act", act("payout.create", digest+"="), token.ReasonClaims},
		{"act", map[string]any{"name": "payout.create", "digest": digest, "act": map[string]any{}}, token.ReasonMalformed},
		{"other", map[string]any{}, token.ReasonMalformed},
	} {
		payload := changed(t, actionClaims(), map[string]any{test.member: test.value})
		_, err := v.VerifyAction(t.Context(), forge(t, private, header, payload))
		if reasonOf(err) != test.want {
			t.Errorf("%s %v: %v, want refused: %s", test.member, test.value, err, test.want)
		}
	}
	twice := strings.Replace(changed(t, actionClaims(), nil), `"name":`, `"name":"logout.all","name":`, 1)
	if _, err := v.VerifyAction(t.Context(), forge(t, private, header, twice)); reasonOf(err) != token.ReasonMalformed {
		t.Errorf("two names in act: %v, want refused: malformed", err)
	}
}

func TestSignActionRefusesWhatItsVerifierWould(t *testing.T) {
	key, _ := ecdsaKey(t)
	c := actionClaims()
	c.ExpiresAt++
	if raw, err := token.NewSigner(token.NewKeyring(key)).SignAction(c); err == nil || raw != "" {
		t.Error("signed one that lives too long")
	}
}
