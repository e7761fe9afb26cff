// Package token makes and checks Stepkey's access tokens.
//
// It is the one package that a service needs in order to check a token by
// itself: it needs neither the database nor the rest of the module, and brings
// in a single dependency, github.com/golang-jwt/jwt/v5.
//
//   - To check tokens: [NewVerifier] over a [KeySource], then [Verifier.Verify].
//     HTTP services rather use the middleware in the package guard.
//   - To make tokens: [NewSigner] over a [Keyring], then [Signer.Sign].
//   - To hand out public keys: [Keyring.JWKS].
//
// # What a token is
//
// A JWT of type at+jwt (RFC 9068), signed with ES256 or EdDSA, or with HS256
// where a shared secret is kept for services that verify with it. [Claims]
// lists what it says. Access tokens live [Lifetime]; there is no way to make
// one live longer.
//
// # What a verifier holds to
//
// The key decides the algorithm, the header only names the key (RFC 8725 §3.1).
// Keys for signatures and keys for HMAC are different Go types all the way
// down, so that a public key can never be taken for a shared secret. A header
// may hold alg, kid and typ and nothing else: jku, jwk, x5u, x5c, crit, zip
// and b64 are refused and nothing is ever fetched because a token said so.
// Tokens are bounded in size, must be canonical base64url and must not name a
// member twice. Each refusal has a [Reason]; it is for logs and tests, and no
// client is told more than "unauthorized".
//
// # What is deliberately absent
//
// Encrypted tokens, nested tokens, the algorithm none, RSA, and options that
// turn a check off.
package token
