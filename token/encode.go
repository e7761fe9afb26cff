package token

import (
	"encoding/json"
	"strconv"
)

// MarshalJSON implements [json.Marshaler]: own claims are members under their names. It is written
// out because a service encodes the claims for every token, and for every request that shows them;
// a test compares it with what encoding/json makes of the struct.
func (c Claims) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 768)
	b = appendText(append(b, `{"iss":`...), c.Issuer)
	b = append(b, `,"aud":`...)
	if len(c.Audience) == 1 {
		b = appendText(b, c.Audience[0])
	} else {
		b = appendTexts(b, c.Audience)
	}
	b = appendText(append(b, `,"sub":`...), c.Subject)
	b = appendText(append(b, `,"username":`...), c.Username)
	b = appendText(append(b, `,"jti":`...), c.ID)
	b = appendText(append(b, `,"sid":`...), c.SessionID)
	b = strconv.AppendInt(append(b, `,"iat":`...), c.IssuedAt, 10)
	b = strconv.AppendInt(append(b, `,"exp":`...), c.ExpiresAt, 10)
	b = appendNonzero(b, `,"nbf":`, c.NotBefore)
	b = appendText(append(b, `,"authLevel":`...), string(c.Level))
	b = strconv.AppendBool(append(b, `,"passkeyVerified":`...), c.PasskeyVerified)
	b = appendText(append(b, `,"acr":`...), string(c.ACR))
	b = appendTexts(append(b, `,"amr":`...), c.Methods)
	b = strconv.AppendInt(append(b, `,"auth_time":`...), c.AuthTime, 10)
	b = appendNonzero(b, `,"password_time":`, c.PasswordTime)
	b = appendNonzero(b, `,"passkey_time":`, c.PasskeyTime)
	if len(c.Groups) > 0 {
		b = appendTexts(append(b, `,"groups":`...), c.Groups)
	}
	b = appendNonzero(b, `,"attributes_version":`, c.AttributesVersion)
	return appendOwn(append(b, '}'), c.OwnClaims)
}

func appendNonzero(b []byte, name string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(b, name...), n, 10)
}

// appendTexts appends an array, and null for a nil one.
func appendTexts(b []byte, list []string) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, text := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, text)
	}
	return append(b, ']')
}

// appendText leaves characters that may need an escape to encoding/json.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(text) // a string cannot fail
			return append(b, quoted...)
		}
	}
	b = append(append(b, '"'), text...)
	return append(b, '"')
}
