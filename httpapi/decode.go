package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"

	"github.com/go-json-experiment/json"

	"github.com/stepkey/stepkey"
)

// The size limits of request bodies. A registration with a chain of TPM
// certificates, the largest that devices send, has about 8 KiB.
const (
	maxCredentialsBody = 16 << 10
	maxPasskeyBody     = 32 << 10
)

var (
	errUnsupportedMediaType = errors.New("httpapi: not JSON")
	errPayloadTooLarge      = errors.New("httpapi: body too large")
)

// decode reads a JSON body of at most limit bytes into a T.
//
// Unknown members are ignored, as the original ignores them. Members named twice,
// wrong types, invalid UTF-8 and trailing data are refused. So are members in the
// wrong case: other parsers accept them, and two readers of one body must not see
// different values. They are detected by reading the body again, ignoring case,
// and comparing the results.
func decode[T any](w http.ResponseWriter, r *http.Request, limit int64) (T, error) {
	var exact, loose T
	body, err := readBody(w, r, limit)
	if err != nil {
		return exact, err
	}
	if err := json.Unmarshal(body, &exact); err != nil {
		return exact, stepkey.ErrInvalidRequest
	}
	err = json.Unmarshal(body, &loose, json.MatchCaseInsensitiveNames(true))
	if err != nil || !reflect.DeepEqual(exact, loose) {
		return exact, stepkey.ErrInvalidRequest
	}
	return exact, nil
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || r.Header.Get("Content-Encoding") != "" {
		return nil, errUnsupportedMediaType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, errPayloadTooLarge
	}
	if err != nil {
		return nil, stepkey.ErrInvalidRequest
	}
	return body, nil
}

type linkBody struct {
	Token *string `json:"token"`
}

// decodeLink reads the token of a link. It only checks that there is one: a
// malformed token is unknown like any other.
func decodeLink(w http.ResponseWriter, r *http.Request) (string, error) {
	body, err := decode[linkBody](w, r, maxCredentialsBody)
	if err != nil {
		return "", err
	}
	if body.Token == nil {
		return "", stepkey.ErrInvalidRequest
	}
	return *body.Token, nil
}

// jsonContent is the Content-Type of answers. They share it, so nothing may write to it.
var jsonContent = []string{"application/json"}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header()["Content-Type"] = jsonContent
	w.WriteHeader(status)
	// A failed write means that the client is gone.
	_ = json.MarshalWrite(w, v)
}
