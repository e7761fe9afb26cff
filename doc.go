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
//   - what is kept goes through the seams [Store] and [Challenges]; the package
//     sqlstore keeps it in SQLite or PostgreSQL, and whoever writes another
//     adapter checks it with the suites in the package storetest.
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
// What operators do, such as disabling a user, is not among them: an [Admin] does that, and no
// request of a user may reach one.
//
// A process that serves requests also calls Run, which follows what other instances
// ended and rotates the signing keys.
//
// # What holds
//
// Only a verified assertion bound to this session raises a level. A challenge is
// taken from its store, in a step of its own, before anything is verified, so
// that a failed try burns it and a replay finds nothing. Whether a passkey may
// be added is decided by one function, called when a ceremony begins and again,
// under the lock on the user's row, when it ends.
//
// # Errors
//
// Methods return errors of the kinds in error.go, to be asked with [errors.Is]
// and [errors.As]. Any other error is a fault of the service or of what it
// stands on; its text is for logs and not for clients.
package stepkey
