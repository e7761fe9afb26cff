package authenticator

import (
	"encoding/json"
	"fmt"
)

// creationOptions are the members of PublicKeyCredentialCreationOptionsJSON
// that matter to an authenticator.
type creationOptions struct {
	Challenge base64URL `json:"challenge"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID base64URL `json:"id"`
	} `json:"user"`
	Attestation            string                 `json:"attestation"`
	PubKeyCredParams       []credentialParameter  `json:"pubKeyCredParams"`
	ExcludeCredentials     []descriptor           `json:"excludeCredentials"`
	AuthenticatorSelection authenticatorSelection `json:"authenticatorSelection"`
	Extensions             struct {
		CredProps bool `json:"credProps"`
	} `json:"extensions"`
}

// requestOptions are the members of PublicKeyCredentialRequestOptionsJSON that
// matter to an authenticator.
type requestOptions struct {
	Challenge        base64URL    `json:"challenge"`
	RPID             string       `json:"rpId"`
	AllowCredentials []descriptor `json:"allowCredentials"`
	UserVerification string       `json:"userVerification"`
}

type credentialParameter struct {
	Type string `json:"type"`
	Alg  int64  `json:"alg"`
}

type descriptor struct {
	Type string    `json:"type"`
	ID   base64URL `json:"id"`
}

type authenticatorSelection struct {
	ResidentKey        string `json:"residentKey"`
	RequireResidentKey bool   `json:"requireResidentKey"`
	UserVerification   string `json:"userVerification"`
}

func (s authenticatorSelection) requiresDiscoverable() bool {
	return s.ResidentKey == "required" || s.ResidentKey == "" && s.RequireResidentKey
}

func (s authenticatorSelection) wantsDiscoverable() bool {
	return s.requiresDiscoverable() || s.ResidentKey == "preferred"
}

func parseOptions(optionsJSON []byte, options any, challenge *base64URL) error {
	if err := json.Unmarshal(optionsJSON, options); err != nil {
		return fmt.Errorf("authenticator: reading the options: %w", err)
	}
	if len(*challenge) == 0 {
		return fmt.Errorf("authenticator: the options have no challenge")
	}
	return nil
}
