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

// The values of the client data's member type (§5.8.1).
const (
	typeCreate = "webauthn.create"
	typeGet    = "webauthn.get"
)

// clientData is CollectedClientData (§5.8.1). Unknown members are allowed:
// clients add some on purpose, so that servers do not compare the text with a
// template.
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
// name twice. A name that differs from a known one only in case is refused as
// well, because go-webauthn reads the same bytes with encoding/json, which
// would accept it.
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

// Challenge returns the challenge in the client data, for finding the state of
// the ceremony. It verifies nothing. The error is an *Error of kind Malformed.
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

// verify makes the checks of client data that §7.1 and §7.2 have in common.
func (c clientData) verify(kind string, challenge []byte, origins []string) error {
	if c.Type != kind {
		return refused(ReasonType, nil)
	}
	if !c.answers(challenge) {
		return refused(ReasonChallenge, nil)
	}
	// Compare strings without parsing: §13.4.9 allows no other spelling.
	if !slices.Contains(origins, c.Origin) {
		return refused(ReasonOrigin, nil)
	}
	if c.CrossOrigin || c.TopOrigin != nil {
		return refused(ReasonCrossOrigin, nil)
	}
	return nil
}

// answers compares strings and not bytes, so that another encoding of the
// challenge does not match. Nothing matches a state without a challenge.
func (c clientData) answers(challenge []byte) bool {
	if len(challenge) != challengeSize {
		return false
	}
	want := base64.RawURLEncoding.EncodeToString(challenge)
	return subtle.ConstantTimeCompare([]byte(want), []byte(c.Challenge)) == 1
}
