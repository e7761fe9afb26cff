// Package token makes and checks Stepkey's tokens.
//
// A service that verifies tokens offline needs only this package. It needs
// neither the database nor the rest of the module, and has a single dependency,
// github.com/golang-jwt/jwt/v5.
//
//   - To check tokens: [NewVerifier] with a [KeySource], then [Verifier.Verify].
//     HTTP services should use the middleware of package guard instead.
//   - To make tokens: [NewSigner] with a [Keyring], then [Signer.Sign].
//   - To publish public keys: [Keyring.JWKS].
//   - To store a signing key: [SigningKey.MarshalPrivate], [ParsePrivateKey].
//
// # Tokens
//
// A token is a JWT signed with ES256 or EdDSA, or with HS256 if services verify
// it with a shared secret. There are three types, and none is ever accepted in
// place of another (RFC 8725 §3.11):
//
//   - The access token, at+jwt (RFC 9068), states who the user is and at which
//     level, for at most [Lifetime]. [Claims] lists its claims.
//   - The action token, action+jwt, states that its holder consented with a
//     passkey to one [Action]. It lives for at most [ActionLifetime] and is
//     used once. [ActionClaims] lists its claims.
//   - The statement about ended sessions, ended-sessions+jwt, is [EndedSessions].
//
// # Verification
//
// The key decides the algorithm; the header only names the key (RFC 8725 §3.1).
// Signature keys and HMAC keys are different Go types throughout, so that a
// public key can never be used as a shared secret. A header may contain only
// alg, kid and typ: jku, jwk, x5u, x5c, crit, zip and b64 are refused, and
// nothing is ever fetched because a token says so. Tokens are bounded in size,
// must be canonical base64url and must not name a member twice. Each refusal
// has a [Reason], for logs and tests; clients see only "unauthorized".
//
// Verified access tokens are cached for [CacheTime] by the SHA-256 of their
// bytes, so that a repeated ES256 token costs no more than an HS256 token. Their
// times are checked and their key is looked up each time; see [Verifier.Verify].
// Whether a session has ended is not known here: check the session id, as
// package guard does.
//
// testdata has tokens with their expected results, for testing verifiers in
// other languages.
//
// # What is deliberately absent
//
// Encrypted tokens, nested tokens, the algorithm none, RSA, and options that
// turn a check off.
package token
