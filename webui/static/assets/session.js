// The access token and what it says.
//
// It is kept in memory only: session storage is written to disk and copied into duplicated tabs. For a token of fifteen
// minutes, signing in again costs less.

import { decode } from "./webauthn.js";

/** Reads the claims; checking them is the server's part. `ends` counts from now, so that a wrong clock does no harm. */
export function session(token) {
	const claims = JSON.parse(new TextDecoder().decode(decode(token.split(".")[1])));
	const level = claims.authLevel === "full" ? "full" : "password";
	return { token, claims, level, ends: Date.now() / 1000 + claims.exp - claims.iat };
}
