package token_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stepkey/stepkey/token"
)

func endedSessions(ids ...string) token.EndedSessions {
	return token.EndedSessions{
		Issuer: issuer, IssuedAt: now.Unix(), ExpiresAt: now.Add(time.Minute).Unix(), SessionIDs: append([]string{}, ids...),
	}
}

func TestEndedSessionsVerify(t *testing.T) {
	key, _ := ecdsaKey(t)
	keys := token.NewKeyring(key)
	full := make([]string, 4500) // more than fits a token, and as many as fit a list
	for i := range full {
		full[i] = fmt.Sprintf("0190b0a1-0000-7000-8000-%012d", i)
	}
	for _, want := range []token.EndedSessions{endedSessions(), endedSessions("one", "two"), endedSessions(full...)} {
		raw, err := token.NewSigner(keys).SignEndedSessions(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := verifier(t, keys, now).VerifyEndedSessions(t.Context(), raw)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%d sessions: %v\n%s", len(want.SessionIDs), err, diff)
		}
	}
	none := endedSessions()
	none.SessionIDs = nil
	if _, err := token.NewSigner(keys).SignEndedSessions(none); err != nil {
		t.Errorf("nil: %v, want an empty list", err)
	}
	if _, err := token.NewSigner(keys).SignEndedSessions(endedSessions(append(full, full...)...)); err == nil {
		t.Error("signed a list that is too long")
	}
}

func TestEndedSessionsRules(t *testing.T) {
	key, private := ecdsaKey(t)
	v := verifier(t, token.NewKeyring(key), now)
	header := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"ended-sessions+jwt"}`, key.ID())
	for _, test := range []struct {
		member string
		value  any
		want   token.Reason
	}{
		{"iss", "https://evil.example", token.ReasonIssuer},
		{"iss", nil, token.ReasonClaims},
		{"iat", nil, token.ReasonClaims},
		{"iat", now.Add(31 * time.Second).Unix(), token.ReasonNotYetValid},
		{"exp", nil, token.ReasonClaims},
		{"exp", now.Add(-31 * time.Second).Unix(), token.ReasonExpired},
		{"exp", now.Add(token.Lifetime + time.Second).Unix(), token.ReasonClaims},
		{"sids", nil, token.ReasonClaims},
		{"sids", "one", token.ReasonMalformed},
		{"sids", []any{"one", 2}, token.ReasonMalformed},
		{"sids", []any{""}, token.ReasonClaims},
		{"sids", []any{strings.Repeat("s", 129)}, token.ReasonClaims},
	} {
		payload := changed(t, endedSessions("one"), map[string]any{test.member: test.value})
		_, err := v.VerifyEndedSessions(t.Context(), forge(t, private, header, payload))
		if reasonOf(err) != test.want {
			t.Errorf("%s %v: %v, want refused: %s", test.member, test.value, err, test.want)
		}
	}
	_, err := v.VerifyEndedSessions(t.Context(), strings.Repeat("A", token.MaxEndedSessionsBytes+1))
	if reasonOf(err) != token.ReasonSize {
		t.Errorf("too long a list: %v, want refused: size", err)
	}
}
