package guard

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stepkey/stepkey/token"
)

// AssertionHeader is the header in which a gate sends the assertion.
const AssertionHeader = "X-Stepkey-Assertion"

// ErrNoAssertion is the Cause of a [Refusal] for a request without an assertion, or with more than
// one: it did not come through the gate.
var ErrNoAssertion = errors.New("guard: no assertion")

// AssertionOptions configure an [Assertions].
type AssertionOptions struct {
	// Issuer is the claim iss of the service, and Audience the origin of this application, such
	// as https://app.example.com. Both are required.
	Issuer, Audience string

	// Keys are the service's public keys: a [*RemoteKeys] with the address of its JWKS. Required.
	Keys token.KeySource

	// Refuse answers a request that is refused. Nil means [WriteRefusal].
	Refuse func(w http.ResponseWriter, r *http.Request, refusal Refusal)

	// Clock is the time; nil means time.Now.
	Clock func() time.Time
}

// Assertions verifies the assertions that a gate adds to the requests of an application. It is
// safe for concurrent use.
type Assertions struct {
	verifier *token.AssertionVerifier
	refuse   func(http.ResponseWriter, *http.Request, Refusal)
}

// NewAssertions returns an Assertions, or an error if a required option is missing.
func NewAssertions(options AssertionOptions) (*Assertions, error) {
	verifier, err := token.NewAssertionVerifier(options.Keys, token.Expect{
		Issuer: options.Issuer, Audience: options.Audience, Clock: options.Clock,
	})
	if err != nil {
		return nil, err
	}
	if options.Refuse == nil {
		options.Refuse = WriteRefusal
	}
	return &Assertions{verifier: verifier, refuse: options.Refuse}, nil
}

// Require passes on requests with one valid assertion, whose claims [AssertionFromContext]
// returns. Others are refused with 401, or with 503 if the keys cannot be fetched.
//
// The gate has already refused what its rules do not allow. Require is for applications that
// somebody could also reach past the gate, and reads no other header.
func (a *Assertions) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		values := r.Header.Values(AssertionHeader)
		if len(values) != 1 || values[0] == "" {
			a.refuse(w, r, Refusal{Status: http.StatusUnauthorized, Cause: ErrNoAssertion})
			return
		}
		claims, err := a.verifier.Verify(r.Context(), values[0])
		if err != nil {
			a.refuse(w, r, *refused(err, Refusal{Status: http.StatusUnauthorized}))
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), assertionKey{}, claims)))
	})
}

type assertionKey struct{}

// AssertionFromContext returns the claims that [Assertions.Require] stored in ctx. It returns
// false if the handler is not behind it.
func AssertionFromContext(ctx context.Context) (token.AssertionClaims, bool) {
	claims, ok := ctx.Value(assertionKey{}).(token.AssertionClaims)
	return claims, ok
}
