package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/token"
)

// The two endpoints here are OAuth's and accept forms, as OAuth clients send
// them.

// formToken returns the parameter token of a form in the body. The query is
// ignored: tokens in a URL end up in logs.
func formToken(w http.ResponseWriter, r *http.Request) (string, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.Header.Get("Content-Encoding") != "" {
		return "", errUnsupportedMediaType
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxCredentialsBody)
	err = r.ParseForm()
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return "", errPayloadTooLarge
	}
	if values := r.PostForm["token"]; err == nil && len(values) == 1 && values[0] != "" {
		return values[0], nil
	}
	return "", stepkey.ErrInvalidRequest
}

// revoke ends the session of a token (RFC 7009). It needs no other
// authorization than the token. The answer to an invalid token is the same.
func (a *api) revoke(w http.ResponseWriter, r *http.Request) error {
	presented, err := formToken(w, r)
	if err != nil {
		return err
	}
	if err := a.service.Revoke(r.Context(), presented, stepkey.Client{IP: a.clientIP(r)}); err != nil {
		return err
	}
	return succeed(w, nil)
}

// introspection is the answer of RFC 7662 §2.2. For an inactive token it
// contains nothing else.
type introspection struct {
	Active    bool   `json:"active"`
	TokenType string `json:"token_type,omitzero"`
}

// activeToken returns the answer for an active token: its claims, own ones under their names, and
// the members of introspection.
func activeToken(claims token.Claims) ([]byte, error) {
	head, err1 := json.Marshal(introspection{Active: true, TokenType: "Bearer"})
	members, err2 := json.Marshal(claims)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return append(append(head[:len(head)-1], ','), members[1:]...), nil
}

// introspect tells a service that has the secret whether a token's session is
// live.
func (a *api) introspect(w http.ResponseWriter, r *http.Request) error {
	refund, err := a.service.AdmitIntrospection(stepkey.Client{IP: a.clientIP(r)})
	if err != nil {
		return err
	}
	if !a.mayIntrospect(r) {
		return problemUnauthorized
	}
	refund()
	presented, err := formToken(w, r)
	if err != nil {
		return err
	}
	claims, err := a.service.Introspect(r.Context(), presented)
	if errors.Is(err, stepkey.ErrUnauthorized) {
		writeJSON(w, http.StatusOK, introspection{})
		return nil
	}
	if err != nil {
		return err
	}
	answer, err := activeToken(claims)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, jsontext.Value(answer))
	return nil
}

func (a *api) mayIntrospect(r *http.Request) bool {
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	digest := sha256.Sum256([]byte(secret))
	configured := a.introspection != [sha256.Size]byte{}
	return ok && configured && subtle.ConstantTimeCompare(digest[:], a.introspection[:]) == 1
}
