// Package stepkey adds passkeys to a password login without breaking it.
//
// People sign in with user name and password and get an access token at level
// password. They verify a passkey (WebAuthn) and get one at level full. Guards
// protect the routes that need it.
//
// A [Service] holds the use-cases, one method each; [New] makes one from a
// [Config]. It speaks neither HTTP nor SQL:
//
//   - the JSON API over a Service is the package httpapi,
//   - the middleware for protected routes is the package guard, which can be
//     imported alone,
//   - storage is behind the interfaces [Store], [Challenges] and [Limiter];
//     package sqlstore implements them on SQLite and PostgreSQL, and package
//     storetest has conformance suites for other implementations.
//
// # The path of a user
//
//	SignUp                                    a user with a password
//	LogIn                                     a session, a token at level password
//	BeginRegistration, FinishRegistration     a passkey
//	BeginStepUp, FinishStepUp                 the session at level full, a new token;
//	                                          or, for an action, consent to that alone
//	Refresh                                   new tokens, at the level that is left
//	LogOut, Sessions, EndSession, Revoke      the end
//
// Operations for operators, such as disabling a user, are methods of [Admin], and no request
// of a user may reach one.
//
// A process that serves requests must also call Run, which follows sessions ended
// by other instances and rotates the signing keys.
//
// # What holds
//
// Only a verified assertion bound to this session raises a level. A challenge is
// taken from its store, in a step of its own, before anything is verified, so
// that a failed attempt uses it up and a replay finds nothing. Whether a passkey
// may be added is decided by one function, called when a ceremony begins and
// again, under the lock on the user's row, when it ends.
//
// # Errors
//
// Methods return errors of the kinds in error.go, which callers test with
// [errors.Is] and [errors.As]. Any other error is a fault of the service or of
// something it depends on; its text is for logs and not for clients.
package stepkey
