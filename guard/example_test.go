package guard_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

// A service other than the issuer protects its routes. It needs the issuer's address and no secret.
func Example() {
	const issuer = "https://auth.example.com"
	ctx := context.Background() // of the server: the follower stops with it

	keys := guard.NewRemoteKeys(issuer+"/.well-known/jwks.json", nil)
	verifier, err := token.NewVerifier(keys, token.Expect{Issuer: issuer, Audience: issuer})
	if err != nil {
		log.Fatal(err)
	}
	ended, err := guard.FollowEndedSessions(ctx, issuer+"/.well-known/ended-sessions", verifier, guard.FollowOptions{})
	if err != nil {
		log.Fatal(err)
	}
	protect := guard.New(verifier, guard.Options{Ended: ended})

	mux := http.NewServeMux()
	mux.Handle("POST /payouts", protect.RequireFull(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := guard.FromContext(r.Context())
		fmt.Fprintln(w, "Hello,", claims.Username)
	})))
	log.Fatal(http.ListenAndServe("localhost:8080", mux))
}

// noneEnded is for a service that has its own way to end sessions.
type noneEnded struct{}

func (noneEnded) Ended(token.Claims) (bool, error) { return false, nil }

func ExampleGuard_RequireLogin() {
	key, err := token.NewSecretKey([]byte("a shared secret of 32 or more bytes"), false)
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.NewKeyring(key), token.Expect{Issuer: "https://example.com", Audience: "https://example.com"})
	if err != nil {
		log.Fatal(err)
	}
	protect := guard.New(verifier, guard.Options{Ended: noneEnded{}})
	profile := protect.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "for users only")
	}))

	answer := httptest.NewRecorder()
	profile.ServeHTTP(answer, httptest.NewRequest("GET", "/profile", nil)) // without a token
	fmt.Println(answer.Code, answer.Header().Get("WWW-Authenticate"))
	// Output: 401 Bearer
}
