package faults_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// readToken decodes a part of a token without verifying it: 0 is the header, 1 the
// claims.
func readToken(t testing.TB, token string, part int, to any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatal("that is no token")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[part])
	if err == nil {
		err = json.Unmarshal(raw, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func expiry(t testing.TB, token string) time.Time {
	t.Helper()
	var claims struct {
		Exp int64 `json:"exp"`
	}
	readToken(t, token, 1, &claims)
	return time.Unix(claims.Exp, 0)
}

func keyOf(t testing.TB, token string) string {
	t.Helper()
	var header struct{ Kid string }
	readToken(t, token, 0, &header)
	return header.Kid
}
