// Verifies the header X-Stepkey-Assertion with nothing but Node.js 20. See assertion.md.
import { createPublicKey, verify } from "node:crypto";

const leeway = 30; // seconds that the clocks may differ
let cached = { keys: [], until: 0 };

async function keyOf(jwks, kid) {
	if (Date.now() > cached.until || !cached.keys.some((key) => key.kid === kid)) {
		const answer = await fetch(jwks);
		if (!answer.ok) throw new Error("the keys cannot be fetched");
		cached = { keys: (await answer.json()).keys, until: Date.now() + 300_000 };
	}
	return cached.keys.find((key) => key.kid === kid && key.kty === "EC" && key.crv === "P-256");
}

/** Returns the claims of an assertion, or throws. */
export async function identity(raw, { jwks, issuer, audience }) {
	if (typeof raw !== "string" || raw.length >= 2048) throw new Error("no assertion");
	const [head, body, signature, rest] = raw.split(".");
	if (!signature || rest !== undefined) throw new Error("no assertion");
	const { alg, typ, kid } = JSON.parse(Buffer.from(head, "base64url"));
	if (alg !== "ES256" || typ !== "stepkey-assertion+jwt") throw new Error("another kind of token");
	const jwk = await keyOf(jwks, kid);
	if (!jwk) throw new Error("unknown key");
	const key = { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" };
	if (!verify("sha256", Buffer.from(`${head}.${body}`), key, Buffer.from(signature, "base64url"))) {
		throw new Error("the signature is wrong");
	}
	const claims = JSON.parse(Buffer.from(body, "base64url"));
	const now = Date.now() / 1000;
	if (claims.iss !== issuer || claims.aud !== audience) throw new Error("for somebody else");
	if (!(claims.exp > now - leeway && claims.iat < now + leeway)) throw new Error("expired, or not valid yet");
	return claims;
}
