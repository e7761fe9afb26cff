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
//   - [Guard.RequireLogin]: anybody who signed in, with a password or better.
//   - [Guard.RequireFull]: a passkey was verified in this session.
//   - [Guard.MaxAge]: a passkey was verified in this session, and not longer ago
//     than that. Use it for what cannot be undone.
//   - [Guard.RequireAction]: the user consented with a passkey to this very
//     request, amount and all. Use it for what must not be done twice or
//     otherwise than it was shown.
//   - [Guard.RequireHardware]: the passkey is known to be bound to hardware.
//
// Behind a guard, [FromContext] returns the access token's claims.
//
// # What is asked of a request
//
// An access token is taken from the Authorization header and from nowhere else
// (RFC 6750 §2.1; query strings end up in logs). No token, or one that does not
// hold, is answered with 401 and WWW-Authenticate: Bearer. Too low a level, too
// old a proof or none for the action is answered as RFC 9470 §3 says, so that a
// client knows to run the passkey ceremony and come back.
//
// # Pages of other origins
//
// Browsers let a page of another origin read an answer only if the answer says so.
// [CORS] says so for the origins you list, on refusals too, and answers preflights
// before a guard would refuse them.
//
// # Verifying by oneself
//
// A guard verifies offline, with keys that [RemoteKeys] holds. It learns that a
// session has ended from Options.Ended, which [FollowEndedSessions] keeps within
// seconds of the issuer. [New] insists on it, because without it the tokens of an ended
// session are accepted until they expire, up to [token.Lifetime] later.
//
// A guard fails closed. What cannot be found out, because the keys, the list of
// ended sessions or the memory of used action tokens cannot be reached, is
// answered with 503 and Retry-After, and never with 401: a client must not sign
// its user out because a network is down.
package guard
