// Package stepup adds passkeys to an application that keeps its own users,
// passwords and sessions.
//
// The application goes on signing people in. Before an action that matters, such as a
// payout, a [Kit] asks the signed-in user for a passkey: a page, a form or a script that
// is refused goes on by itself once the user has verified. There is no second server,
// no token and no change to the application's tables. Stepkey's own tables are in the
// application's database, in a schema of their own.
//
// docs/stepup.md is a tutorial of ten minutes, and docs/stepup-reference.md lists every
// field, answer, code and limit.
//
// # Which function to use
//
//	a page, form or API that needs a verification      Kit.Require
//	one action, confirmed with its values               Kit.RequireAction
//	the same in middleware of another type              Kit.Admit
//	a call that is no HTTP request, as in gRPC          Kit.Check
//	the user's list of passkeys, in your settings page  Kit.Manage
//	the list for code of yours                          Kit.Passkeys
//	how long ago the passkey was verified               Kit.Proof
//	after the password was changed                      Kit.EndProofs
//	when a user is deleted                              Kit.Forget
//	on sign-out, if sessions live in cookies            Kit.SignOut
//	when support has recognised a user who lost it all  Kit.Allow
//	whom a new rule would stop                          Shadow and Kit.Counts
//	rules in a file that operators edit                 ParsePurposes
//	migrations as a step of their own                   Migrate
//	tests of your application                           package stepkeytest
//
// # The parts
//
// An [Identity] is what the application says about a request: who is signed in, in which
// session, and since when. It comes from Config.Identify, or from [WithIdentity].
//
// A [Purpose] names a [Rule], and a Rule lists what has to be fresh:
//
//	stepup.Passkey.Within(10 * time.Minute)
//	stepup.Passkey.Within(10 * time.Minute).Or(
//		stepup.Password.Within(time.Minute).And(stepup.Factor("totp").Within(5 * time.Minute)))
//
// Handlers refer to a purpose by its name, so all rules are in one place. The [Mode] of a
// purpose softens it for a while: [Offered] lets users without a passkey pass, and
// [Shadow] lets everybody pass and counts.
//
// [New] makes a Kit. Call [Kit.Run] in a goroutine as well: it deletes what has expired,
// delivers events and stores counts.
//
// # Where to mount it
//
// Mount the Kit itself at Config.Path, /_stepkey/ by default: inside the middleware that
// loads the session, since Identify needs it, but outside any that redirects visitors to
// the sign-in page or that checks CSRF tokens. Its calls are JSON, carry no token, and
// have to come from a page in Config.Origins.
//
// Put Require around handlers, inside the middleware that loads the session and outside
// any that reads forms:
//
//	session → Require → CSRF token → handler
//
// A form that was posted too early comes back to the same URL after the verification and
// then passes through all of it. It is never resumed past other middleware. Middleware
// that has read the body before Require prevents that; the user then verifies and fills
// in the form again. A check of headers alone, such as http.CrossOriginProtection, may be
// anywhere.
//
// # What the application guarantees
//
// The Kit believes what an Identity says:
//
//   - User is the key of one person for ever: at most 255 bytes, compared as bytes. A key
//     that may be given to somebody else, such as an e-mail address, is not one. Call
//     Forget in the transaction that deletes the user.
//   - Session is the same value for one sign-in and never used for another one. The id of
//     the session's row will do, and so will a random value that is stored at sign-in. The
//     session's token will not if it changes during the session. A JWT has such a value
//     if it keeps a sid or auth_time when it is refreshed; its jti changes.
//   - SignedInAt is when a password, or something better, was checked in this session. It
//     is zero for a session that a "remember me" cookie began, and never time.Now().
//   - Proofs are what the application itself has checked in this session. They are asked
//     for again with each request, so they have to be kept in the session.
//
// A session without a Session value, as of an API token, gets 403 for a purpose that is
// not met: nothing else would tell two of them apart.
//
// Sessions that live in the cookie alone, such as those of gorilla's CookieStore, are not
// gone when the browser deletes the cookie. Call [Kit.SignOut] for them.
//
// # What is deliberately absent
//
//   - No sign-in with a passkey: that is for the application, or for the root package.
//   - No request that is kept on the server: somebody with a copied session could plant
//     one. A form is kept, encrypted, in the page of the person who posted it.
//   - No sliding window: using a proof does not extend it.
//   - No silent downgrade: a user without a passkey does not meet a rule that asks for
//     one. The page offers to add one, if the password is at most 10 minutes old.
//   - No MySQL, no store of one's own: PostgreSQL or SQLite, through database/sql.
//   - No tokens: what a session has proved is read from the database for each request, or
//     from memory for up to Config.Staleness.
package stepup
