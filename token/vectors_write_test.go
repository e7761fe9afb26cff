package token_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/token"
)

// vectorKeys are those of testdata/vectors.json, made of texts that everybody
// can read: they protect nothing.
type vectorKeys struct {
	private *ecdsa.PrivateKey
	secret  []byte
	es256   token.SigningKey
	eddsa   token.SigningKey
	hs256   token.SigningKey
}

func newVectorKeys(t *testing.T) vectorKeys {
	t.Helper()
	seed := func(text string) []byte { sum := sha256.Sum256([]byte("stepkey test vectors: " + text)); return sum[:] }
	private, err1 := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed("ES256"))
	k := vectorKeys{private: private, secret: seed("HS256")}
	var err2, err3, err4 error
	k.es256, err2 = token.NewECDSAKey(private)
	k.eddsa, err3 = token.NewEd25519Key(ed25519.NewKeyFromSeed(seed("EdDSA")))
	k.hs256, err4 = token.NewSecretKey(k.secret, false)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func (k vectorKeys) header(typ string) string {
	return fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":%q}`, k.es256.ID(), typ)
}

// writeVectorsFile writes the file anew. ECDSA signatures are random, so no two
// runs write the same bytes.
func writeVectorsFile(t *testing.T) {
	t.Helper()
	k := newVectorKeys(t)
	file := vectors{
		Issuer: issuer, Audience: issuer, Now: now.Unix(), Secret: b64(k.secret),
		JWKS:   token.NewKeyring(k.es256, k.eddsa.Verification()).JWKS(),
		Tokens: append(k.accessTokens(t), k.otherTokens(t)...), Guards: k.guards(t),
	}
	for _, a := range []token.Action{
		{Name: "logout.all", Parameters: map[string]string{}},
		payout(),
		{Name: "note", Parameters: map[string]string{"é": "café ☕", "z": "", "a": "\n", "A": "\x00"}},
		{Name: "order", Parameters: map[string]string{"a": "bc", "ab": "c", "b": "a", "\U0001F511": "astral", "\uFF21": "wide"}},
	} {
		file.Actions = append(file.Actions, vectorAction{a.Name, a.Parameters, a.Digest()})
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorsFile, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (k vectorKeys) accessTokens(t *testing.T) []vectorToken {
	t.Helper()
	var rows []vectorToken
	add := func(expected token.Reason, name, raw string) {
		rows = append(rows, vectorToken{Name: name, Type: "access", Expected: string(expected), Token: raw})
	}
	header, payload := k.header(token.Type), payloadOf(t, nil)
	with := func(member string, value any) string {
		return forge(t, k.private, header, payloadOf(t, map[string]any{member: value}))
	}
	ended := func(ago time.Duration) string {
		exp := now.Add(-ago)
		return forge(t, k.private, header, payloadOf(t, map[string]any{"iat": exp.Add(-token.Lifetime).Unix(), "exp": exp.Unix()}))
	}
	headed := func(header string) string { return forge(t, k.private, header, payload) }
	replaced := func(old, with string) string {
		return forge(t, k.private, header, strings.Replace(payload, old, with, 1))
	}
	honest := forge(t, k.private, header, payload)
	head, rest, _ := strings.Cut(honest, ".")
	body, signature, _ := strings.Cut(rest, ".")
	spki, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}

	add("accept", "ES256", honest)
	add("accept", "EdDSA", sign(t, token.NewKeyring(k.eddsa), claims()))
	add("accept", "HS256, without kid", sign(t, token.NewKeyring(k.hs256), claims()))
	add("accept", "several audiences", with("aud", []string{"https://other.example", issuer}))
	add("accept", "one audience in an array", with("aud", []string{issuer}))
	add("accept", "a flat claim that is not known", with("roles", []string{"a", "b"}))
	add("accept", "expired 29 s ago", ended(29*time.Second))
	add("accept", "issued 30 s ahead", with("iat", now.Add(30*time.Second).Unix()))
	add("accept", "nbf 30 s ahead", with("nbf", now.Add(30*time.Second).Unix()))
	add("accept", "the other form of the signature, n-s: revoke by sid, not by these bytes", malleated(t, honest))

	add(token.ReasonSize, "4097 bytes", honest+strings.Repeat("A", token.MaxBytes+1-len(honest)))
	add(token.ReasonMalformed, "empty", "")
	add(token.ReasonMalformed, "two parts", head+"."+body)
	add(token.ReasonMalformed, "four parts", honest+".AAAA")
	add(token.ReasonMalformed, "padding", honest+"=")
	add(token.ReasonMalformed, "line break", head+"\n."+body+"."+signature)
	add(token.ReasonMalformed, "standard base64", head+"."+body+".+/"+signature[2:])
	add(token.ReasonMalformed, "trailing bits", honest[:len(honest)-1]+nextLetter(honest[len(honest)-1]))
	add(token.ReasonMalformed, "header that is an array", headed(`["ES256"]`))
	add(token.ReasonMalformed, "alg twice", headed(`{"alg":"none",`+header[1:]))
	add(token.ReasonMalformed, "data after the header", headed(header+"{}"))
	add(token.ReasonMalformed, "claim twice", replaced(`"authLevel":`, `"authLevel":"password","authLevel":`))
	add(token.ReasonMalformed, "claim in two cases", replaced(`"sub":`, `"SUB":"admin","sub":`))
	add(token.ReasonMalformed, "claim whose name is not ASCII", replaced(`"sub":`, `"ſub":"admin","sub":`))
	add(token.ReasonMalformed, "claim whose name is escaped", replaced(`"sub":`, `"\u0073ub":`))
	add(token.ReasonMalformed, "nested claim", with("roles", map[string]any{"a": 1}))
	add(token.ReasonMalformed, "exp as a text", with("exp", "1905000000"))
	add(token.ReasonMalformed, "exp with a fraction", with("exp", float64(now.Unix())+0.5))
	add(token.ReasonMalformed, "65 members more", forge(t, k.private, header, payload[:len(payload)-1]+members(65)+"}"))
	for _, member := range []string{
		`"jku":"https://evil.example/jwks.json"`, `"jwk":"x"`, `"x5u":"https://evil.example"`, `"x5c":["MIIB"]`, `"crit":["exp"]`,
		`"zip":"DEF"`, `"b64":false`, `"cty":"JWT"`,
	} {
		add(token.ReasonHeader, "header with "+member, headed(header[:len(header)-1]+","+member+"}"))
	}
	for _, typ := range []string{"JWT", "", "at+JWT", "application/at+jwt"} {
		add(token.ReasonType, "typ "+typ, headed(k.header(typ)))
	}
	add(token.ReasonUnknownKey, "kid that is unknown", headed(fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt"}`, strings.ToUpper(k.es256.ID()))))
	add(token.ReasonUnknownKey, "kid of 65 bytes", headed(fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt"}`, strings.Repeat("k", 65))))
	for _, alg := range []string{"none", "None", "", "es256", "ES384", "EdDSA"} {
		add(token.ReasonAlgorithm, "alg "+alg+" for an ES256 key", headed(strings.Replace(header, "ES256", alg, 1)))
	}
	hsHeader := strings.Replace(header, "ES256", "HS256", 1)
	add(token.ReasonAlgorithm, "HS256 with the public key as secret", hs256(spki, hsHeader, payload))
	add(token.ReasonAlgorithm, "HS256 with the shared secret under the ES256 key's kid", hs256(k.secret, hsHeader, payload))
	add(token.ReasonAlgorithm, "ES256 without kid", headed(`{"alg":"ES256","typ":"at+jwt"}`))
	add(token.ReasonAlgorithm, "alg none, no signature", b64([]byte(strings.Replace(header, "ES256", "none", 1)))+"."+body+".")
	add(token.ReasonSignature, "no signature", head+"."+body+".")
	add(token.ReasonSignature, "short signature", head+"."+body+"."+signature[:40])
	add(token.ReasonSignature, "r and s are zero", head+"."+body+"."+b64(make([]byte, 64)))
	add(token.ReasonSignature, "DER signature", head+"."+body+"."+der(t, signature))
	add(token.ReasonSignature, "another payload", head+"."+b64([]byte(payloadOf(t, map[string]any{"sub": "admin"})))+"."+signature)
	add(token.ReasonSignature, "HS256 with another secret", hs256(make([]byte, 32), `{"alg":"HS256","typ":"at+jwt"}`, payload))
	add(token.ReasonExpired, "expired 30 s ago", ended(token.Leeway))
	add(token.ReasonNotYetValid, "issued 31 s ahead", with("iat", now.Add(31*time.Second).Unix()))
	add(token.ReasonNotYetValid, "nbf 31 s ahead", with("nbf", now.Add(31*time.Second).Unix()))
	add(token.ReasonIssuer, "another issuer", with("iss", "https://evil.example"))
	add(token.ReasonIssuer, "issuer with a slash", with("iss", issuer+"/"))
	add(token.ReasonAudience, "another audience", with("aud", []string{"https://evil.example"}))
	for _, member := range []string{"iss", "aud", "sub", "sid", "jti", "iat", "exp", "auth_time", "authLevel", "acr", "passkeyVerified", "passkey_time"} {
		add(token.ReasonClaims, "no "+member, with(member, nil))
	}
	add(token.ReasonClaims, "sub in another case", replaced(`"sub":`, `"SUB":`))
	add(token.ReasonClaims, "lives 15 min and 1 s", with("exp", now.Add(token.Lifetime+time.Second).Unix()))
	add(token.ReasonClaims, "level FULL", replaced(`"authLevel":"full"`, `"authLevel":"FULL"`))
	add(token.ReasonClaims, "acr below authLevel", with("acr", "password"))
	add(token.ReasonClaims, "passkeyVerified false at level full", with("passkeyVerified", false))
	return rows
}

func (k vectorKeys) otherTokens(t *testing.T) []vectorToken {
	t.Helper()
	action := func(member string, value any) string {
		changes := map[string]any{}
		if member != "" {
			changes[member] = value
		}
		return forge(t, k.private, k.header(token.ActionType), changed(t, actionClaims(), changes))
	}
	list := func(member string, value any) string {
		return forge(t, k.private, k.header(token.EndedSessionsType), changed(t, endedSessions(), map[string]any{member: value}))
	}
	access := forge(t, k.private, k.header(token.Type), payloadOf(t, nil))
	return []vectorToken{
		{"action token", "action", "accept", action("", nil)},
		{"access token for an action", "action", "type", access},
		{"action token for access", "access", "type", action("", nil)},
		{"action: expired 31 s ago", "action", "expired", action("exp", now.Add(-31*time.Second).Unix())},
		{"action: lives 61 s", "action", "claims", action("exp", now.Add(61*time.Second).Unix())},
		{"action: another audience", "action", "audience", action("aud", "https://evil.example")},
		{"action: no sid", "action", "claims", action("sid", nil)},
		{"action: no act", "action", "claims", action("act", nil)},
		{"action: act is a text", "action", "malformed", action("act", "payout.create")},
		{"action: padded digest", "action", "claims", action("act", map[string]any{"name": "payout.create", "digest": payout().Digest() + "="})},
		{"list of ended sessions", "ended", "accept", list("", nil)},
		{"access token for a list", "ended", "type", access},
		{"list for access", "access", "type", list("", nil)},
		{"list: another issuer", "ended", "issuer", list("iss", "https://evil.example")},
		{"list: expired 31 s ago", "ended", "expired", list("exp", now.Add(-31*time.Second).Unix())},
		{"list: no digest", "ended", "claims", list("sha256", nil)},
		{"list: from within a minute", "ended", "claims", list("from", now.Unix()/60*60+1)},
		{"list: settled after iat", "ended", "claims", list("settled", now.Unix()+1)},
		{"list: a number for a digest", "ended", "malformed", list("sha256", 2)},
	}
}

func (k vectorKeys) guards(t *testing.T) []vectorGuard {
	t.Helper()
	at := func(level token.Level, age int64) string {
		changes := map[string]any{"authLevel": level, "acr": level, "passkeyVerified": level == token.LevelFull, "passkey_time": now.Unix() - age}
		if level != token.LevelFull {
			changes["passkey_time"] = nil
		}
		return forge(t, k.private, k.header(token.Type), payloadOf(t, changes))
	}
	password, full, recovery := at(token.LevelPassword, 0), at(token.LevelFull, 3600), at(token.LevelRecovery, 0)
	return []vectorGuard{
		{"password where password is needed", token.LevelPassword, 0, "pass", password},
		{"full where password is needed", token.LevelPassword, 0, "pass", full},
		{"recovery where password is needed", token.LevelPassword, 0, "step_up", recovery},
		{"password where full is needed", token.LevelFull, 0, "step_up", password},
		{"full where full is needed, of whatever age", token.LevelFull, 0, "pass", full},
		{"recovery where full is needed", token.LevelFull, 0, "step_up", recovery},
		{"full where recovery is needed", token.LevelRecovery, 0, "step_up", full},
		{"recovery where recovery is needed", token.LevelRecovery, 0, "pass", recovery},
		{"full where a level FULL is needed", "FULL", 0, "step_up", full},
		{"300 s old where 300 s are allowed", token.LevelFull, 300, "pass", at(token.LevelFull, 300)},
		{"301 s old where 300 s are allowed", token.LevelFull, 300, "step_up", at(token.LevelFull, 301)},
		{"20 s ahead where 1 s is allowed", token.LevelFull, 1, "pass", at(token.LevelFull, -20)},
		{"password where 300 s are allowed", token.LevelFull, 300, "step_up", password},
	}
}

// malleated replaces s by n-s, which holds as well.
func malleated(t *testing.T, raw string) string {
	t.Helper()
	dot := strings.LastIndexByte(raw, '.')
	signature := unb64(t, raw[dot+1:])
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	return raw[:dot+1] + b64(signature)
}

// der writes a signature as other protocols do (RFC 3279 §2.2.3).
func der(t *testing.T, signature string) string {
	t.Helper()
	both := unb64(t, signature)
	text, err := asn1.Marshal([]*big.Int{new(big.Int).SetBytes(both[:32]), new(big.Int).SetBytes(both[32:])})
	if err != nil {
		t.Fatal(err)
	}
	return b64(text)
}
