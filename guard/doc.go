// Package guard protects net/http routes with Stepkey's access tokens. It is
// made to be imported alone: it needs neither the database nor the rest of the
// module.
//
//	verifier, err := token.NewVerifier(keys, token.Expect{Issuer: issuer, Audience: issuer})
//	g := guard.New(verifier, guard.Options{})
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
//
// Behind a guard, [FromContext] returns the token's claims.
//
// A token is taken from the Authorization header and from nowhere else
// (RFC 6750 §2.1; query strings end up in logs). No token, or one that does not
// hold, is answered with 401 and WWW-Authenticate: Bearer. Too low a level, or
// too old a proof, is answered as RFC 9470 §3 says, so that a client knows to
// run the passkey ceremony and come back.
//
// A guard verifies offline. It learns that a session has ended when the token
// expires, at most [token.Lifetime] later.
package guard
