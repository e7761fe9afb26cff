// Package guard protects net/http routes with Stepkey's tokens. It is made to be
// imported alone: it needs neither the database nor the rest of the module.
//
//	keys := guard.NewRemoteKeys("https://auth.example.com/.well-known/jwks.json", nil)
//	verifier, err := token.NewVerifier(keys, token.Expect{Issuer: issuer, Audience: issuer})
//	ended, err := guard.FollowEndedSessions(ctx, listURL, verifier, guard.FollowOptions{})
//	g := guard.New(verifier, guard.Options{Ended: ended})
//	mux.Handle("GET /account", g.RequireLogin(account))
//	mux.Handle("GET /payouts", g.RequireFull(payouts))
//	mux.Handle("POST /payouts", g.MaxAge(5*time.Minute)(pay))
//
// Which one to use:
//
//   - [Guard.RequireLogin]: the user signed in, with a password or better.
//
//   - [Guard.RequireFull]: a passkey was verified in this session.
//
//   - [Guard.MaxAge]: a passkey was verified in this session, at most that long
//     ago. Use it for operations that cannot be undone.
//
//   - [Guard.RequireAction]: the user consented with a passkey to exactly this
//     request, including the amount. Use it for operations that must happen
//     only once and exactly as shown to the user.
//
//   - [Guard.RequireHardware]: the passkey is known to be bound to hardware.
//
//   - [Guard.RequireGroup]: the user is in a group.
//
//   - [Assertions.Require]: the request came through Stepkey's gate, with an assertion instead of
//     an access token.
//
// Behind a guard, [FromContext] returns the access token's claims.
//
// # Requests
//
// An access token is read from the Authorization header only (RFC 6750 §2.1;
// query strings end up in logs). A missing or invalid token is answered with
// 401 and WWW-Authenticate: Bearer. A level that is too low, a proof that is
// too old or missing consent to the action is answered as RFC 9470 §3 says, so
// that a client knows to run the passkey ceremony and try again.
//
// # Pages of other origins
//
// Browsers let a page of another origin read an answer only if the answer says so.
// [CORS] says so for the origins you list, on refusals too, and answers preflights
// before a guard would refuse them.
//
// # Offline verification
//
// A guard verifies tokens offline, with the keys that [RemoteKeys] caches. It learns of
// ended sessions from Options.Ended, which [FollowEndedSessions] keeps within seconds
// of the issuer. [New] requires it: without it, the tokens of an ended session are
// accepted until they expire, up to [token.Lifetime] later.
//
// A guard fails closed. If the keys, the list of ended sessions or the record
// of used action tokens cannot be reached, it answers 503 with Retry-After, and
// never 401: a client must not sign its user out because a network is down.
package guard
