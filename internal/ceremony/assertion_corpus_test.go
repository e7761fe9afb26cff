package ceremony_test

import (
	"bytes"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/webauthn"
)

func decodeRegistration(t testing.TB, body []byte) webauthn.RegistrationResponse {
	t.Helper()
	var r webauthn.RegistrationResponse
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// assertionCase is one hostile assertion by a passkey of its own.
type assertionCase struct {
	name    string
	config  authenticator.Config
	stored  func(*ceremony.Credential) // edits the passkey after registration
	hostile authenticator.Hostile
	want    verdict
}

func runAssertions(t *testing.T, cases []assertionCase) {
	rp := newRelyingParty(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.config.Algorithms == nil {
				c.config.Algorithms = []int64{authenticator.ES256}
			}
			a := authenticator.New(c.config)
			credential := register(t, rp, a)
			if c.stored != nil {
				c.stored(&credential)
			}
			owned := []ceremony.Credential{credential}
			if _, got := tryAssert(t, rp, a, owned, owned, c.hostile, nil); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A06, A08, A09 and A10 are the client data rows of the registration again.
func TestAssertionClientData(t *testing.T) {
	runClientData(t, "A06-A10/R", "webauthn.get", func(name string, h authenticator.Hostile, want verdict) {
		runAssertions(t, []assertionCase{{name: name, hostile: h, want: want}})
	})
}

func TestAssertionEnvelope(t *testing.T) {
	answer := func(hook func(map[string]any)) authenticator.Hostile { return authenticator.Hostile{Response: hook} }
	response := func(hook func(map[string]any)) authenticator.Hostile { return answer(inResponse(hook)) }
	b64 := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	authenticatorData := malformed(ceremony.ReasonAuthenticatorData)
	var cases []assertionCase
	add := func(name string, h authenticator.Hostile, want verdict) {
		cases = append(cases, assertionCase{name: name, hostile: h, want: want})
	}
	add("A01 id missing", answer(drop("id")), malformed(ceremony.ReasonEnvelope))
	add("A01 id differs", answer(set("id", "AAAA")), malformed(ceremony.ReasonEnvelope))
	add("A01 id too long", answer(func(m map[string]any) {
		long := b64(string(make([]byte, 1024)))
		m["id"], m["rawId"] = long, long
	}), malformed(ceremony.ReasonEnvelope))
	add("A01 rawId missing", answer(drop("rawId")), malformed(ceremony.ReasonEnvelope))
	add("A01 type missing", answer(drop("type")), malformed(ceremony.ReasonEnvelope))
	add("A01 type password", answer(set("type", "password")), malformed(ceremony.ReasonEnvelope))
	add("A01 response null", answer(set("response", nil)), malformed(ceremony.ReasonClientData))
	add("A01 clientDataJSON missing", response(drop("clientDataJSON")), malformed(ceremony.ReasonClientData))
	add("A02 authenticatorData missing", response(drop("authenticatorData")), authenticatorData)
	add("A02 authenticatorData empty", response(set("authenticatorData", "")), authenticatorData)
	add("A02 authenticatorData number", response(set("authenticatorData", 1)), malformed(undecodable))
	add("A02 authenticatorData of 36", authenticator.Hostile{AuthenticatorDataBytes: func(b []byte) []byte { return b[:36] }}, authenticatorData)
	add("A03 signature missing", response(drop("signature")), malformed(ceremony.ReasonSignature))
	add("A03 signature empty", response(set("signature", "")), malformed(ceremony.ReasonSignature))
	add("A03 signature number", response(set("signature", 1)), malformed(undecodable))
	add("A04 userHandle number", response(set("userHandle", 1)), malformed(undecodable))
	add("A05 userHandle of another", response(set("userHandle", b64("mallory"))), refused(ceremony.ReasonUserHandle))
	add("A05 userHandle raw", response(set("userHandle", "alice@example.com")), malformed(undecodable))
	add("A05 userHandle of 100 KB", response(set("userHandle", b64(string(make([]byte, 100_000))))), refused(ceremony.ReasonUserHandle))
	add("A05 (+) userHandle null", response(set("userHandle", nil)), accepted)
	add("A05 (+) userHandle empty", response(set("userHandle", "")), accepted)
	add("A05 (+) userHandle absent", response(drop("userHandle")), accepted)
	add("A11 appid:true", authenticator.Hostile{
		AuthenticatorData: func(d *authenticator.AuthenticatorData) { clear(d.RPIDHash[:]) },
		Response:          set("clientExtensionResults", map[string]any{"appid": true}),
	}, refused(ceremony.ReasonRPID))
	add("(+) appid:false unasked", answer(set("clientExtensionResults", map[string]any{"appid": false})), accepted)
	add("A39 a registration", response(func(m map[string]any) {
		delete(m, "authenticatorData")
		delete(m, "signature")
		m["attestationObject"] = "AAAA"
	}), authenticatorData)
	runAssertions(t, cases)
}

func TestAssertionAuthenticatorData(t *testing.T) {
	fields := func(hook func(*authenticator.AuthenticatorData)) authenticator.Hostile {
		return authenticator.Hostile{AuthenticatorData: hook}
	}
	flags := func(set, unset byte, rest ...byte) authenticator.Hostile {
		return fields(func(d *authenticator.AuthenticatorData) {
			d.Flags = d.Flags&^unset | set
			d.Rest = rest
		})
	}
	authenticatorData := malformed(ceremony.ReasonAuthenticatorData)
	synced := authenticator.Config{BackupEligible: true, BackedUp: true}
	var cases []assertionCase
	add := func(name string, h authenticator.Hostile, want verdict) {
		cases = append(cases, assertionCase{name: name, hostile: h, want: want})
	}
	addSharedAuthenticatorData("A11", "A12", "A13", "A14", fields, add)
	add("A14 (+) BE 0 to 1", flags(authenticator.FlagBE, 0), accepted)
	add("A14 (+) BE and BS 0 to 1", flags(authenticator.FlagBE|authenticator.FlagBS, 0), accepted)
	cases = append(cases,
		assertionCase{name: "A14 (+) BE and BS 1 to 0", config: synced, hostile: flags(0, authenticator.FlagBE|authenticator.FlagBS), want: accepted},
		assertionCase{name: "A14 BE 1 to 0, BS stays", config: synced, hostile: flags(0, authenticator.FlagBE), want: refused(ceremony.ReasonBackupFlags)},
		assertionCase{name: "A14 (+) BS 1 to 0", config: synced, hostile: flags(0, authenticator.FlagBS), want: accepted},
		assertionCase{name: "A14 (+) BS 0 to 1", config: authenticator.Config{BackupEligible: true}, hostile: flags(authenticator.FlagBS, 0), want: accepted},
	)
	cut := authenticator.Hostile{AuthenticatorDataBytes: func(b []byte) []byte { b[32] |= authenticator.FlagAT; return b }}
	add("A15 AT without data", cut, authenticatorData)
	add("A15 ED without data", flags(authenticator.FlagED, 0), authenticatorData)
	add("A15 ED garbage", flags(authenticator.FlagED, 0, 0xff), authenticatorData)
	add("A15 data without ED", flags(0, 0, 0xa0), authenticatorData)
	add("A15 byte behind", flags(authenticator.FlagED, 0, 0xa0, 0), authenticatorData)
	add("A15 (+) ED with a map", flags(authenticator.FlagED, 0, 0xa0), accepted)
	x, y := otherPoint()
	add("A16 AT with data", fields(func(d *authenticator.AuthenticatorData) {
		d.Flags |= authenticator.FlagAT
		d.CredentialID = bytes.Repeat([]byte{1}, 32)
		d.PublicKey = append(append(append([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, x...), 0x22, 0x58, 32), y...)
	}), refused(ceremony.ReasonAuthenticatorData))
	runAssertions(t, cases)
}

func TestAssertionSignature(t *testing.T) {
	signed := func(hook func(message []byte, sign func([]byte) []byte) []byte) authenticator.Hostile {
		return authenticator.Hostile{Sign: hook}
	}
	signature := func(hook func([]byte) []byte) authenticator.Hostile {
		return signed(func(message []byte, sign func([]byte) []byte) []byte { return hook(sign(message)) })
	}
	der := func(r, s *big.Int) []byte {
		raw, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	parse := func(raw []byte) (r, s *big.Int) {
		var v struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		return v.R, v.S
	}
	n := elliptic.P256().Params().N
	bad := refused(ceremony.ReasonSignature)
	cases := []assertionCase{
		{name: "A17 tampered", hostile: signature(func(s []byte) []byte { s[len(s)-1] ^= 1; return s }), want: bad},
		{name: "A17 data changed afterwards", hostile: signed(func(m []byte, sign func([]byte) []byte) []byte {
			return sign(append([]byte{m[0] ^ 1}, m[1:]...))
		}), want: bad},
		{name: "A17 over the authenticator data alone", hostile: authenticator.Hostile{ToBeSigned: func(m []byte) []byte { return m[:len(m)-32] }}, want: bad},
		{name: "A17 over the client data hash alone", hostile: authenticator.Hostile{ToBeSigned: func(m []byte) []byte { return m[len(m)-32:] }}, want: bad},
		{name: "A18 r and s bare", hostile: signature(func(raw []byte) []byte {
			r, s := parse(raw)
			return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}), want: bad},
		{name: "A18 byte behind", hostile: signature(func(s []byte) []byte { return append(s, 0) }), want: bad},
		{name: "A18 zeros", hostile: signature(func([]byte) []byte { return der(new(big.Int), new(big.Int)) }), want: bad},
		{name: "A18 r and s of n", hostile: signature(func([]byte) []byte { return der(n, n) }), want: bad},
		{name: "A19 (+) high s", hostile: signature(func(raw []byte) []byte {
			r, s := parse(raw)
			if s.Cmp(new(big.Int).Rsh(n, 1)) <= 0 {
				s.Sub(n, s)
			}
			return der(r, s)
		}), want: accepted},
		{name: "A19 (+) low s", hostile: signature(func(raw []byte) []byte {
			r, s := parse(raw)
			if s.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
				s.Sub(n, s)
			}
			return der(r, s)
		}), want: accepted},
		{name: "A20 RS256 of 255 bytes", config: authenticator.Config{Algorithms: []int64{authenticator.RS256}}, hostile: signature(func(s []byte) []byte { return s[1:] }), want: bad},
		{name: "A20 EdDSA of 63 bytes", config: authenticator.Config{Algorithms: []int64{authenticator.EdDSA}}, hostile: signature(func(s []byte) []byte { return s[:63] }), want: bad},
		{name: "A21 1 MB", hostile: signature(func([]byte) []byte { return make([]byte, 1<<20) }), want: bad},
		{name: "a key that should not be in the database", stored: func(c *ceremony.Credential) { c.PublicKey = []byte{0xa0} }, want: refused(ceremony.ReasonPublicKey)},
		{name: "an oversized key that should not be in the database", stored: func(c *ceremony.Credential) {
			c.PublicKey = append(append([]byte{0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, 8, 0}, bytes.Repeat([]byte{0xff}, 2048)...), 0x21, 0x43, 1, 0, 1)
		}, want: refused(ceremony.ReasonPublicKey)},
	}
	runAssertions(t, cases)
}

func TestAssertionCredential(t *testing.T) {
	rp := newRelyingParty(t)
	a := authenticator.New(authenticator.Config{Algorithms: []int64{authenticator.ES256}})
	first, second, third := register(t, rp, a), register(t, rp, a), register(t, rp, a)
	both := []ceremony.Credential{first, second}
	by := func(c ceremony.Credential) authenticator.Hostile {
		return authenticator.Hostile{CredentialID: c.ID}
	}
	renamed := func(from, to ceremony.Credential) authenticator.Hostile {
		id := base64.RawURLEncoding.EncodeToString(to.ID)
		return authenticator.Hostile{CredentialID: from.ID, Response: func(m map[string]any) { m["id"], m["rawId"] = id, id }}
	}
	for _, row := range []struct {
		name           string
		offered, owned []ceremony.Credential
		hostile        authenticator.Hostile
		want           verdict
	}{
		{"A22 A23 unknown to the user", both, both, by(third), refused(ceremony.ReasonUnknownCredential)},
		{"A22 the user owns none", both, nil, by(first), refused(ceremony.ReasonUnknownCredential)},
		{"A24 other id, same key", both, both, renamed(first, second), refused(ceremony.ReasonSignature)},
		{"A25 registered after the options", both, []ceremony.Credential{first, second, third}, by(third), refused(ceremony.ReasonNotOffered)},
		{"A26 deleted after the options", both, []ceremony.Credential{second}, by(first), refused(ceremony.ReasonUnknownCredential)},
		{"A27 (+) another deleted after the options", both, []ceremony.Credential{second}, by(second), accepted},
		{"(+) another registered after the options", both, []ceremony.Credential{third, second, first}, by(first), accepted},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, got := tryAssert(t, rp, a, row.offered, row.owned, row.hostile, nil); got != row.want {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}

func TestAssertionCounter(t *testing.T) {
	counts := func(received uint32) authenticator.Hostile {
		return authenticator.Hostile{AuthenticatorData: func(d *authenticator.AuthenticatorData) { d.SignCount = received }}
	}
	stored := func(n uint32) func(*ceremony.Credential) {
		return func(c *ceremony.Credential) { c.SignCount = n }
	}
	runAssertions(t, []assertionCase{
		{name: "A28 (+) 5 to 6", stored: stored(5), hostile: counts(6), want: accepted},
		{name: "A28 5 to 5", stored: stored(5), hostile: counts(5), want: refused(ceremony.ReasonCounter)},
		{name: "A28 5 to 4", stored: stored(5), hostile: counts(4), want: refused(ceremony.ReasonCounter)},
		{name: "A28 5 to 0", stored: stored(5), hostile: counts(0), want: refused(ceremony.ReasonCounter)},
		{name: "A29 (+) 0 to 0", stored: stored(0), hostile: counts(0), want: accepted},
		{name: "A29 (+) 0 to 1", stored: stored(0), hostile: counts(1), want: accepted},
		{name: "A29 1 to 0", stored: stored(1), hostile: counts(0), want: refused(ceremony.ReasonCounter)},
		{name: "the end of the counter", stored: stored(1<<32 - 1), hostile: counts(0), want: refused(ceremony.ReasonCounter)},
	})
}

// A bad signature says nothing about a counter, and must not be able to accuse
// a passkey of having been copied.
func TestSignatureComesBeforeCounter(t *testing.T) {
	runAssertions(t, []assertionCase{{
		name:    "both wrong",
		stored:  func(c *ceremony.Credential) { c.SignCount = 5 },
		hostile: authenticator.Hostile{ToBeSigned: func(m []byte) []byte { return m[1:] }},
		want:    refused(ceremony.ReasonSignature),
	}})
}

// The state belongs to the user it was begun for (A35).
func TestAssertionOfAnotherUser(t *testing.T) {
	rp := newRelyingParty(t)
	a := authenticator.New(authenticator.Config{})
	owned := []ceremony.Credential{register(t, rp, a)}
	options, state, err := rp.BeginAssertion(alice(), owned)
	if err != nil {
		t.Fatal(err)
	}
	body, err := a.Get(origin, mustJSON(t, options))
	if err != nil {
		t.Fatal(err)
	}
	var response webauthn.AuthenticationResponse
	if err := json.Unmarshal(body, &response); err != nil {
		t.Fatal(err)
	}
	response.Response.UserHandle = nil
	_, err = rp.FinishAssertion(ceremony.User{Handle: []byte("mallory")}, state, owned, response)
	if got, want := judge(t, err), refused(ceremony.ReasonUserHandle); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestChallenge(t *testing.T) {
	rp := newRelyingParty(t)
	options, state, err := rp.BeginRegistration(alice(), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := authenticator.New(authenticator.Config{}).Create(origin, mustJSON(t, options))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ceremony.Challenge(decodeRegistration(t, body).Response.ClientDataJSON)
	if err != nil || !bytes.Equal(got, state.Challenge()) {
		t.Errorf("challenge %x, %v, want %x", got, err, state.Challenge())
	}
	for clientData, want := range map[string]ceremony.Reason{
		``:                                 ceremony.ReasonClientData,
		`null`:                             ceremony.ReasonClientData,
		`{"challenge":1}`:                  ceremony.ReasonClientData,
		`{"challenge":"AA","Challenge":1}`: ceremony.ReasonClientData,
		`{}`:                               ceremony.ReasonChallenge,
		`{"challenge":""}`:                 ceremony.ReasonChallenge,
		`{"challenge":"AA=="}`:             ceremony.ReasonChallenge,
		`{"challenge":"A+"}`:               ceremony.ReasonChallenge,
	} {
		_, err := ceremony.Challenge([]byte(clientData))
		if got := judge(t, err); got != malformed(want) {
			t.Errorf("%s: got %v, want %v", clientData, got, malformed(want))
		}
	}
}
