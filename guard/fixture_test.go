package guard_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

// es256 makes a new key of an issuer.
func es256(t testing.TB) token.SigningKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.NewECDSAKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// inProcess answers requests by a handler, without a network, so that it can be
// used where time is that of testing/synctest.
type inProcess struct{ handler http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	response := w.Result()
	response.Request = r
	return response, nil
}

// publisher is an issuer's side of what is fetched: a document that can be
// changed, and a count of how often it was asked for.
type publisher struct {
	asked atomic.Int32

	mu     sync.Mutex
	answer http.HandlerFunc
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.asked.Add(1)
	p.mu.Lock()
	answer := p.answer
	p.mu.Unlock()
	answer(w, r)
}

func (p *publisher) set(answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *publisher) client() *http.Client { return &http.Client{Transport: inProcess{p}} }

// publish answers with the public keys of keys as they are then.
func publish(keys *token.Keyring, cacheControl string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if cacheControl != "" {
			w.Header().Set("Cache-Control", cacheControl)
		}
		_ = json.NewEncoder(w).Encode(keys.JWKS())
	}
}

func down(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }

// access makes a token as of the real, or bubbled, clock.
func access(t testing.TB, keys *token.Keyring, sessionID string) string {
	t.Helper()
	issued := time.Now().Unix()
	raw, err := token.NewSigner(keys).Sign(token.Claims{
		Issuer: issuer, Audience: []string{issuer}, Subject: "user", ID: "id", SessionID: sessionID,
		IssuedAt: issued, ExpiresAt: issued + 600, Level: token.LevelPassword, ACR: token.LevelPassword, AuthTime: issued,
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func newVerifier(t testing.TB, keys token.KeySource) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(keys, token.Expect{Issuer: issuer, Audience: issuer})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// refusalOf is what middleware has against a request, and the zero Refusal if it
// lets it through.
func refusalOf(t testing.TB, options guard.Options, verifier *token.Verifier, use func(*guard.Guard) http.Handler, r *http.Request) guard.Refusal {
	t.Helper()
	var seen guard.Refusal
	options.Refuse = func(_ http.ResponseWriter, _ *http.Request, refusal guard.Refusal) { seen = refusal }
	options.DangerIgnoreEndedSessions = options.Ended == nil
	use(guard.New(verifier, options)).ServeHTTP(httptest.NewRecorder(), r)
	return seen
}
