package ceremony

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stepkey/stepkey/webauthn"
)

// The values of the member type of the client data (§5.8.1).
const (
	typeCreate = "webauthn.create"
	typeGet    = "webauthn.get"
)

// clientData is CollectedClientData (§5.8.1). Members that are not known are
// allowed: clients add some on purpose so that nobody compares templates.
type clientData struct {
	Type         string                    `json:"type"`
	Challenge    string                    `json:"challenge"`
	Origin       string                    `json:"origin"`
	CrossOrigin  bool                      `json:"crossOrigin"`
	TopOrigin    jsontext.Value            `json:"topOrigin"`
	TokenBinding *tokenBinding             `json:"tokenBinding"`
	Others       map[string]jsontext.Value `json:",embed"`
}

// tokenBinding was dropped in Level 3; old clients still send it, and only in
// this form.
type tokenBinding struct {
	Status string `json:"status"`
	ID     string `json:"id"`
}

// parseClientData reads the client data strictly: valid UTF-8, one object, no
// name twice. A name that differs from a known one in case only is refused as
// well, because encoding/json, which go-webauthn reads the same bytes with,
// would take it for the known one.
func parseClientData(raw []byte) (clientData, error) {
	var c clientData
	if jsontext.Value(raw).Kind() != jsontext.KindBeginObject {
		return clientData{}, malformed(ReasonClientData, errors.New("not an object"))
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return clientData{}, malformed(ReasonClientData, err)
	}
	for name := range c.Others {
		if isKnownNameInOtherCase(name) {
			return clientData{}, malformed(ReasonClientData, errors.New("a name is in the wrong case"))
		}
	}
	if c.TokenBinding != nil && !slices.Contains([]string{"present", "supported", "not-supported"}, c.TokenBinding.Status) {
		return clientData{}, malformed(ReasonClientData, errors.New("unknown token binding status"))
	}
	return c, nil
}

func isKnownNameInOtherCase(name string) bool {
	for _, known := range []string{"type", "challenge", "origin", "crossOrigin", "topOrigin", "tokenBinding"} {
		if strings.EqualFold(name, known) {
			return true
		}
	}
	return false
}

// Challenge reads the challenge out of the client data, so that the state of
// the ceremony can be found by it. Nothing is verified by that. The error is an
// *Error of kind Malformed.
func Challenge(clientDataJSON []byte) ([]byte, error) {
	c, err := parseClientData(clientDataJSON)
	if err != nil {
		return nil, err
	}
	var challenge webauthn.Base64URL
	if err := challenge.UnmarshalText([]byte(c.Challenge)); err != nil || len(challenge) == 0 {
		return nil, malformed(ReasonChallenge, err)
	}
	return challenge, nil
}

// verify does what §7.1 and §7.2 both ask of client data.
func (c clientData) verify(kind string, challenge []byte, origins []string) error {
	if c.Type != kind {
		return refused(ReasonType, nil)
	}
	if !c.answers(challenge) {
		return refused(ReasonChallenge, nil)
	}
	// String equality, and no parsing: §13.4.9 leaves no other spelling.
	if !slices.Contains(origins, c.Origin) {
		return refused(ReasonOrigin, nil)
	}
	if c.CrossOrigin || c.TopOrigin != nil {
		return refused(ReasonCrossOrigin, nil)
	}
	return nil
}

// answers compares texts and not bytes, so that a second spelling of the
// challenge is no match. A state without a challenge is answered by nothing.
func (c clientData) answers(challenge []byte) bool {
	if len(challenge) != challengeSize {
		return false
	}
	want := base64.RawURLEncoding.EncodeToString(challenge)
	return subtle.ConstantTimeCompare([]byte(want), []byte(c.Challenge)) == 1
}
