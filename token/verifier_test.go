package token_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/token"
)

var now = time.Date(2030, 5, 17, 9, 30, 0, 0, time.UTC)

const issuer = "https://app.example.com"

func claims() token.Claims {
	return token.Claims{
		Issuer: issuer, Audience: []string{issuer}, Subject: "user", Username: "Mira", ID: "id", SessionID: "session",
		IssuedAt: now.Unix(), ExpiresAt: now.Add(token.Lifetime).Unix(),
		Level: token.LevelFull, ACR: token.LevelFull, PasskeyVerified: true, Methods: []string{"pwd", "swk", "user"},
		AuthTime: now.Unix(), PasswordTime: now.Unix() - 60, PasskeyTime: now.Unix(),
	}
}

func ecdsaKey(t *testing.T) (token.SigningKey, *ecdsa.PrivateKey) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.NewECDSAKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key, private
}

func ed25519Key(t *testing.T) token.SigningKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.NewEd25519Key(private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func secretKey(t *testing.T) token.SigningKey {
	t.Helper()
	key, err := token.NewSecretKey(bytes.Repeat([]byte("s"), 32), false)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func verifier(t *testing.T, keys token.KeySource, at time.Time) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(keys, token.Expect{Issuer: issuer, Audience: issuer, Clock: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func sign(t *testing.T, keys *token.Keyring, c token.Claims) string {
	t.Helper()
	raw, err := token.NewSigner(keys).Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func wantReason(t *testing.T, what string, v *token.Verifier, raw string, want token.Reason) {
	t.Helper()
	got, err := v.Verify(t.Context(), raw)
	var refusal *token.Error
	if !errors.As(err, &refusal) || refusal.Reason != want {
		t.Errorf("%s: %v, want refused: %s", what, err, want)
	}
	if got.Subject != "" {
		t.Errorf("%s: claims came with the refusal", what)
	}
}

func TestSignedTokenVerifies(t *testing.T) {
	ec, _ := ecdsaKey(t)
	for _, key := range []token.SigningKey{ec, ed25519Key(t), secretKey(t)} {
		keys := token.NewKeyring(key)
		raw := sign(t, keys, claims())
		got, err := verifier(t, keys, now).Verify(t.Context(), raw)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(claims()) {
			t.Errorf("%v: %+v, %v", key, got, err)
		}
	}
}

func TestTimes(t *testing.T) {
	key, _ := ecdsaKey(t)
	keys := token.NewKeyring(key)
	raw := sign(t, keys, claims())
	for _, at := range []time.Duration{-token.Leeway, 0, token.Lifetime, token.Lifetime + token.Leeway - time.Second} {
		if _, err := verifier(t, keys, now.Add(at)).Verify(t.Context(), raw); err != nil {
			t.Errorf("at %s: %v", at, err)
		}
	}
	wantReason(t, "expired", verifier(t, keys, now.Add(token.Lifetime+token.Leeway+time.Second)), raw, token.ReasonExpired)
	wantReason(t, "from the future", verifier(t, keys, now.Add(-token.Leeway-time.Second)), raw, token.ReasonNotYetValid)
}

// forge signs header and payload as they are, with an ES256 key.
func forge(t *testing.T, private *ecdsa.PrivateKey, header, payload string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + b64(signature)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unb64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hs256(key []byte, header, payload string) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}

func TestForgedHeaders(t *testing.T) {
	key, private := ecdsaKey(t)
	v := verifier(t, token.NewKeyring(key), now)
	payload := payloadOf(t, nil)
	spki, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	header := func(alg, more string) string {
		return fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"%s}`, alg, key.ID(), more)
	}
	if _, err := v.Verify(t.Context(), forge(t, private, header("ES256", ""), payload)); err != nil {
		t.Fatalf("the forger's honest token: %v", err)
	}
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "", "es256", "HS256", "ES384", "EdDSA", "RS256", "PS256"} {
		wantReason(t, "alg "+alg, v, forge(t, private, header(alg, ""), payload), token.ReasonAlgorithm)
	}
	unsigned := b64([]byte(header("none", ""))) + "." + b64([]byte(payload)) + "."
	wantReason(t, "none without signature", v, unsigned, token.ReasonAlgorithm)
	for what, secret := range map[string][]byte{"SPKI": spki, "point": point, "empty": {}, "kid": []byte(key.ID())} {
		wantReason(t, "HS256 with the public key as secret: "+what, v, hs256(secret, header("HS256", ""), payload), token.ReasonAlgorithm)
	}
	for _, more := range []string{
		`,"jku":"https://evil.example/jwks.json"`, `,"jwk":{"kty":"EC"}`, `,"x5u":"https://evil.example"`, `,"x5c":["MIIB"]`,
		`,"x5t":"abc"`, `,"crit":["exp"]`, `,"zip":"DEF"`, `,"b64":false`, `,"cty":"JWT"`, `,"nonce":"x"`,
	} {
		raw := forge(t, private, header("ES256", more), payload)
		_, err := v.Verify(t.Context(), raw)
		var refusal *token.Error
		if !errors.As(err, &refusal) || (refusal.Reason != token.ReasonHeader && refusal.Reason != token.ReasonMalformed) {
			t.Errorf("header member %s: %v, want refused: header", more, err)
		}
	}
	kid := func(kid string) string { return fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt"}`, kid) }
	for _, name := range []string{"", "../../../dev/null", "' OR 1=1 --", strings.ToUpper(key.ID()), key.ID() + " ", strings.Repeat("k", 65)} {
		wantReason(t, "kid "+name, v, forge(t, private, kid(name), payload), token.ReasonUnknownKey)
	}
	for _, typ := range []string{`"JWT"`, `""`, `"at+JWT"`, `"application/at+jwt"`, `"dpop+jwt"`} {
		raw := forge(t, private, fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":%s}`, key.ID(), typ), payload)
		wantReason(t, "typ "+typ, v, raw, token.ReasonType)
	}
	wantReason(t, "no typ", v, forge(t, private, fmt.Sprintf(`{"alg":"ES256","kid":%q}`, key.ID()), payload), token.ReasonType)
	wantReason(t, "typ that is a number", v, forge(t, private, fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":1}`, key.ID()), payload), token.ReasonHeader)
}

// payloadOf is the payload of an honest token with members changed; a nil value
// removes one.
func payloadOf(t *testing.T, changes map[string]any) string {
	t.Helper()
	return changed(t, claims(), changes)
}

// changed is honest as JSON with members changed; a nil value removes one.
func changed(t *testing.T, honest any, changes map[string]any) string {
	t.Helper()
	text, err := json.Marshal(honest)
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]any{}
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	maps.Copy(members, changes)
	maps.DeleteFunc(members, func(_ string, v any) bool { return v == nil })
	if text, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestClaims(t *testing.T) {
	key, private := ecdsaKey(t)
	v := verifier(t, token.NewKeyring(key), now)
	header := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt"}`, key.ID())
	for _, test := range []struct {
		member string
		value  any
		want   token.Reason
	}{
		{"iss", nil, token.ReasonClaims},
		{"iss", "https://evil.example", token.ReasonIssuer},
		{"iss", issuer + "/", token.ReasonIssuer},
		{"aud", nil, token.ReasonClaims},
		{"aud", []string{"https://evil.example"}, token.ReasonAudience},
		{"aud", []string{}, token.ReasonClaims},
		{"exp", nil, token.ReasonClaims},
		{"exp", now.Add(-time.Hour).Unix(), token.ReasonExpired},
		{"exp", now.Add(16 * time.Minute).Unix(), token.ReasonClaims},
		{"exp", now.Add(10 * 365 * 24 * time.Hour).Unix(), token.ReasonClaims},
		{"exp", "soon", token.ReasonMalformed},
		{"exp", 1e300, token.ReasonMalformed},
		{"exp", -1, token.ReasonExpired},
		{"iat", nil, token.ReasonClaims},
		{"iat", now.Add(time.Hour).Unix(), token.ReasonNotYetValid},
		{"sub", nil, token.ReasonClaims},
		{"sub", "", token.ReasonClaims},
		{"sid", nil, token.ReasonClaims},
		{"jti", nil, token.ReasonClaims},
		{"auth_time", nil, token.ReasonClaims},
		{"authLevel", nil, token.ReasonClaims},
		{"authLevel", "FULL", token.ReasonClaims},
		{"authLevel", "Full", token.ReasonClaims},
		{"authLevel", "full ", token.ReasonClaims},
		{"authLevel", "admin", token.ReasonClaims},
		{"authLevel", "password", token.ReasonClaims},
		{"authLevel", 2, token.ReasonMalformed},
		{"acr", "password", token.ReasonClaims},
		{"passkeyVerified", false, token.ReasonClaims},
		{"passkey_time", nil, token.ReasonClaims},
		{"nested", map[string]any{"a": 1}, token.ReasonMalformed},
	} {
		what := fmt.Sprintf("%s %v", test.member, test.value)
		raw := forge(t, private, header, payloadOf(t, map[string]any{test.member: test.value}))
		wantReason(t, what, v, raw, test.want)
	}
	accepted := payloadOf(t, map[string]any{"aud": issuer, "email": "not ours"})
	if _, err := v.Verify(t.Context(), forge(t, private, header, accepted)); err != nil {
		t.Errorf("aud as a text, and a claim that is not ours: %v", err)
	}
}

func TestForm(t *testing.T) {
	key, private := ecdsaKey(t)
	keys := token.NewKeyring(key)
	v := verifier(t, keys, now)
	raw := sign(t, keys, claims())
	head, rest, _ := strings.Cut(raw, ".")
	body, signature, _ := strings.Cut(rest, ".")
	header := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt"}`, key.ID())
	payload := payloadOf(t, nil)
	twice := strings.Replace(payload, `"authLevel":"full"`, `"authLevel":"password","authLevel":"full"`, 1)
	otherCase := strings.Replace(payload, `"sub":"user"`, `"sub":"user","SUB":"admin"`, 1)

	for _, test := range []struct {
		what, raw string
		want      token.Reason
	}{
		{"empty", "", token.ReasonMalformed},
		{"a million dots", strings.Repeat(".", 1_000_000), token.ReasonSize},
		{"4097 bytes", raw + strings.Repeat("A", token.MaxBytes+1-len(raw)), token.ReasonSize},
		{"2000 dots", strings.Repeat(".", 2000), token.ReasonMalformed},
		{"two parts", head + "." + body, token.ReasonMalformed},
		{"four parts", raw + ".x", token.ReasonMalformed},
		{"padding", head + "." + body + "." + signature + "=", token.ReasonMalformed},
		{"line break", head + "\n." + body + "." + signature, token.ReasonMalformed},
		{"standard alphabet", strings.NewReplacer("-", "+", "_", "/").Replace(head + "." + body + ".-_" + signature[2:]), token.ReasonMalformed},
		{"trailing bits", head + "." + body + "." + signature[:85] + nextLetter(signature[85]), token.ReasonMalformed},
		{"no signature", head + "." + body + ".", token.ReasonSignature},
		{"short signature", head + "." + body + "." + signature[:40], token.ReasonSignature},
		{"signature of another", head + "." + body + "." + b64(make([]byte, 64)), token.ReasonSignature},
		{"header that is no object", forge(t, private, `[]`, payload), token.ReasonMalformed},
		{"header with a member twice", forge(t, private, `{"alg":"none",`+header[1:], payload), token.ReasonMalformed},
		{"data after the header", forge(t, private, header+"{}", payload), token.ReasonMalformed},
		{"garbage after the header", forge(t, private, header+" x", payload), token.ReasonMalformed},
		{"payload that is no object", forge(t, private, header, `"full"`), token.ReasonMalformed},
		{"claim twice", forge(t, private, header, twice), token.ReasonMalformed},
		{"claim in another case", forge(t, private, header, otherCase), token.ReasonMalformed},
		{"claim in letters that fold to ours", forge(t, private, header, strings.Replace(payload, `"sub":`, `"sub":"admin","ſub":`, 1)), token.ReasonMalformed},
		{"claim with an escaped name", forge(t, private, header, strings.Replace(payload, `"sub":`, `"s\u0075b":`, 1)), token.ReasonMalformed},
		{"claim in the wrong case only", forge(t, private, header, strings.Replace(payload, `"sub":`, `"SUB":`, 1)), token.ReasonClaims},
		{"text that is not UTF-8", forge(t, private, header, strings.Replace(payload, `"Mira"`, "\"\xff\"", 1)), token.ReasonMalformed},
		{"65 members", forge(t, private, header, payload[:len(payload)-1]+members(65)+"}"), token.ReasonMalformed},
		{"data after the payload", forge(t, private, header, payload+"{}"), token.ReasonMalformed},
	} {
		wantReason(t, test.what, v, test.raw, test.want)
	}
}

func members(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `,"m%d":0`, i)
	}
	return text.String()
}

// nextLetter changes the last letter of a 64-byte signature in the four bits that
// carry nothing.
func nextLetter(letter byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, letter)+1])
}

// A token of one installation, or of its other kind of key, is none of another's.
func TestKeysOfOthers(t *testing.T) {
	mine, _ := ecdsaKey(t)
	other, _ := ecdsaKey(t)
	v := verifier(t, token.NewKeyring(mine), now)
	wantReason(t, "another key", v, sign(t, token.NewKeyring(other), claims()), token.ReasonUnknownKey)
	wantReason(t, "a shared secret", v, sign(t, token.NewKeyring(secretKey(t)), claims()), token.ReasonUnknownKey)
	shared := verifier(t, token.NewKeyring(secretKey(t)), now)
	wantReason(t, "a public key where a secret is", shared, sign(t, token.NewKeyring(mine), claims()), token.ReasonUnknownKey)
}

func TestReplacedKeysAreStillAccepted(t *testing.T) {
	old, _ := ecdsaKey(t)
	next, _ := ecdsaKey(t)
	keys := token.NewKeyring(old)
	v := verifier(t, keys, now)
	before := sign(t, keys, claims())
	keys.Replace(next, old.Verification())
	for _, raw := range []string{before, sign(t, keys, claims())} {
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Error(err)
		}
	}
	keys.Replace(next)
	wantReason(t, "dropped key", v, before, token.ReasonUnknownKey)
}

type failingSource struct{ err error }

func (s failingSource) VerificationKey(context.Context, string) (token.VerificationKey, error) {
	return token.VerificationKey{}, s.err
}

func TestSourceThatFailsRefuses(t *testing.T) {
	key, _ := ecdsaKey(t)
	fault := errors.New("no network")
	_, err := verifier(t, failingSource{fault}, now).Verify(t.Context(), sign(t, token.NewKeyring(key), claims()))
	if !errors.Is(err, fault) {
		t.Errorf("Verify: %v, want the source's error inside", err)
	}
}

// A name that no key can have is not passed on to whatever looks keys up.
func TestSourceIsNotAskedForLongNames(t *testing.T) {
	_, private := ecdsaKey(t)
	fault := errors.New("asked")
	for length, asked := range map[int]bool{64: true, 65: false} {
		header := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt"}`, strings.Repeat("k", length))
		_, err := verifier(t, failingSource{fault}, now).Verify(t.Context(), forge(t, private, header, payloadOf(t, nil)))
		if reasonOf(err) != token.ReasonUnknownKey || errors.Is(err, fault) != asked {
			t.Errorf("kid of %d bytes: %v", length, err)
		}
	}
}

func TestVerifierNeedsExpectations(t *testing.T) {
	key, _ := ecdsaKey(t)
	for _, expect := range []token.Expect{{}, {Issuer: issuer}, {Audience: issuer}} {
		if _, err := token.NewVerifier(token.NewKeyring(key), expect); err == nil {
			t.Errorf("%+v: accepted", expect)
		}
	}
	if _, err := token.NewVerifier(nil, token.Expect{Issuer: issuer, Audience: issuer}); err == nil {
		t.Error("a verifier without keys: accepted")
	}
}

func TestSignerRefusesWhatItsVerifierWould(t *testing.T) {
	key, _ := ecdsaKey(t)
	for what, change := range map[string]func(*token.Claims){
		"no subject":         func(c *token.Claims) { c.Subject = "" },
		"lives too long":     func(c *token.Claims) { c.ExpiresAt++ },
		"unknown level":      func(c *token.Claims) { c.Level, c.ACR = "FULL", "FULL" },
		"full by no passkey": func(c *token.Claims) { c.PasskeyTime = 0 },
	} {
		c := claims()
		change(&c)
		if raw, err := token.NewSigner(token.NewKeyring(key)).Sign(c); err == nil || raw != "" {
			t.Errorf("%s: signed", what)
		}
	}
}
