// The words of the demo beside words/common.js. The words are in the language files.

import { messages, t } from "../text.js";

const words = await messages("demo");

const say = (kind, sign) => (text, ...actions) => ({ kind, sign, ...text, actions });
const ok = say("ok", "check"), lock = say("plain", "lock"), shut = say("warn", "lock");

/** Notices beside those of words/common.js. */
export const ownNotices = {
	second: ok(words.notices.second, "make"),
	closedOut: lock(words.notices.closedOut, "signin"),
	closed: shut(words.notices.closed, "verify"),
	closedNone: shut(words.notices.closedNone, "add"),
	opened: ok(words.notices.opened, "reopen"),
};

/** The words of buttons in notices, of announcements and of passkeys, beside those of words/common.js. */
export const { actions: ownActions, status: said, passkey: own } = words;

/** `busy` says more, by the step of the demo. */
export const { busy: busyIn, stairs, stand, log, verified } = words;

/** The meaning of claims, in the order they are shown; claims that are not named here come last. */
export const claims = Object.fromEntries(["sub", "authLevel", "amr", "auth_time", "exp", "iat", "password_time", "passkey_time"]
	.map(name => [name, words.claims[name] ?? ""]));

/** The factors behind a token, by the methods of RFC 8176: "pop" is a passkey, "otp" a code or link that works once. */
export function factors(amr) {
	const [password, key, once] = ["pwd", "pop", "otp"].map(method => amr.includes(method));
	const { recovered, link, both, passkey, password: alone } = words.factors;
	if (once) return password ? recovered : link;
	if (key) return password ? both : passkey;
	return alone;
}

export function left(time) {
	const all = Math.round(time), minutes = Math.floor(all / 60), seconds = all % 60;
	const { minutes: far, both, seconds: near } = words.left;
	return all >= 300 ? t(far, { minutes }) : t(all >= 60 ? both : near, { minutes, seconds });
}

const { password, authorization, accessToken, challenge, bound, algorithms, excluded, verification, signed, origin, flags, signature, code } = words.notes;

/** Notes on the calls, by the end of a path in their JSON. */
export const notes = {
	"body.password": password,
	authorization,
	accessToken,
	challenge,
	"publicKey.challenge": challenge,
	"publicKey.rpId": bound,
	"rp.id": bound,
	pubKeyCredParams: algorithms,
	excludeCredentials: excluded,
	userVerification: verification,
	"clientDataJSON.challenge": signed,
	"clientDataJSON.origin": origin,
	flags,
	signature,
	code,
};
