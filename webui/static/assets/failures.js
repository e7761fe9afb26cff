// How a StepkeyError looks: the notice, or the fields it belongs to. A browser's own text is never shown.

import { moment } from "./dates.js";
import { fields, later, notices, reference, signInFields } from "./words/common.js";

/** Names of the fields a refusal belongs to, and the words; null for other refusals. */
export function atFields(error, step) {
	const { kind } = error;
	if (kind === "wrong_credentials") return [["username", "password"], signInFields.wrong];
	const text = step === "signup" && fields[kind];
	return text ? [[kind.split("_")[0]], text] : null;
}

/** The notice for the rest. The server's text is for developers, in English; a refusal without words here is a mistake of the page. */
export function explain(error, step) {
	const { kind, retryAfter, problem } = error;
	// Guessing is about the password: a passkey signs in all the same.
	const guessing = error.status === 429 && /auth\/login$/.test(error.response?.url);
	if (retryAfter) return { ...(guessing ? notices.locked : error.status === 429 ? notices.rate_limited : notices.overloaded), wait: retryAfter };
	if (kind === "cancelled" && step === "add") return notices.unmade;
	if (later[kind]) return later[kind](moment(problem.usableFrom ?? problem.possibleFrom));
	if (kind === "verification_failed" && step === "add") return notices.unproven;
	if (kind === "cross_site") return notices.address;
	const words = notices[kind] ?? (error.status < 500 && problem?.code ? notices.outdated : notices.internal);
	return words === notices.internal && problem?.requestId ? { ...words, text: `${words.text} ${reference(problem.requestId)}` } : words;
}
