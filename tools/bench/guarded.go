package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

// issuer is a service as an application needs to know it that protects its own routes with package guard.
type issuer struct {
	URL  string // where its public keys and its list of ended sessions are
	Name string // iss and aud of its tokens
}

// issuerOf reads a token's claims, which the application will verify.
func issuerOf(url, raw string) (issuer, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return issuer{}, errors.New("the service's token is no JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return issuer{}, err
	}
	var claims struct{ Iss string }
	err = json.Unmarshal(payload, &claims)
	return issuer{url, claims.Iss}, err
}

// protect puts the application's routes behind a guard, once that knows which sessions have ended.
func (i issuer) protect(ctx context.Context, app http.Handler) (http.Handler, error) {
	keys := guard.NewRemoteKeys(i.URL+"/.well-known/jwks.json", nil)
	verifier, err := token.NewVerifier(keys, token.Expect{Issuer: i.Name, Audience: i.Name})
	if err != nil {
		return nil, err
	}
	ended, err := guard.FollowEndedSessions(ctx, i.URL+"/.well-known/ended-sessions", verifier, guard.FollowOptions{})
	if err != nil {
		return nil, err
	}
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err = ended.Ended(token.Claims{}); err == nil {
			return guard.New(verifier, guard.Options{Ended: ended}).RequireFull(app), nil
		}
		if time.Now().After(until) {
			return nil, fmt.Errorf("the list of ended sessions of %s: %w", i.URL, err)
		}
	}
}
