package authenticator_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

const origin = "https://login.example.com"

const (
	allAlgorithms = `[{"type":"public-key","alg":-8},{"type":"public-key","alg":-7},{"type":"public-key","alg":-257}]`
	usual         = `{"residentKey":"preferred","userVerification":"required"}`
)

func creationWith(algorithms, selection, extra string) []byte {
	return []byte(`{"challenge":"AQID","rp":{"id":"example.com","name":"Example"},"user":{"id":"dXNlcg","name":"a","displayName":"A"},
		"pubKeyCredParams":` + algorithms + `,"authenticatorSelection":` + selection + `,"extensions":{"credProps":true}` + extra + `}`)
}

// creation returns registration options with extra members.
func creation(extra string) []byte { return creationWith(allAlgorithms, usual, extra) }

// selecting returns registration options with that authenticatorSelection.
func selecting(selection string) []byte { return creationWith(allAlgorithms, selection, "") }

func request(extra string) []byte {
	return []byte(`{"challenge":"AQID","rpId":"example.com","userVerification":"required"` + extra + `}`)
}

func list(name string, ids ...[]byte) string {
	text := `,"` + name + `":[`
	for i, id := range ids {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(`{"type":"public-key","id":%q}`, base64.RawURLEncoding.EncodeToString(id))
	}
	return text + `]`
}

// binary is a base64url member of an answer.
type binary []byte

func (b *binary) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.DecodeString(string(text))
	return err
}

type answer struct {
	ID       binary `json:"id"`
	RawID    binary `json:"rawId"`
	Type     string `json:"type"`
	Response struct {
		ClientDataJSON     binary   `json:"clientDataJSON"`
		AttestationObject  binary   `json:"attestationObject"`
		AuthenticatorData  binary   `json:"authenticatorData"`
		PublicKey          binary   `json:"publicKey"`
		PublicKeyAlgorithm int64    `json:"publicKeyAlgorithm"`
		Transports         []string `json:"transports"`
		Signature          binary   `json:"signature"`
		UserHandle         *binary  `json:"userHandle"`
	} `json:"response"`
	Attachment string `json:"authenticatorAttachment"`
	Extensions struct {
		CredProps *struct {
			RK bool `json:"rk"`
		} `json:"credProps"`
	} `json:"clientExtensionResults"`
}

func parse(t *testing.T, raw []byte, err error) answer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	var a answer
	if err := decoder.Decode(&a); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return a
}

// signed is the message of a signature, put together here once more.
func signed(a answer) []byte {
	hash := sha256.Sum256(a.Response.ClientDataJSON)
	return slices.Concat(a.Response.AuthenticatorData, hash[:])
}

func verifies(t *testing.T, spki, message, signature []byte) bool {
	t.Helper()
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(message)
	switch public := public.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(public, message, signature)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest[:], signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	default:
		t.Fatalf("a key of type %T", public)
		return false
	}
}

func TestAnswersVerify(t *testing.T) {
	for _, alg := range []int64{authenticator.EdDSA, authenticator.ES256, authenticator.RS256} {
		t.Run(fmt.Sprint(alg), func(t *testing.T) {
			a := authenticator.New(authenticator.Config{
				Algorithms:      []int64{alg},
				AAGUID:          [16]byte{1, 2, 3},
				Transports:      []string{"usb"},
				BackupEligible:  true,
				BackedUp:        true,
				CounterStep:     2,
				SelfAttestation: true,
			})
			raw, err := a.Create(origin, creation(""))
			created := parse(t, raw, err)
			if !bytes.Equal(created.ID, created.RawID) || !bytes.Equal(created.ID, a.CredentialIDs()[0]) {
				t.Errorf("ids %x, %x, %x", created.ID, created.RawID, a.CredentialIDs()[0])
			}
			if created.Response.PublicKeyAlgorithm != alg || created.Type != "public-key" {
				t.Errorf("algorithm %d, type %q", created.Response.PublicKeyAlgorithm, created.Type)
			}
			if diff := cmp.Diff([]string{"usb"}, created.Response.Transports); diff != "" {
				t.Errorf("transports (-want +got):\n%s", diff)
			}
			want := `{"type":"webauthn.create","challenge":"AQID","origin":"https://login.example.com","crossOrigin":false}`
			if got := string(created.Response.ClientDataJSON); got != want {
				t.Errorf("client data %s, want %s", got, want)
			}
			var object struct {
				Format    string `cbor:"fmt"`
				AuthData  []byte `cbor:"authData"`
				Statement struct {
					Alg int64  `cbor:"alg"`
					Sig []byte `cbor:"sig"`
				} `cbor:"attStmt"`
			}
			if err := cbor.Unmarshal(created.Response.AttestationObject, &object); err != nil {
				t.Fatal(err)
			}
			if object.Format != "packed" || object.Statement.Alg != alg || !verifies(t, created.Response.PublicKey, signed(created), object.Statement.Sig) {
				t.Errorf("the self attestation %q of %d does not verify", object.Format, object.Statement.Alg)
			}
			hash := sha256.Sum256([]byte("example.com"))
			header := append(hash[:], 0x5d, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32)
			if !bytes.HasPrefix(object.AuthData, append(header, created.ID...)) {
				t.Errorf("authenticator data %x", object.AuthData)
			}

			raw, err = a.Get(origin, request(list("allowCredentials", created.ID)))
			got := parse(t, raw, err)
			if !verifies(t, created.Response.PublicKey, signed(got), got.Response.Signature) {
				t.Error("the assertion does not verify")
			}
			if wantData := append(hash[:], 0x1d, 0, 0, 0, 2); !bytes.Equal(got.Response.AuthenticatorData, wantData) {
				t.Errorf("authenticator data %x, want %x", got.Response.AuthenticatorData, wantData)
			}
			if got.Response.UserHandle == nil || string(*got.Response.UserHandle) != "user" {
				t.Errorf("user handle %v", got.Response.UserHandle)
			}
		})
	}
}

func TestAttestationNone(t *testing.T) {
	raw, err := authenticator.New(authenticator.Config{}).Create(origin, creation(""))
	created := parse(t, raw, err)
	want := []byte("\xa3cfmtdnonegattStmt\xa0hauthData")
	if !bytes.HasPrefix(created.Response.AttestationObject, want) {
		t.Errorf("attestation object %q", created.Response.AttestationObject)
	}
	if bytes.Contains(raw, []byte("transports")) {
		t.Errorf("transports were invented: %s", raw)
	}
}

func TestListsAreRespected(t *testing.T) {
	a := authenticator.New(authenticator.Config{})
	for range 2 {
		if _, err := a.Create(origin, creation("")); err != nil {
			t.Fatal(err)
		}
	}
	ids := a.CredentialIDs()
	if _, err := a.Create(origin, creation(list("excludeCredentials", []byte("other"), ids[0]))); !errors.Is(err, authenticator.ErrExcluded) {
		t.Errorf("with an excluded credential: %v", err)
	}
	if _, err := a.Create(origin, creation(list("excludeCredentials", []byte("other")))); err != nil {
		t.Errorf("with the credential of another excluded: %v", err)
	}
	for _, id := range ids {
		raw, err := a.Get(origin, request(list("allowCredentials", []byte("other"), id)))
		if got := parse(t, raw, err); !bytes.Equal(got.ID, id) {
			t.Errorf("answered with %x, want %x", got.ID, id)
		}
	}
	if _, err := a.Get(origin, request(list("allowCredentials", []byte("other")))); !errors.Is(err, authenticator.ErrNotAllowed) {
		t.Errorf("with none of its own allowed: %v", err)
	}
}

func TestDiscoverable(t *testing.T) {
	for _, row := range []struct {
		name      string
		config    authenticator.Config
		selection string
		want      bool
	}{
		{"preferred", authenticator.Config{}, `{"residentKey":"preferred"}`, true},
		{"required", authenticator.Config{}, `{"residentKey":"required"}`, true},
		{"required in the old way", authenticator.Config{}, `{"requireResidentKey":true}`, true},
		{"discouraged", authenticator.Config{}, `{"residentKey":"discouraged"}`, false},
		{"not mentioned", authenticator.Config{}, `{}`, false},
		{"preferred, not possible", authenticator.Config{NotDiscoverable: true}, `{"residentKey":"preferred"}`, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := authenticator.New(row.config)
			raw, err := a.Create(origin, selecting(row.selection))
			created := parse(t, raw, err)
			if created.Extensions.CredProps == nil || created.Extensions.CredProps.RK != row.want {
				t.Errorf("credProps %v, want rk %v", created.Extensions.CredProps, row.want)
			}
			_, err = a.Get(origin, request(""))
			if found := err == nil; found != row.want {
				t.Errorf("found without a list: %v, want %v", found, row.want)
			}
			raw, err = a.Get(origin, request(list("allowCredentials", created.ID)))
			if got := parse(t, raw, err); (got.Response.UserHandle != nil) != row.want {
				t.Errorf("user handle %v, want one: %v", got.Response.UserHandle, row.want)
			}
		})
	}
	impossible := selecting(`{"residentKey":"required"}`)
	if _, err := authenticator.New(authenticator.Config{NotDiscoverable: true}).Create(origin, impossible); !errors.Is(err, authenticator.ErrNotAllowed) {
		t.Errorf("required, not possible: %v", err)
	}
}

func TestClientRules(t *testing.T) {
	a := authenticator.New(authenticator.Config{})
	for _, from := range []string{"https://example.com", origin, "http://login.example.com:8080", "android:apk-key-hash:abc"} {
		if _, err := a.Create(from, creation("")); err != nil {
			t.Errorf("create from %s: %v", from, err)
		}
		if _, err := a.Get(from, request("")); err != nil {
			t.Errorf("get from %s: %v", from, err)
		}
	}
	for _, from := range []string{"https://example.org", "https://evilexample.com", "https://com"} {
		if _, err := a.Create(from, creation("")); !errors.Is(err, authenticator.ErrSecurity) {
			t.Errorf("create from %s: %v", from, err)
		}
		if _, err := a.Get(from, request("")); !errors.Is(err, authenticator.ErrSecurity) {
			t.Errorf("get from %s: %v", from, err)
		}
	}
	if _, err := a.Create(origin, creationWith(`[{"type":"public-key","alg":-35}]`, usual, "")); !errors.Is(err, authenticator.ErrNotSupported) {
		t.Errorf("create with ES384 only: %v", err)
	}
	if _, err := a.Create(origin, []byte(`{`)); err == nil {
		t.Error("options that are no JSON were answered")
	}
	if _, err := a.Get(origin, []byte(`{"rpId":"example.com"}`)); err == nil {
		t.Error("options without a challenge were answered")
	}

	noPIN := authenticator.New(authenticator.Config{NoUserVerification: true})
	if _, err := noPIN.Create(origin, creation("")); !errors.Is(err, authenticator.ErrNotAllowed) {
		t.Errorf("create without user verification: %v", err)
	}
	raw, err := noPIN.CreateWith(origin, creation(""), authenticator.Hostile{IgnoreOptions: true})
	created := parse(t, raw, err)
	if flags := created.Response.AuthenticatorData[32]; flags != authenticator.FlagUP|authenticator.FlagAT {
		t.Errorf("flags %#x", flags)
	}
	if _, err := noPIN.Get(origin, request("")); !errors.Is(err, authenticator.ErrNotAllowed) {
		t.Errorf("get without user verification: %v", err)
	}
}

func TestRandomDecidesEverythingButRSA(t *testing.T) {
	seeded := func() []byte {
		a := authenticator.New(authenticator.Config{
			Algorithms: []int64{authenticator.ES256}, SelfAttestation: true,
			Random: bytes.NewReader(bytes.Repeat([]byte{7}, 64)),
		})
		raw, err := a.Create(origin, creation(""))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if first, second := seeded(), seeded(); !bytes.Equal(first, second) {
		t.Errorf("two runs differ:\n%s\n%s", first, second)
	}
	empty := authenticator.New(authenticator.Config{Random: bytes.NewReader(nil)})
	if _, err := empty.Create(origin, creation("")); err == nil {
		t.Error("a key was made up without randomness")
	}
}

// Each hook changes what it says, and nothing that was computed before it.
func TestHostileHooks(t *testing.T) {
	a := authenticator.New(authenticator.Config{Algorithms: []int64{authenticator.ES256}})
	raw, err := a.CreateWith(origin, creation(""), authenticator.Hostile{
		ClientData:        func(m map[string]any) { m["origin"] = "https://evil.example" },
		ClientDataJSON:    func(b []byte) []byte { return append(b, ' ') },
		PublicKey:         func(k authenticator.COSEKey) { k[3] = -47 },
		PublicKeyCBOR:     func(b []byte) []byte { return append(b, 0xf6) },
		AuthenticatorData: func(d *authenticator.AuthenticatorData) { d.SignCount = 9 },
		Attestation:       func(m map[string]any) { m["fmt"] = "other" },
		AttestationObject: func(b []byte) []byte { return append(b, 0xf7) },
		Response:          func(m map[string]any) { m["type"] = "password" },
	})
	created := parse(t, raw, err)
	want := `{"challenge":"AQID","crossOrigin":false,"origin":"https://evil.example","type":"webauthn.create"} `
	if got := string(created.Response.ClientDataJSON); got != want {
		t.Errorf("client data %q, want %q", got, want)
	}
	data := created.Response.AuthenticatorData
	if data[36] != 9 || data[len(data)-1] != 0xf6 || !bytes.Contains(data, []byte{3, 0x38, 46}) {
		t.Errorf("authenticator data %x", data)
	}
	object := created.Response.AttestationObject
	if !bytes.HasPrefix(object, []byte("\xa3cfmteother")) || object[len(object)-1] != 0xf7 {
		t.Errorf("attestation object %q", object)
	}
	if created.Type != "password" {
		t.Errorf("type %q", created.Type)
	}

	if _, err := a.Create(origin, creation("")); err != nil {
		t.Fatal(err)
	}
	raw, err = a.GetWith(origin, request(""), authenticator.Hostile{
		CredentialID:           created.ID,
		AuthenticatorDataBytes: func(b []byte) []byte { return append(b, 1) },
		Sign: func(message []byte, sign func([]byte) []byte) []byte {
			return append(sign(message), 2)
		},
	})
	got := parse(t, raw, err)
	if !bytes.Equal(got.ID, created.ID) {
		t.Errorf("answered with %x, want %x", got.ID, created.ID)
	}
	n := len(got.Response.Signature) - 1
	if got.Response.Signature[n] != 2 || !verifies(t, created.Response.PublicKey, signed(got), got.Response.Signature[:n]) {
		t.Error("the signature is not over what was changed before it")
	}
	raw, err = a.GetWith(origin, request(""), authenticator.Hostile{ToBeSigned: func([]byte) []byte { return []byte("x") }})
	if got := parse(t, raw, err); verifies(t, created.Response.PublicKey, signed(got), got.Response.Signature) {
		t.Error("the signature is over the honest message")
	}
}
