package ceremony_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// registrationCase is one hostile registration. Rows keep the numbers of the
// corpus they come from, in which numbers that are missing here are about the
// HTTP layer or the store.
type registrationCase struct {
	name    string
	config  authenticator.Config
	hostile authenticator.Hostile
	body    func([]byte) []byte
	want    verdict
}

func malformed(reason ceremony.Reason) verdict { return verdict{ceremony.Malformed, reason} }
func refused(reason ceremony.Reason) verdict   { return verdict{ceremony.Refused, reason} }

var accepted verdict

func runRegistrations(t *testing.T, cases []registrationCase) {
	rp := newRelyingParty(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.config.Algorithms == nil {
				c.config.Algorithms = []int64{authenticator.ES256}
			}
			_, got := tryRegister(t, rp, authenticator.New(c.config), c.hostile, c.body)
			if got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestRegistrationEnvelope(t *testing.T) {
	answer := func(hook func(map[string]any)) authenticator.Hostile { return authenticator.Hostile{Response: hook} }
	response := func(hook func(map[string]any)) authenticator.Hostile { return answer(inResponse(hook)) }
	whole := func(text string) func([]byte) []byte { return func([]byte) []byte { return []byte(text) } }
	respell := func(edit func(string) string, names ...string) func(map[string]any) {
		return func(members map[string]any) {
			for _, name := range names {
				members[name] = edit(members[name].(string))
			}
		}
	}
	pad := func(s string) string { return s + "=" }
	strayBits := func(s string) string {
		// 32 bytes leave four bits in the last of 43 characters, two of them unused.
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := strings.IndexByte(alphabet, s[len(s)-1])
		return s[:len(s)-1] + string(alphabet[last|1])
	}
	runRegistrations(t, []registrationCase{
		{"R01 empty body", authenticator.Config{}, authenticator.Hostile{}, whole(""), malformed(undecodable)},
		{"R01 truncated", authenticator.Config{}, authenticator.Hostile{}, func(b []byte) []byte { return b[:len(b)-1] }, malformed(undecodable)},
		{"R01 array", authenticator.Config{}, authenticator.Hostile{}, whole("[]"), malformed(undecodable)},
		{"R01 null", authenticator.Config{}, authenticator.Hostile{}, whole("null"), malformed(ceremony.ReasonEnvelope)},
		{"R01 empty object", authenticator.Config{}, authenticator.Hostile{}, whole("{}"), malformed(ceremony.ReasonEnvelope)},
		{"R02 second value", authenticator.Config{}, authenticator.Hostile{}, func(b []byte) []byte { return append(b, "{}"...) }, malformed(undecodable)},
		{"R03 deep", authenticator.Config{}, authenticator.Hostile{}, whole(strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)), malformed(undecodable)},
		{"R06 duplicate id", authenticator.Config{}, authenticator.Hostile{}, swap(t, "{", `{"id":"AAAA",`), malformed(undecodable)},
		{"R07 other case", authenticator.Config{}, authenticator.Hostile{}, swap(t, `"rawId"`, `"RAWID"`), malformed(ceremony.ReasonEnvelope)},
		{"R08 wrapped", authenticator.Config{}, authenticator.Hostile{}, func(b []byte) []byte { return slices.Concat([]byte(`{"publicKey":`), b, []byte(`}`)) }, malformed(ceremony.ReasonEnvelope)},
		{"R09 id missing", authenticator.Config{}, answer(drop("id")), nil, malformed(ceremony.ReasonEnvelope)},
		{"R09 id empty", authenticator.Config{}, answer(set("id", "")), nil, malformed(ceremony.ReasonEnvelope)},
		{"R09 id number", authenticator.Config{}, answer(set("id", 1)), nil, malformed(undecodable)},
		{"R10 id padded", authenticator.Config{}, answer(respell(pad, "id")), nil, malformed(undecodable)},
		{"R11 id with stray bits", authenticator.Config{}, answer(respell(strayBits, "id")), nil, malformed(undecodable)},
		{"R12 rawId missing", authenticator.Config{}, answer(drop("rawId")), nil, malformed(ceremony.ReasonEnvelope)},
		{"R12 rawId differs", authenticator.Config{}, answer(set("rawId", strings.Repeat("A", 43))), nil, malformed(ceremony.ReasonEnvelope)},
		{"R13 not the attested id", authenticator.Config{}, answer(func(m map[string]any) {
			m["id"], m["rawId"] = strings.Repeat("A", 43), strings.Repeat("A", 43)
		}), nil, refused(ceremony.ReasonCredentialID)},
		{"R14 type missing", authenticator.Config{}, answer(drop("type")), nil, malformed(ceremony.ReasonEnvelope)},
		{"R14 type password", authenticator.Config{}, answer(set("type", "password")), nil, malformed(ceremony.ReasonEnvelope)},
		{"R14 type in capitals", authenticator.Config{}, answer(set("type", "PUBLIC-KEY")), nil, malformed(ceremony.ReasonEnvelope)},
		{"R14 type number", authenticator.Config{}, answer(set("type", 1)), nil, malformed(undecodable)},
		{"R15 response missing", authenticator.Config{}, answer(drop("response")), nil, malformed(ceremony.ReasonClientData)},
		{"R15 response null", authenticator.Config{}, answer(set("response", nil)), nil, malformed(ceremony.ReasonClientData)},
		{"R15 response string", authenticator.Config{}, answer(set("response", "x")), nil, malformed(undecodable)},
		{"R16 clientDataJSON missing", authenticator.Config{}, response(drop("clientDataJSON")), nil, malformed(ceremony.ReasonClientData)},
		{"R16 clientDataJSON empty", authenticator.Config{}, response(set("clientDataJSON", "")), nil, malformed(ceremony.ReasonClientData)},
		{"R16 clientDataJSON number", authenticator.Config{}, response(set("clientDataJSON", 1)), nil, malformed(undecodable)},
		{"R16 clientDataJSON as text", authenticator.Config{}, response(set("clientDataJSON", `{"type":"webauthn.create"}`)), nil, malformed(undecodable)},
		{"R16 standard base64", authenticator.Config{}, response(set("clientDataJSON", "e/+A")), nil, malformed(undecodable)},
		{"R17 padded", authenticator.Config{}, response(respell(func(s string) string { return s + "====" }, "clientDataJSON")), nil, malformed(undecodable)},
		{"R17 line feed", authenticator.Config{}, response(respell(func(s string) string { return s[:8] + "\n" + s[8:] }, "clientDataJSON")), nil, malformed(undecodable)},
		{"R18 attestationObject missing", authenticator.Config{}, response(drop("attestationObject")), nil, malformed(ceremony.ReasonAttestationObject)},
		{"R18 attestationObject empty", authenticator.Config{}, response(set("attestationObject", "")), nil, malformed(ceremony.ReasonAttestationObject)},
		{"R18 attestationObject null", authenticator.Config{}, response(set("attestationObject", nil)), nil, malformed(ceremony.ReasonAttestationObject)},
		{"R18 attestationObject number", authenticator.Config{}, response(set("attestationObject", 1)), nil, malformed(undecodable)},
		{"R24 an assertion", authenticator.Config{}, response(func(m map[string]any) {
			delete(m, "attestationObject")
			m["signature"] = "AAAA"
		}), nil, malformed(ceremony.ReasonAttestationObject)},

		// Members that are not read can do no harm, whatever they contain.
		{"(+) clientExtensionResults unasked", authenticator.Config{}, answer(set("clientExtensionResults", map[string]any{"appid": false, "credProps": "x"})), nil, accepted},
		{"(+) clientExtensionResults missing", authenticator.Config{}, answer(drop("clientExtensionResults")), nil, accepted},
		{"(+) easy accessors that lie", authenticator.Config{}, response(func(m map[string]any) {
			m["publicKey"], m["authenticatorData"], m["publicKeyAlgorithm"] = "AAAA", "AAAA", "x"
		}), nil, accepted},
		{"(+) hand-made answer of the demo's page", authenticator.Config{}, answer(func(m map[string]any) {
			m["response"] = map[string]any{
				"clientDataJSON":    m["response"].(map[string]any)["clientDataJSON"],
				"attestationObject": m["response"].(map[string]any)["attestationObject"],
			}
			delete(m, "clientExtensionResults")
			delete(m, "authenticatorAttachment")
			m["deviceName"] = "My phone"
		}), nil, accepted},
	})
}

func TestRegistrationClientData(t *testing.T) {
	runClientData(t, "R", "webauthn.create", func(name string, h authenticator.Hostile, want verdict) {
		runRegistrations(t, []registrationCase{{name: name, hostile: h, want: want}})
	})
}

// runClientData is the part of the corpus that both ceremonies share.
func runClientData(t *testing.T, prefix, kind string, run func(name string, h authenticator.Hostile, want verdict)) {
	label := func(name string) string {
		if name[0] >= '0' && name[0] <= '9' {
			return prefix + name
		}
		return name
	}
	member := func(name string, hook func(map[string]any), want verdict) {
		run(label(name), authenticator.Hostile{ClientData: hook}, want)
	}
	raw := func(name string, hook func([]byte) []byte, want verdict) {
		run(label(name), authenticator.Hostile{ClientDataJSON: hook}, want)
	}

	other := map[string]string{"webauthn.create": "webauthn.get", "webauthn.get": "webauthn.create"}[kind]
	for _, value := range []string{other, "WebAuthn" + kind[len("webauthn"):], "payment.get", ""} {
		member(fmt.Sprintf("25 type %q", value), set("type", value), refused(ceremony.ReasonType))
	}
	member("25 type missing", drop("type"), refused(ceremony.ReasonType))
	member("25 type number", set("type", 1), malformed(ceremony.ReasonClientData))

	editChallenge := func(edit func(string) string) func(map[string]any) {
		return func(m map[string]any) { m["challenge"] = edit(m["challenge"].(string)) }
	}
	for name, edit := range map[string]func(string) string{
		"empty":     func(string) string { return "" },
		"random":    func(string) string { return strings.Repeat("B", 43) },
		"truncated": func(s string) string { return s[:len(s)-1] },
		"padded":    func(s string) string { return s + "=" },
		"doubled":   func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	} {
		member("28 challenge "+name, editChallenge(edit), refused(ceremony.ReasonChallenge))
	}
	member("28 challenge missing", drop("challenge"), refused(ceremony.ReasonChallenge))
	member("28 challenge number", set("challenge", 1), malformed(ceremony.ReasonClientData))

	for _, value := range []string{
		"https://other.com", "https://login.example.com:8443", "http://login.example.com", "https://a.login.example.com",
		"https://example.com", "https://login.example.com.evil", "https://evillogin.example.com", "https://login.example.com.",
		"null", "", "https://login.ex\u0430mple.com", "https://login.example.com\x00", " https://login.example.com",
		"https://login.example.com ", "login.example.com", "file://", "android:apk-key-hash:AAAA",
		"https://login.example.com@evil", "https://login.example.com:0443",
	} {
		member(fmt.Sprintf("29 origin %q", value), set("origin", value), refused(ceremony.ReasonOrigin))
	}
	member("29 origin missing", drop("origin"), refused(ceremony.ReasonOrigin))
	member("29 origin array", set("origin", []string{origin}), malformed(ceremony.ReasonClientData))
	for _, tail := range []string{"/", "/path", "?x", "#f", ":443"} {
		member("30 origin with "+tail, set("origin", origin+tail), refused(ceremony.ReasonOrigin))
	}
	member("30 origin with user", set("origin", "https://user@login.example.com"), refused(ceremony.ReasonOrigin))
	member("30 origin in capitals", set("origin", "HTTPS://LOGIN.EXAMPLE.COM"), refused(ceremony.ReasonOrigin))
	member("(+) another configured origin", set("origin", "https://example.com:8443"), accepted)
	member("(+) an app", set("origin", app), accepted)

	member("31 crossOrigin true", set("crossOrigin", true), refused(ceremony.ReasonCrossOrigin))
	member("31 crossOrigin string", set("crossOrigin", "true"), malformed(ceremony.ReasonClientData))
	member("32 topOrigin alone", set("topOrigin", origin), refused(ceremony.ReasonCrossOrigin))
	member("32 topOrigin empty", set("topOrigin", ""), refused(ceremony.ReasonCrossOrigin))
	member("32 topOrigin null", set("topOrigin", nil), refused(ceremony.ReasonCrossOrigin))
	member("32 topOrigin and crossOrigin", func(m map[string]any) {
		m["topOrigin"], m["crossOrigin"] = origin, true
	}, refused(ceremony.ReasonCrossOrigin))
	member("(+) crossOrigin absent", drop("crossOrigin"), accepted)

	member("33 tokenBinding string", set("tokenBinding", "x"), malformed(ceremony.ReasonClientData))
	member("33 tokenBinding without status", set("tokenBinding", map[string]any{}), malformed(ceremony.ReasonClientData))
	member("33 tokenBinding bogus", set("tokenBinding", map[string]any{"status": "bogus"}), malformed(ceremony.ReasonClientData))
	member("(+) tokenBinding of old clients", set("tokenBinding", map[string]any{"status": "not-supported"}), accepted)

	for _, name := range []string{"type", "challenge", "origin"} {
		raw("34 duplicate "+name, swap(t, "{", `{"`+name+`":"x",`), malformed(ceremony.ReasonClientData))
	}
	raw("34 duplicate unknown name", swap(t, "{", `{"a":1,"a":2,`), malformed(ceremony.ReasonClientData))
	for _, name := range []string{"Type", "CHALLENGE", "Origin", "crossorigin", "TopOrigin", "to\u212AenBinding"} {
		member("35 name "+name, set(name, "x"), malformed(ceremony.ReasonClientData))
	}
	raw("36 invalid UTF-8", swap(t, "{", "{\"a\":\"\xff\","), malformed(ceremony.ReasonClientData))
	raw("37 garbage behind", func(b []byte) []byte { return append(b, 'x') }, malformed(ceremony.ReasonClientData))
	raw("37 second object", func(b []byte) []byte { return append(b, "{}"...) }, malformed(ceremony.ReasonClientData))
	raw("37 array", func(b []byte) []byte { return slices.Concat([]byte("["), b, []byte("]")) }, malformed(ceremony.ReasonClientData))
	raw("37 null", func([]byte) []byte { return []byte("null") }, malformed(ceremony.ReasonClientData))
	raw("37 byte order mark", func(b []byte) []byte { return append([]byte("\ufeff"), b...) }, malformed(ceremony.ReasonClientData))

	member("(+) unknown names", set("other_keys_can_be_added_here", "do not compare clientDataJSON against a template. See https://goo.gl/yabPex"), accepted)
	member("a decoy of the wrong type", set("new_keys_may_be_added_here", 1), malformed(ceremony.ReasonLibrary))
	member("(+) other order", func(map[string]any) {}, accepted)
	raw("(+) escapes", swap(t, `"type"`, `"typ\u0065"`), accepted)
	raw("(+) white space", swap(t, "{", " {\n\t"), accepted)
}

func TestRegistrationAuthenticatorData(t *testing.T) {
	fields := func(hook func(*authenticator.AuthenticatorData)) authenticator.Hostile {
		return authenticator.Hostile{AuthenticatorData: hook}
	}
	data := func(hook func([]byte) []byte) authenticator.Hostile {
		return authenticator.Hostile{AuthenticatorDataBytes: hook}
	}
	var cases []registrationCase
	add := func(name string, h authenticator.Hostile, want verdict) {
		cases = append(cases, registrationCase{name: name, hostile: h, want: want})
	}
	addSharedAuthenticatorData("R38", "R39", "R40", "R41", fields, add)

	authenticatorData := malformed(ceremony.ReasonAuthenticatorData)
	add("R42 data without AT", data(func(b []byte) []byte { b[32] &^= authenticator.FlagAT; return b }), authenticatorData)
	add("R42 neither", fields(func(d *authenticator.AuthenticatorData) { d.Flags &^= authenticator.FlagAT }), authenticatorData)
	add("R42 AT without data", data(func(b []byte) []byte { return b[:37] }), authenticatorData)
	extended := func(rest ...byte) authenticator.Hostile {
		return fields(func(d *authenticator.AuthenticatorData) { d.Flags |= authenticator.FlagED; d.Rest = rest })
	}
	add("R43 ED without data", extended(), authenticatorData)
	add("R43 ED not a map", extended(0x80), authenticatorData)
	add("R43 ED null", extended(0xf6), authenticatorData)
	add("R43 ED garbage", extended(0xff), authenticatorData)
	add("R43 ED duplicate", extended(0xa2, 0x61, 'a', 1, 0x61, 'a', 2), authenticatorData)
	add("R43 data without ED", fields(func(d *authenticator.AuthenticatorData) { d.Rest = []byte{0xa0} }), authenticatorData)
	add("R43 (+) credProtect unasked", extended(append([]byte{0xa1, 0x6b}, "credProtect\x02"...)...), accepted)
	add("R43 (+) credProtect of the wrong type", extended(append([]byte{0xa1, 0x6b}, "credProtect\x61x"...)...), accepted)
	add("R44 byte behind the key", fields(func(d *authenticator.AuthenticatorData) { d.Rest = []byte{0} }), authenticatorData)
	add("R44 byte behind the extensions", extended(0xa0, 0), authenticatorData)
	for _, n := range []int{0, 1, 36, 37, 52, 54, 55, 60, 86} {
		add(fmt.Sprintf("R45 cut to %d", n), data(func(b []byte) []byte { return b[:n] }), authenticatorData)
	}
	add("R45 cut to 87", data(func(b []byte) []byte { return b[:87] }), malformed(ceremony.ReasonPublicKey))
	add("R45 cut to 100", data(func(b []byte) []byte { return b[:100] }), malformed(ceremony.ReasonPublicKey))
	add("R45 cut by one", data(func(b []byte) []byte { return b[:len(b)-1] }), malformed(ceremony.ReasonPublicKey))
	add("R46 id length beyond the end", data(func(b []byte) []byte { b[53] = 0xff; return b }), authenticatorData)

	withID := func(n int) authenticator.Hostile {
		id := bytes.Repeat([]byte{7}, n)
		text := base64.RawURLEncoding.EncodeToString(id)
		return authenticator.Hostile{
			AuthenticatorData: func(d *authenticator.AuthenticatorData) { d.CredentialID = id },
			Response:          func(m map[string]any) { m["id"], m["rawId"] = text, text },
		}
	}
	add("R47 id of 0", withID(0), malformed(ceremony.ReasonEnvelope))
	add("R47 id of 1", withID(1), refused(ceremony.ReasonCredentialID))
	add("R47 id of 15", withID(15), refused(ceremony.ReasonCredentialID))
	add("R47 (+) id of 16", withID(16), accepted)
	add("R48 (+) id of 1023", withID(1023), accepted)
	add("R48 id of 1024", withID(1024), malformed(ceremony.ReasonEnvelope))
	add("R48 id of 2000", withID(2000), malformed(ceremony.ReasonEnvelope))
	runRegistrations(t, cases)
}

// addSharedAuthenticatorData adds the rows about what both ceremonies check.
func addSharedAuthenticatorData(rpIDRow, upRow, uvRow, bsRow string, fields func(func(*authenticator.AuthenticatorData)) authenticator.Hostile, add func(string, authenticator.Hostile, verdict)) {
	hash := func(s string) func(*authenticator.AuthenticatorData) {
		return func(d *authenticator.AuthenticatorData) { d.RPIDHash = sha256.Sum256([]byte(s)) }
	}
	add(rpIDRow+" other domain", fields(hash("example.org")), refused(ceremony.ReasonRPID))
	add(rpIDRow+" the origin", fields(hash(origin)), refused(ceremony.ReasonRPID))
	add(rpIDRow+" zeros", fields(func(d *authenticator.AuthenticatorData) { clear(d.RPIDHash[:]) }), refused(ceremony.ReasonRPID))
	add(upRow+" UP=0", fields(func(d *authenticator.AuthenticatorData) { d.Flags &^= authenticator.FlagUP }), refused(ceremony.ReasonUserPresence))
	add(uvRow+" UV=0", fields(func(d *authenticator.AuthenticatorData) { d.Flags &^= authenticator.FlagUV }), refused(ceremony.ReasonUserVerification))
	add(bsRow+" BE=0 BS=1", fields(func(d *authenticator.AuthenticatorData) { d.Flags |= authenticator.FlagBS }), refused(ceremony.ReasonBackupFlags))
}

func TestRegistrationKey(t *testing.T) {
	algorithm, publicKey := refused(ceremony.ReasonAlgorithm), refused(ceremony.ReasonPublicKey)
	var cases []registrationCase
	add := func(name string, alg int64, want verdict, hook func(authenticator.COSEKey)) {
		cases = append(cases, registrationCase{
			name:    name,
			config:  authenticator.Config{Algorithms: []int64{alg}},
			hostile: authenticator.Hostile{PublicKey: hook},
			want:    want,
		})
	}
	label := func(label int64, value any) func(authenticator.COSEKey) {
		return func(k authenticator.COSEKey) { k[label] = value }
	}
	without := func(label int64) func(authenticator.COSEKey) {
		return func(k authenticator.COSEKey) { delete(k, label) }
	}
	replaced := func(key authenticator.COSEKey) func(authenticator.COSEKey) {
		return func(k authenticator.COSEKey) {
			clear(k)
			for label, value := range key {
				k[label] = value
			}
		}
	}
	const es256, eddsa = authenticator.ES256, authenticator.EdDSA
	b32 := bytes.Repeat([]byte{9}, 32)

	add("R49 ES256K", es256, algorithm, label(3, -47))
	add("R49 RS1", es256, algorithm, label(3, -65535))
	add("R49 ES384", es256, algorithm, label(3, -35))
	add("R49 alg missing", es256, algorithm, without(3))
	add("R49 alg string", es256, algorithm, label(3, "ES256"))
	add("R49 alg beyond 64 bits", es256, algorithm, label(3, uint64(1<<64-7)))

	add("R50 kty missing", es256, publicKey, without(1))
	add("R50 OKP with -7", es256, publicKey, label(1, 1))
	add("R50 OKP key with -7", eddsa, publicKey, label(3, -7))
	add("R50 RSA with -7", es256, publicKey, replaced(authenticator.COSEKey{1: 3, 3: -7, -1: b32, -2: []byte{1, 0, 1}}))
	add("R50 symmetric with -7", es256, publicKey, replaced(authenticator.COSEKey{1: 4, 3: -7, -1: b32}))
	add("R50 EC2 with -8", es256, publicKey, label(3, -8))
	add("R50 EC2 with -257", es256, publicKey, label(3, -257))
	add("R51 P-384", es256, publicKey, label(-1, 2))
	add("R51 crv missing", es256, publicKey, without(-1))

	add("R52 off the curve", es256, publicKey, label(-3, b32))
	add("R52 (0,0)", es256, publicKey, func(k authenticator.COSEKey) { k[-2], k[-3] = make([]byte, 32), make([]byte, 32) })
	add("R52 x beyond p", es256, publicKey, label(-2, bytes.Repeat([]byte{0xff}, 32)))
	add("R53 x of 31", es256, publicKey, func(k authenticator.COSEKey) { k[-2] = k[-2].([]byte)[:31] })
	add("R53 x of 33", es256, publicKey, func(k authenticator.COSEKey) { k[-2] = append([]byte{0}, k[-2].([]byte)...) })
	add("R53 x of 33 and y of 31", es256, publicKey, func(k authenticator.COSEKey) {
		x, y := k[-2].([]byte), k[-3].([]byte)
		k[-2], k[-3] = append(bytes.Clone(x), y[0]), y[1:]
	})
	add("R53 y missing", es256, publicKey, without(-3))
	add("R53 y compressed", es256, publicKey, label(-3, true))

	add("R54 31 bytes", eddsa, publicKey, label(-2, b32[:31]))
	add("R54 33 bytes", eddsa, publicKey, label(-2, append(b32, 0)))
	add("R54 X25519", eddsa, publicKey, label(-1, 4))
	add("R54 Ed448", eddsa, publicKey, label(-1, 7))
	add("R54 OKP of kty 2", eddsa, publicKey, label(1, 2))
	add("R54 not on the curve", eddsa, publicKey, label(-2, append([]byte{2}, make([]byte, 31)...)))
	for name, point := range smallOrderPoints() {
		add("R55 "+name, eddsa, publicKey, label(-2, point))
	}

	rsa := func(name string, want verdict, n *big.Int, e ...byte) {
		add(name, es256, want, replaced(authenticator.COSEKey{1: 3, 3: -257, -1: n.Bytes(), -2: e}))
	}
	odd := func(bits uint) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return n.Add(n, big.NewInt(1))
	}
	for _, bits := range []uint{512, 1024, 2047, 4097, 16384, 65536} {
		rsa(fmt.Sprintf("R56 %d bits", bits), publicKey, odd(bits), 1, 0, 1)
	}
	for _, bits := range []uint{2048, 3072, 3482, 4096} {
		rsa(fmt.Sprintf("R56 (+) %d bits", bits), accepted, odd(bits), 1, 0, 1)
	}
	rsa("R56 e=1", publicKey, odd(2048), 1)
	rsa("R56 e=3", publicKey, odd(2048), 3)
	rsa("R56 e=65536", publicKey, odd(2048), 1, 0, 0)
	rsa("R56 e=65538", publicKey, odd(2048), 1, 0, 2)
	rsa("R56 (+) e=2^31-1", accepted, odd(2048), 0x7f, 0xff, 0xff, 0xff)
	rsa("R56 e=2^31+1", publicKey, odd(2048), 0x80, 0, 0, 1)
	rsa("R56 e of nine bytes", publicKey, odd(2048), 1, 0, 0, 0, 0, 0, 0, 0, 1)
	rsa("R56 e with leading zero", publicKey, odd(2048), 0, 1, 0, 1)
	rsa("R56 e empty", publicKey, odd(2048))
	rsa("R56 n empty", publicKey, new(big.Int), 1, 0, 1)
	rsa("R56 n even", publicKey, new(big.Int).Sub(odd(2048), big.NewInt(1)), 1, 0, 1)
	add("R56 RSA of kty 2", es256, publicKey, replaced(authenticator.COSEKey{1: 2, 3: -257, -1: odd(2048).Bytes(), -2: []byte{1, 0, 1}}))

	add("R58 EC2 with d", es256, publicKey, label(-4, b32))
	add("R58 OKP with d", eddsa, publicKey, label(-4, b32))
	add("R58 RSA with d", es256, publicKey, replaced(authenticator.COSEKey{1: 3, 3: -257, -1: odd(2048).Bytes(), -2: []byte{1, 0, 1}, -3: b32}))
	add("R58 key_ops", es256, publicKey, label(4, []int{2}))

	for name, raw := range map[string]func([]byte) []byte{
		"R57 not a map":       func([]byte) []byte { return []byte{0x80} },
		"R57 null":            func([]byte) []byte { return []byte{0xf6} },
		"R57 duplicate label": func(b []byte) []byte { return append([]byte{b[0] + 1, 1, 2}, b[1:]...) },
		"R57 duplicate label, spelled at length": func(b []byte) []byte {
			return append([]byte{b[0] + 1, 0x18, 1, 2}, b[1:]...)
		},
		"R57 indefinite": func(b []byte) []byte { return append(append([]byte{0xbf}, b[1:]...), 0xff) },
		"R57 text label": func(b []byte) []byte { return append([]byte{b[0] + 1, 0x61, '1', 2}, b[1:]...) },
	} {
		cases = append(cases, registrationCase{
			name: name, hostile: authenticator.Hostile{PublicKeyCBOR: raw}, want: malformed(ceremony.ReasonPublicKey),
		})
	}
	runRegistrations(t, cases)
}

func TestRegistrationAttestation(t *testing.T) {
	var cases []registrationCase
	object := func(name string, want verdict, hook func([]byte) []byte) {
		cases = append(cases, registrationCase{name: name, hostile: authenticator.Hostile{AttestationObject: hook}, want: want})
	}
	members := func(name string, want verdict, hook func(map[string]any)) {
		cases = append(cases, registrationCase{name: name, hostile: authenticator.Hostile{Attestation: hook}, want: want})
	}
	packed := func(name string, want verdict, h authenticator.Hostile) {
		cases = append(cases, registrationCase{name: name, config: authenticator.Config{SelfAttestation: true}, hostile: h, want: want})
	}
	statement := func(hook func(map[string]any)) authenticator.Hostile {
		return authenticator.Hostile{Attestation: func(m map[string]any) { hook(m["attStmt"].(map[string]any)) }}
	}
	malformedObject, attestation := malformed(ceremony.ReasonAttestationObject), refused(ceremony.ReasonAttestation)

	object("R59 not a map", malformedObject, func([]byte) []byte { return []byte{0x80} })
	object("R59 truncated", malformedObject, func(b []byte) []byte { return b[:len(b)-1] })
	object("R59 trailing", malformedObject, func(b []byte) []byte { return append(b, 0) })
	object("R59 tag", malformedObject, func(b []byte) []byte { return append([]byte{0xd9, 0xd9, 0xf7}, b...) })
	object("R59 indefinite", malformedObject, func(b []byte) []byte { return append(append([]byte{0xbf}, b[1:]...), 0xff) })
	object("R59 duplicate", malformedObject, func(b []byte) []byte {
		return append([]byte{b[0] + 1, 0x63, 'f', 'm', 't', 0x64, 'n', 'o', 'n', 'e'}, b[1:]...)
	})
	object("R59 deep", malformedObject, func([]byte) []byte { return append(bytes.Repeat([]byte{0x81}, 10_000), 0) })
	object("R59 huge length", malformedObject, func([]byte) []byte { return []byte{0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff} })
	members("R60 fmt missing", malformedObject, drop("fmt"))
	members("R60 fmt number", malformedObject, set("fmt", 1))
	members("R60 fmt unknown", attestation, set("fmt", "unknown"))
	members("R60 fmt None", attestation, set("fmt", "None"))
	members("R60 names in other case", malformedObject, func(m map[string]any) {
		m["Fmt"] = m["fmt"]
		delete(m, "fmt")
	})
	members("R61 none with a statement", attestation, set("attStmt", map[string]any{"alg": -7}))
	members("R62 statement missing", malformedObject, drop("attStmt"))
	members("R62 statement null", malformedObject, set("attStmt", nil))
	members("R62 statement array", malformedObject, set("attStmt", []any{}))
	members("R62 statement with number names", malformedObject, set("attStmt", map[int]any{1: 1}))
	members("R63 authData missing", malformedObject, drop("authData"))
	members("R63 authData text", malformedObject, set("authData", "x"))
	members("R63 authData of numbers", malformedObject, func(m map[string]any) {
		var numbers []int
		for _, b := range m["authData"].([]byte) {
			numbers = append(numbers, int(b))
		}
		m["authData"] = numbers
	})
	members("(+) unknown member", accepted, set("epAtt", false))

	packed("R64 other alg", attestation, statement(set("alg", -257)))
	packed("R64 alg missing", attestation, statement(drop("alg")))
	packed("R64 alg string", attestation, statement(set("alg", "-7")))
	packed("R64 sig tampered", attestation, authenticator.Hostile{Sign: func(m []byte, sign func([]byte) []byte) []byte {
		s := sign(m)
		s[len(s)-1] ^= 1
		return s
	}})
	packed("R64 sig empty", attestation, statement(set("sig", []byte{})))
	packed("R64 sig missing", attestation, statement(drop("sig")))
	packed("R64 sig text", attestation, statement(set("sig", "x")))
	packed("R64 empty", attestation, statement(func(m map[string]any) { clear(m) }))
	packed("R64 none under another name", attestation, authenticator.Hostile{Attestation: set("attStmt", map[string]any{})})
	packed("R65 x5c empty", attestation, statement(set("x5c", []any{})))
	packed("R65 x5c garbage", attestation, statement(set("x5c", []any{[]byte("x")})))
	packed("R65 x5c string", attestation, statement(set("x5c", "x")))
	packed("R65 ecdaaKeyId", attestation, statement(set("ecdaaKeyId", []byte("x"))))
	packed("R66 other client data", attestation, authenticator.Hostile{ToBeSigned: func(m []byte) []byte { m[len(m)-1] ^= 1; return m }})
	packed("R66 other key", attestation, authenticator.Hostile{PublicKey: func(k authenticator.COSEKey) {
		k[-2], k[-3] = otherPoint()
	}})
	for _, format := range []string{"fido-u2f", "tpm", "android-key", "android-safetynet", "apple", "compound"} {
		members("R67 "+format+" empty", attestation, set("fmt", format))
		members("R67 "+format+" garbage", attestation, func(m map[string]any) {
			m["fmt"] = format
			m["attStmt"] = []any{map[string]any{"fmt": "none", "attStmt": cbor.RawMessage{0xa0}}, "x"}
		})
	}
	runRegistrations(t, cases)
}

// otherPoint returns the coordinates of the generator of P-256, which is a fine
// public key that nobody uses.
func otherPoint() (x, y []byte) {
	gx, _ := new(big.Int).SetString("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296", 16)
	gy, _ := new(big.Int).SetString("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5", 16)
	return gx.Bytes(), gy.Bytes()
}

// The challenge belongs to the user it was issued to (R26).
func TestRegistrationOfAnotherUser(t *testing.T) {
	rp := newRelyingParty(t)
	options, state, err := rp.BeginRegistration(alice(), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := authenticator.New(authenticator.Config{}).Create(origin, mustJSON(t, options))
	if err != nil {
		t.Fatal(err)
	}
	r := decodeRegistration(t, body)
	_, err = rp.FinishRegistration(ceremony.User{Handle: []byte("mallory")}, state, r)
	if got, want := judge(t, err), refused(ceremony.ReasonUserHandle); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
