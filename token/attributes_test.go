package token_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/token"
)

func TestGroupsAreCanonical(t *testing.T) {
	many := make([]string, token.MaxGroups+1)
	for i := range many {
		many[i] = fmt.Sprint("g", i)
	}
	for _, test := range []struct {
		names []string
		want  token.Groups
		fails bool
	}{
		{nil, "", false},
		{[]string{"ops", "dev", "ops"}, "dev ops", false},
		{[]string{"team-a.b_c9"}, "team-a.b_c9", false},
		{[]string{strings.Repeat("g", token.MaxGroupBytes)}, token.Groups(strings.Repeat("g", token.MaxGroupBytes)), false},
		{[]string{strings.Repeat("g", token.MaxGroupBytes+1)}, "", true},
		{many, "", true},
		{[]string{""}, "", true},
		{[]string{"a b"}, "", true},
		{[]string{"a,b"}, "", true},
		{[]string{"Ops"}, "", true},
		{[]string{"-ops"}, "", true},
		{[]string{"öps"}, "", true},
	} {
		got, err := token.NewGroups(test.names)
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("%q: %q, %v; want %q, an error: %v", test.names, got, err, test.want, test.fails)
		}
		if again, err := token.NewGroups(got.Names()); again != got || err != nil {
			t.Errorf("%q again: %q, %v", got, again, err)
		}
	}
}

func TestOwnClaimsAreCanonical(t *testing.T) {
	value := strings.Repeat("v", token.MaxClaimBytes)
	for _, test := range []struct {
		claims map[string]string
		want   token.OwnClaims
		fails  bool
	}{
		{nil, "", false},
		{map[string]string{"name": "Mira <é>", "locale": "de"}, `{"locale":"de","name":"Mira \u003cé\u003e"}`, false},
		{map[string]string{"name": ""}, "", true},
		{map[string]string{"name": value + "v"}, "", true},
		{map[string]string{"a": value, "b": value}, "", true},
		{map[string]string{"name": "a\nb"}, "", true},
		{map[string]string{"name": "\xff"}, "", true},
		{map[string]string{"Name": "x"}, "", true},
		{map[string]string{"": "x"}, "", true},
		{map[string]string{strings.Repeat("n", token.MaxClaimNameBytes+1): "x"}, "", true},
	} {
		got, err := token.NewOwnClaims(test.claims)
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("%q: %q, %v; want %q, an error: %v", test.claims, got, err, test.want, test.fails)
		}
		if err == nil && !maps.Equal(got.Map(), test.claims) {
			t.Errorf("%q: %q", test.claims, got.Map())
		}
	}
}

// No own claim can have the name of a member that tokens or assertions have already.
func TestNoOwnClaimIsNamedLikeAMember(t *testing.T) {
	c := claims()
	c.Groups, c.AttributesVersion, c.NotBefore = []string{"ops"}, 1, 1
	for name := range object(t, c) {
		if token.CheckClaimName(name) == nil || token.CheckClaimName(strings.ToLower(name)) == nil {
			t.Errorf("an own claim can have the name %s", name)
		}
	}
	for name := range object(t, assertionClaims()) {
		if name != "department" && token.CheckClaimName(name) == nil {
			t.Errorf("an own claim can have the name %s", name)
		}
	}
	for _, name := range []string{"act", "active", "email", "role", "scope", "token_type", "toe", "username"} {
		if token.CheckClaimName(name) == nil {
			t.Errorf("an own claim can have the name %s", name)
		}
	}
	keys := token.NewKeyring(secretKey(t))
	c.OwnClaims = map[string]string{"sub": "somebody else"}
	if _, err := token.NewSigner(keys).Sign(c); err == nil {
		t.Error("a token with a second sub was signed")
	}
}

func TestGroupsAndOwnClaimsAreInTheToken(t *testing.T) {
	keys := token.NewKeyring(secretKey(t))
	c := claims()
	c.Groups, c.OwnClaims, c.AttributesVersion = []string{"dev", "ops"}, map[string]string{"department": "R&D"}, 7
	raw := sign(t, keys, c)
	v := verifier(t, keys, now)
	for range 2 { // the second time from the cache
		got, err := v.Verify(t.Context(), raw)
		if diff := cmp.Diff(c, got); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
		if department, ok := got.Claim("department"); !ok || department != "R&D" || !got.InGroup("ops") || got.InGroup("op") {
			t.Errorf("%q, %v", department, ok)
		}
		got.Groups[0], got.OwnClaims["department"] = "changed", "changed"
	}
}

// The largest token that the bounds allow is far from the limit of a verifier.
func TestSizeOfTheLargestToken(t *testing.T) {
	key, _ := ecdsaKey(t)
	c, a := claims(), assertionClaims()
	groups := make([]string, token.MaxGroups)
	for i := range groups {
		groups[i] = fmt.Sprintf("g%012d", i) // 32 names of 13 bytes, and 31 spaces: 447 bytes
	}
	canonical, err := token.NewGroups(groups)
	if err != nil || len(canonical) < token.MaxGroupsBytes-1 {
		t.Fatal(len(canonical), err)
	}
	own := map[string]string{"department": strings.Repeat("d", token.MaxClaimBytes), "locale": strings.Repeat("l", 99)}
	if text, err := token.NewOwnClaims(own); err != nil || len(text) != token.MaxClaimsBytes {
		t.Fatal(len(text), err)
	}
	site := "https://" + strings.Repeat("a", 92)
	c.Issuer, c.Audience, c.Username = site, token.Audience{site}, strings.Repeat("m", 512)
	c.Subject, c.ID, c.SessionID = strings.Repeat("0", 36), strings.Repeat("0", 36), strings.Repeat("0", 36)
	c.Methods = []string{"pwd", "pop", "hwk", "user", "mfa", "phr", "phrh"}
	c.Groups, c.OwnClaims, c.AttributesVersion = groups, own, 1<<40
	if raw := sign(t, token.NewKeyring(key), c); len(raw) > 3072 {
		t.Errorf("the largest token has %d bytes, want at most 3072", len(raw))
	}
	a.Issuer, a.Audience, a.Username, a.Subject = site, site, strings.Repeat("m", token.MaxAssertionName), c.Subject
	a.Methods, a.Groups, a.OwnClaims = c.Methods, groups, own
	if raw, err := token.NewSigner(token.NewKeyring(key)).SignAssertion(a); err != nil || len(raw) >= token.MaxAssertionBytes {
		t.Errorf("the largest assertion has %d bytes, %v", len(raw), err)
	}
}

func object(t *testing.T, v any) map[string]any {
	t.Helper()
	members := map[string]any{}
	if err := json.Unmarshal([]byte(changed(t, v, nil)), &members); err != nil {
		t.Fatal(err)
	}
	return members
}

func assertionClaims() token.AssertionClaims {
	return token.AssertionClaims{
		Issuer: issuer, Audience: "https://shop.example.com", Subject: "user", Username: "Mira", Groups: []string{"dev", "ops"},
		ACR: token.LevelFull, Methods: []string{"pwd", "swk"}, AuthTime: now.Unix(), PasskeyTime: now.Unix(),
		IssuedAt: now.Unix(), ExpiresAt: now.Add(token.AssertionLifetime).Unix(),
		OwnClaims: map[string]string{"department": "R&D"},
	}
}

func TestAssertion(t *testing.T) {
	key, private := ecdsaKey(t)
	keys, other := token.NewKeyring(key), token.NewKeyring(ed25519Key(t))
	secret := token.NewKeyring(secretKey(t))
	verify := func(keys *token.Keyring, audience, raw string, after int64) (token.AssertionClaims, error) {
		clock := now.Unix() + after
		v, err := token.NewAssertionVerifier(keys, token.Expect{Issuer: issuer, Audience: audience, Clock: func() time.Time { return time.Unix(clock, 0) }})
		if err != nil {
			t.Fatal(err)
		}
		return v.Verify(t.Context(), raw)
	}
	c := assertionClaims()
	for _, keys := range []*token.Keyring{keys, other} {
		raw, err := token.NewSigner(keys).SignAssertion(c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := verify(keys, c.Audience, raw, 0)
		if diff := cmp.Diff(c, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	raw, err := token.NewSigner(keys).SignAssertion(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what     string
		keys     *token.Keyring
		audience string
		raw      string
		after    int64
		want     token.Reason
	}{
		{"another application's", keys, "https://other.example.com", raw, 0, token.ReasonAudience},
		{"two minutes and a leeway old", keys, c.Audience, raw, 151, token.ReasonExpired},
		{"another key", other, c.Audience, raw, 0, token.ReasonUnknownKey},
		{"an access token", keys, issuer, sign(t, keys, claims()), 0, token.ReasonType},
		{"too long", keys, c.Audience, raw + strings.Repeat("A", token.MaxAssertionBytes), 0, token.ReasonSize},
		{
			"of a shared secret", secret, c.Audience,
			hs256(bytes.Repeat([]byte("s"), 32), fmt.Sprintf(`{"alg":"HS256","typ":%q}`, token.AssertionType), "{}"), 0, token.ReasonAlgorithm,
		},
		{
			"valid for too long", keys, c.Audience,
			forge(t, private, fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":%q}`, key.ID(), token.AssertionType),
				changed(t, c, map[string]any{"exp": now.Unix() + 121})), 0, token.ReasonClaims,
		},
	} {
		if _, err := verify(test.keys, test.audience, test.raw, test.after); reasonOf(err) != test.want {
			t.Errorf("%s: %v, want %s", test.what, reasonOf(err), test.want)
		}
	}
	if _, err := token.NewSigner(secret).SignAssertion(c); !errors.Is(err, token.ErrSymmetricKey) {
		t.Errorf("signed with a shared secret: %v", err)
	}
	// Its audience and the type are what keeps it from being an access token.
	wantReason(t, "an assertion as an access token", verifier(t, keys, now), raw, token.ReasonType)
}

func TestMarksDiffer(t *testing.T) {
	user := token.ID{1}
	marks := []token.ID{
		token.AttributesMark(user, 0), token.AttributesMark(user, 1), token.AttributesMark(token.ID{2}, 0), user,
	}
	for i, mark := range marks {
		if slices.Contains(marks[:i], mark) {
			t.Errorf("mark %d is not the only one: %x", i, mark)
		}
	}
}
