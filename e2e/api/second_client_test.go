package api_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"testing"
)

// TestSecondClient goes the whole path with a client that shares nothing with
// the others here but the transport that checks answers: written from the
// contract alone, it spells the paths as the original's code does, begins
// ceremonies by GET, and leaves out of its bodies all that the contract lets it
// leave out.
func TestSecondClient(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := secondClient{t, s.origin, &http.Client{Transport: newTransport(t)}, ""}
		c.call("POST", "/auth/signup", `{"username":"Zoë","password":"nine green bottles"}`, 201)
		c.token = c.call("POST", "/auth/signin", `{"username":" zoe\u0308 ","password":"nine green bottles"}`, 201)["accessToken"].(string)

		options := c.call("GET", "/passkeys/register/options", "", 200)
		key := newSecurityKey(t, options["rp"].(map[string]any)["id"].(string))
		client := c.clientData("webauthn.create", options)
		added := c.call("POST", "/passkeys/register/verify", c.credential(key, map[string]any{
			"clientDataJSON":    encode(client),
			"attestationObject": encode(key.attestationObject()),
		}), 201)
		if added["success"] != true {
			t.Errorf("registered: %v", added)
		}

		options = c.call("GET", "/passkeys/auth/options", "", 200)
		allowed := options["allowCredentials"].([]any)[0].(map[string]any)
		if allowed["id"] != encode(key.id) {
			t.Fatalf("asked for %v, want %s", allowed, encode(key.id))
		}
		if transports, guessed := allowed["transports"]; guessed {
			t.Errorf("transports %v, and none were reported", transports)
		}
		client = c.clientData("webauthn.get", options)
		data, signature := key.sign(client)
		c.token = c.call("POST", "/passkeys/auth/verify", c.credential(key, map[string]any{
			"clientDataJSON":    encode(client),
			"authenticatorData": encode(data),
			"signature":         encode(signature),
			"userHandle":        nil,
		}), 201)["accessToken"].(string)

		if done := c.call("GET", "/users/histories", "", 200); done["success"] != true {
			t.Errorf("histories: %v", done)
		}
		profile := c.call("GET", "/users/profile", "", 200)
		if profile["authLevel"] != "full" || profile["passkeyVerified"] != true || profile["username"] != "Zoë" {
			t.Errorf("profile: %v", profile)
		}
	})
}

type secondClient struct {
	t      *testing.T
	origin string
	http   *http.Client
	token  string
}

func (c *secondClient) call(method, path, body string, status int) map[string]any {
	c.t.Helper()
	request, err := http.NewRequest(method, c.origin+path, bytes.NewBufferString(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	var members map[string]any
	if err := json.NewDecoder(response.Body).Decode(&members); err != nil {
		c.t.Fatal(err)
	}
	if response.StatusCode != status {
		c.t.Fatalf("%s %s: %d %v, want %d", method, path, response.StatusCode, members, status)
	}
	return members
}

func (c *secondClient) clientData(kind string, options map[string]any) []byte {
	raw, err := json.Marshal(map[string]any{"type": kind, "challenge": options["challenge"], "origin": c.origin})
	if err != nil {
		c.t.Fatal(err)
	}
	return raw
}

func (c *secondClient) credential(key *securityKey, response map[string]any) string {
	raw, err := json.Marshal(map[string]any{
		"id": encode(key.id), "rawId": encode(key.id), "type": "public-key", "response": response,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return string(raw)
}

// securityKey is the smallest authenticator there can be: one ES256 credential,
// no counter, no attestation, CBOR by hand.
type securityKey struct {
	t       *testing.T
	id      []byte
	rpID    [sha256.Size]byte
	private *ecdsa.PrivateKey
}

func newSecurityKey(t *testing.T, rpID string) *securityKey {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	return &securityKey{t, id, sha256.Sum256([]byte(rpID)), private}
}

// authenticatorData has the flags for a user who is present (0x01) and verified
// (0x04), and the counter at zero.
func (k *securityKey) authenticatorData(flags byte) []byte {
	return append(k.rpID[:], 0x05|flags, 0, 0, 0, 0)
}

func (k *securityKey) attestationObject() []byte {
	data := k.authenticatorData(0x40) // attested credential data follow
	data = append(data, make([]byte, 16)...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.id)))
	data = append(append(data, k.id...), k.coseKey()...)
	// {"fmt": "none", "attStmt": {}, "authData": data}
	object := []byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58")
	return append(append(object, byte(len(data))), data...)
}

// coseKey is {1: 2, 3: -7, -1: 1, -2: x, -3: y} (RFC 9053 §7.1.1).
func (k *securityKey) coseKey() []byte {
	point, err := k.private.PublicKey.Bytes()
	if err != nil {
		k.t.Fatal(err)
	}
	cose := []byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}
	cose = append(append(cose, point[1:33]...), 0x22, 0x58, 0x20)
	return append(cose, point[33:]...)
}

func (k *securityKey) sign(clientData []byte) (data, signature []byte) {
	data = k.authenticatorData(0)
	client := sha256.Sum256(clientData)
	digest := sha256.Sum256(append(bytes.Clone(data), client[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, digest[:])
	if err != nil {
		k.t.Fatal(err)
	}
	return data, signature
}

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }
