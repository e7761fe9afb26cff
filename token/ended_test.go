package token_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/stepkey/stepkey/token"
)

func endedSessions() token.EndedSessions {
	return token.EndedSessions{
		Issuer: issuer, IssuedAt: now.Unix(), ExpiresAt: now.Add(time.Minute).Unix(),
		From: now.Unix() / 60 * 60, To: now.Unix()/60*60 + 120, Settled: now.Unix() - 15,
		Digest: token.EndedDigest(nil),
	}
}

func TestEndedSessionsVerify(t *testing.T) {
	key, _ := ecdsaKey(t)
	keys := token.NewKeyring(key)
	want := endedSessions()
	raw, err := token.NewSigner(keys).SignEndedSessions(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := verifier(t, keys, now).VerifyEndedSessions(t.Context(), raw)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	want.Digest = "short"
	if _, err := token.NewSigner(keys).SignEndedSessions(want); err == nil {
		t.Error("signed a statement without a digest")
	}
}

func TestEndedSessionsRules(t *testing.T) {
	key, private := ecdsaKey(t)
	v := verifier(t, token.NewKeyring(key), now)
	header := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"ended-sessions+jwt"}`, key.ID())
	minute := now.Unix() / 60 * 60
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
		{"from", nil, token.ReasonClaims},
		{"from", minute + 1, token.ReasonClaims},
		{"from", minute - 60*60, token.ReasonClaims},
		{"from", "now", token.ReasonMalformed},
		{"to", nil, token.ReasonClaims},
		{"to", minute, token.ReasonClaims},
		{"to", minute + 61, token.ReasonClaims},
		{"settled", nil, token.ReasonClaims},
		{"settled", now.Unix() + 1, token.ReasonClaims},
		{"sha256", nil, token.ReasonClaims},
		{"sha256", token.EndedDigest(nil)[1:], token.ReasonClaims},
		{"sha256", token.EndedDigest(nil) + "=", token.ReasonClaims},
	} {
		payload := changed(t, endedSessions(), map[string]any{test.member: test.value})
		_, err := v.VerifyEndedSessions(t.Context(), forge(t, private, header, payload))
		if reasonOf(err) != test.want {
			t.Errorf("%s %v: %v, want refused: %s", test.member, test.value, err, test.want)
		}
	}
	_, err := v.VerifyEndedSessions(t.Context(), strings.Repeat("A", token.MaxBytes+1))
	if reasonOf(err) != token.ReasonSize {
		t.Errorf("too long a statement: %v, want refused: size", err)
	}
}

func TestParseID(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "id"))
		for _, text := range []string{want.String(), strings.ToUpper(want.String())} {
			if got, ok := token.ParseID(text); !ok || uuid.UUID(got) != want {
				rt.Fatalf("%s: %x, %v", text, got, ok)
			}
		}
	})
	const good = "0190b0a1-7c3d-4000-8000-0123456789ab"
	for _, bad := range []string{
		"", good[1:], good + "0", "{" + good + "}", "urn:uuid:" + good, strings.ReplaceAll(good, "-", ""),
		strings.Replace(good, "-", "0", 1), strings.Replace(good, "a", "g", 1), "-" + good[1:], good[:35] + "-",
	} {
		if got, ok := token.ParseID(bad); ok {
			t.Errorf("%q: %x", bad, got)
		}
	}
}

var (
	drawID  = rapid.Custom(func(t *rapid.T) token.ID { return token.ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")) })
	drawIDs = rapid.SliceOfN(drawID, 0, 3)
)

// Written content is read back unchanged, and is refused when bytes are missing or added.
// Arbitrary bytes never make the reader read beyond their end.
func TestEndedContent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var want token.EndedContent
		minute := int64(1)
		for range rapid.IntRange(0, 4).Draw(rt, "minutes") {
			minute += rapid.Int64Range(1, 9).Draw(rt, "step")
			m := token.EndedMinute{Minute: minute, Sessions: drawIDs.Draw(rt, "sessions")}
			for range rapid.IntRange(0, 3).Draw(rt, "users") {
				m.Users = append(m.Users, token.EndedUser{
					User: drawID.Draw(rt, "user"), NotBefore: rapid.Int64().Draw(rt, "nbf"), Except: drawIDs.Draw(rt, "except"),
				})
			}
			want = append(want, m)
		}
		written := want.Append(nil)
		got, err := token.ParseEndedContent(written)
		if err != nil || string(got.Append(nil)) != string(written) || len(got) != len(want) {
			rt.Fatalf("%v: %+v became %+v", err, want, got)
		}
		cut := rapid.IntRange(0, len(written)).Draw(rt, "cut")
		if got, err := token.ParseEndedContent(written[:cut]); err == nil && string(got.Append(nil)) != string(written[:cut]) {
			rt.Fatalf("cut to %d bytes: read %+v", cut, got)
		}
		if _, err := token.ParseEndedContent(append(written, 0)); err == nil {
			rt.Fatal("a byte too many was read")
		}
	})
	for what, content := range map[string]token.EndedContent{
		"a minute twice": {{Minute: 5}, {Minute: 5}},
		"backwards":      {{Minute: 5}, {Minute: 4}},
		"too many":       manyMinutes(33),
	} {
		if _, err := token.ParseEndedContent(content.Append(nil)); err == nil {
			t.Errorf("%s: was read", what)
		}
	}
	if _, err := token.ParseEndedContent(manyMinutes(32).Append(nil)); err != nil {
		t.Errorf("32 minutes: %v", err)
	}
	// Counts that would take gigabytes are refused before anything is allocated.
	huge := binary.BigEndian.AppendUint32(make([]byte, 8), 1<<32-1)
	if allocated := testing.AllocsPerRun(10, func() { _, _ = token.ParseEndedContent(huge) }); allocated > 8 {
		t.Errorf("%v allocations", allocated)
	}
}

func manyMinutes(n int) (c token.EndedContent) {
	for i := range n {
		c = append(c, token.EndedMinute{Minute: int64(i + 1)})
	}
	return c
}
