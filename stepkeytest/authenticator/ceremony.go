package authenticator

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// CreateWith is Create with a deliberate fault. The passkey is kept.
func (a *Authenticator) CreateWith(origin string, optionsJSON []byte, h Hostile) ([]byte, error) {
	var o creationOptions
	if err := parseOptions(optionsJSON, &o, &o.Challenge); err != nil {
		return nil, err
	}
	rpID, err := relyingParty(origin, o.RP.ID)
	if h.IgnoreOptions {
		rpID, err = o.RP.ID, nil
	}
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.checkCreate(o, rpID); err != nil && !h.IgnoreOptions {
		return nil, err
	}
	c, err := a.newCredential(o, rpID)
	if err != nil {
		return nil, err
	}

	clientDataJSON, err := clientData("webauthn.create", o.Challenge, origin, h)
	if err != nil {
		return nil, err
	}
	authData, err := a.attestedData(c, h)
	if err != nil {
		return nil, err
	}
	object, err := a.attestationObject(o, c, authData, clientDataJSON, h)
	if err != nil {
		return nil, err
	}
	response, err := a.registrationResponse(c, clientDataJSON, authData, object)
	if err != nil {
		return nil, err
	}
	a.credentials = append(a.credentials, c)

	results := map[string]any{}
	if o.Extensions.CredProps {
		results["credProps"] = map[string]any{"rk": c.discoverable}
	}
	return answer(c.id, response, results, h)
}

// GetWith is Get with a deliberate fault. The signature counter increases as
// for a correct assertion.
func (a *Authenticator) GetWith(origin string, optionsJSON []byte, h Hostile) ([]byte, error) {
	var o requestOptions
	if err := parseOptions(optionsJSON, &o, &o.Challenge); err != nil {
		return nil, err
	}
	rpID, err := relyingParty(origin, o.RPID)
	if h.IgnoreOptions {
		rpID, err = o.RPID, nil
	}
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if o.UserVerification == "required" && a.config.NoUserVerification && !h.IgnoreOptions {
		return nil, ErrNotAllowed
	}
	c := a.find(rpID, o.AllowCredentials)
	if h.CredentialID != nil {
		c = a.byID(h.CredentialID)
	}
	if c == nil {
		return nil, ErrNotAllowed
	}
	c.signCount += a.config.CounterStep

	clientDataJSON, err := clientData("webauthn.get", o.Challenge, origin, h)
	if err != nil {
		return nil, err
	}
	data := AuthenticatorData{RPIDHash: hash(c.rpID), Flags: a.flags(), SignCount: c.signCount}
	edit(h.AuthenticatorData, &data)
	authData := replace(h.AuthenticatorDataBytes, data.Bytes())
	signature, err := c.sign(authData, clientDataJSON, h)
	if err != nil {
		return nil, err
	}
	response := map[string]any{
		"clientDataJSON":    base64URL(clientDataJSON),
		"authenticatorData": base64URL(authData),
		"signature":         base64URL(signature),
	}
	if c.discoverable {
		response["userHandle"] = base64URL(c.handle)
	}
	return answer(c.id, response, map[string]any{}, h)
}

// checkCreate makes the checks that §6.3.2 requires of an authenticator before
// it creates a credential.
func (a *Authenticator) checkCreate(o creationOptions, rpID string) error {
	for _, c := range a.credentials {
		if c.rpID == rpID && lists(o.ExcludeCredentials, c.id) {
			return ErrExcluded
		}
	}
	if o.AuthenticatorSelection.requiresDiscoverable() && a.config.NotDiscoverable {
		return ErrNotAllowed
	}
	if o.AuthenticatorSelection.UserVerification == "required" && a.config.NoUserVerification {
		return ErrNotAllowed
	}
	return nil
}

func (a *Authenticator) byID(id []byte) *credential {
	i := slices.IndexFunc(a.credentials, func(c *credential) bool { return bytes.Equal(c.id, id) })
	if i < 0 {
		return nil
	}
	return a.credentials[i]
}

// clientData serializes the client data in the order of §5.8.1.1.
func clientData(kind string, challenge base64URL, origin string, h Hostile) ([]byte, error) {
	honest := struct {
		Type        string    `json:"type"`
		Challenge   base64URL `json:"challenge"`
		Origin      string    `json:"origin"`
		CrossOrigin bool      `json:"crossOrigin"`
	}{kind, challenge, origin, false}
	raw, err := json.Marshal(honest)
	if err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	if h.ClientData != nil {
		var members map[string]any
		if err := json.Unmarshal(raw, &members); err != nil {
			return nil, fmt.Errorf("authenticator: %w", err)
		}
		h.ClientData(members)
		if raw, err = json.Marshal(members); err != nil {
			return nil, fmt.Errorf("authenticator: %w", err)
		}
	}
	return replace(h.ClientDataJSON, raw), nil
}

// attestedData is the authenticator data of a registration.
func (a *Authenticator) attestedData(c *credential, h Hostile) ([]byte, error) {
	public := c.key.cose()
	edit(h.PublicKey, public)
	publicKey, err := marshalCBOR(public)
	if err != nil {
		return nil, err
	}
	data := AuthenticatorData{
		RPIDHash:     hash(c.rpID),
		Flags:        a.flags() | FlagAT,
		SignCount:    c.signCount,
		AAGUID:       a.config.AAGUID,
		CredentialID: c.id,
		PublicKey:    replace(h.PublicKeyCBOR, publicKey),
	}
	edit(h.AuthenticatorData, &data)
	return replace(h.AuthenticatorDataBytes, data.Bytes()), nil
}

func (a *Authenticator) attestationObject(
	o creationOptions, c *credential, authData, clientDataJSON []byte, h Hostile,
) ([]byte, error) {
	members := map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": authData}
	switch {
	case a.config.SelfAttestation:
		signature, err := c.sign(authData, clientDataJSON, h)
		if err != nil {
			return nil, err
		}
		members["fmt"] = "packed"
		members["attStmt"] = map[string]any{"alg": c.key.alg, "sig": signature}
	case a.config.Maker != nil && (o.Attestation == "direct" || h.IgnoreOptions):
		statement, err := a.config.Maker.vouch(authData, clientDataJSON)
		if err != nil {
			return nil, err
		}
		members["fmt"] = "packed"
		members["attStmt"] = statement
	}
	edit(h.Attestation, members)
	object, err := marshalCBOR(members)
	if err != nil {
		return nil, err
	}
	return replace(h.AttestationObject, object), nil
}

// registrationResponse has the easy-accessor members too, as toJSON() does.
func (a *Authenticator) registrationResponse(c *credential, clientDataJSON, authData, object []byte) (map[string]any, error) {
	spki, err := x509.MarshalPKIXPublicKey(c.key.signer.Public())
	if err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	response := map[string]any{
		"clientDataJSON":     base64URL(clientDataJSON),
		"attestationObject":  base64URL(object),
		"authenticatorData":  base64URL(authData),
		"publicKey":          base64URL(spki),
		"publicKeyAlgorithm": c.key.alg,
	}
	if a.config.Transports != nil {
		response["transports"] = a.config.Transports
	}
	return response, nil
}

// sign signs the authenticator data and the hash of the client data.
func (c *credential) sign(authData, clientDataJSON []byte, h Hostile) ([]byte, error) {
	clientDataHash := sha256.Sum256(clientDataJSON)
	message := replace(h.ToBeSigned, slices.Concat(authData, clientDataHash[:]))
	if h.Sign == nil {
		return c.key.sign(message)
	}
	var failed error
	signature := h.Sign(message, func(message []byte) []byte {
		signature, err := c.key.sign(message)
		if err != nil {
			failed = err
		}
		return signature
	})
	return signature, failed
}

// answer is the JSON of a PublicKeyCredential.
func answer(id []byte, response, extensionResults map[string]any, h Hostile) ([]byte, error) {
	members := map[string]any{
		"id":                      base64URL(id),
		"rawId":                   base64URL(id),
		"type":                    "public-key",
		"response":                response,
		"authenticatorAttachment": "platform",
		"clientExtensionResults":  extensionResults,
	}
	if h.Response != nil {
		asText(members)
		asText(response)
		h.Response(members)
	}
	raw, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	return raw, nil
}

// asText turns binary members into what they are in JSON.
func asText(members map[string]any) {
	for name, member := range members {
		if binary, ok := member.(base64URL); ok {
			text, _ := binary.MarshalText()
			members[name] = string(text)
		}
	}
}

func marshalCBOR(value any) ([]byte, error) {
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	raw, err := mode.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	return raw, nil
}
