// Package token makes and checks Stepkey's tokens.
//
// It is the one package that a service needs in order to check a token by
// itself: it needs neither the database nor the rest of the module, and brings
// in a single dependency, github.com/golang-jwt/jwt/v5.
//
//   - To check tokens: [NewVerifier] over a [KeySource], then [Verifier.Verify].
//     HTTP services rather use the middleware in the package guard.
//   - To make tokens: [NewSigner] over a [Keyring], then [Signer.Sign].
//   - To hand out public keys: [Keyring.JWKS].
//   - To store a signing key: [SigningKey.MarshalPrivate], [ParsePrivateKey].
//
// # What a token is
//
// A JWT signed with ES256 or EdDSA, or with HS256 where a shared secret is kept
// for services that verify with it. There are three types, and none is ever
// accepted for another (RFC 8725 §3.11):
//
//   - The access token, at+jwt (RFC 9068): who somebody is and how surely, for
//     at most [Lifetime]. [Claims] lists what it says.
//   - The action token, action+jwt: that its holder consented with a passkey to
//     one [Action], for at most [ActionLifetime] and to be used once.
//     [ActionClaims] lists what it says.
//   - The statement about ended sessions, ended-sessions+jwt: [EndedSessions].
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
// Verified access tokens are remembered for [CacheTime] by the SHA-256 of their
// bytes, so that an ES256 token that comes again costs what an HS256 token does.
// Their times are checked and their key is looked up each time; see
// [Verifier.Verify]. That a session has ended is never remembered here: ask by
// session id, as package guard does.
//
// testdata holds tokens with the verdicts they have to get, for verifiers in
// other languages.
//
// # What is deliberately absent
//
// Encrypted tokens, nested tokens, the algorithm none, RSA, and options that
// turn a check off.
package token
