package token

import (
	"encoding/base64"
	"errors"
	"strings"
)

// parts are the parts of a token. Nothing in them is verified yet.
type parts struct {
	header    []byte
	payload   []byte
	signature []byte

	// signed is the text that the signature covers: header and payload as
	// received.
	signed string
}

// split checks the outer form: bounded length, three parts, canonical
// base64url. The dots are counted before splitting, so that a million of them
// cost one pass.
func split(raw string, limit int) (parts, error) {
	if len(raw) > limit {
		return parts{}, &Error{Reason: ReasonSize}
	}
	if strings.Count(raw, ".") != 2 {
		return parts{}, &Error{Reason: ReasonMalformed}
	}
	dot := strings.LastIndexByte(raw, '.')
	head, body, _ := strings.Cut(raw[:dot], ".")
	header, err1 := decode(head)
	payload, err2 := decode(body)
	signature, err3 := decode(raw[dot+1:])
	if err := errors.Join(err1, err2, err3); err != nil {
		return parts{}, &Error{ReasonMalformed, err}
	}
	return parts{header: header, payload: payload, signature: signature, signed: raw[:dot]}, nil
}

// decode decodes base64url. It refuses padding, line breaks and trailing bits,
// so that every byte string has one encoding.
func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break in base64url")
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}

type tokenHeader struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid,omitempty"`
	Type      string `json:"typ"`
}

// errHeaderMember distinguishes a forbidden header member from a malformed
// header.
var errHeaderMember = errors.New("header member that is not a text named alg, kid or typ")

// parseHeader reads the header of a token of type typ.
func parseHeader(raw []byte, typ string) (tokenHeader, error) {
	var h tokenHeader
	err := eachMember(raw, func(name, value []byte) error {
		if value[0] != '"' {
			return errHeaderMember
		}
		switch string(name) {
		case "alg":
			return readText(&h.Algorithm, value)
		case "kid":
			return readText(&h.KeyID, value)
		case "typ":
			return readText(&h.Type, value)
		default:
			return errHeaderMember
		}
	})
	switch {
	case errors.Is(err, errHeaderMember):
		return tokenHeader{}, &Error{ReasonHeader, err}
	case err != nil:
		return tokenHeader{}, &Error{ReasonMalformed, err}
	case h.Type != typ:
		return tokenHeader{}, &Error{Reason: ReasonType}
	case len(h.KeyID) > maxKeyID:
		return tokenHeader{}, &Error{Reason: ReasonUnknownKey}
	}
	return h, nil
}
