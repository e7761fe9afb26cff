// How a StepkeyError looks: the notice, or the fields it belongs to. A browser's own text is never shown.

import { moment } from "./dates.js";
import { fields, later, notices, reference } from "./words/common.js";

/** Names of the fields a refusal belongs to, and the words; null for other refusals. */
export function atFields(error, step) {
	const { kind, problem } = error;
	if (kind === "wrong_credentials") return [["username", "password"], fields.wrong];
	const text = step === "signup" && (fields[kind] ?? (kind.startsWith("password_") && problem.detail));
	return text ? [[kind.startsWith("username") ? "username" : "password"], text] : null;
}

/** The notice for the rest. Without words of its own, it says what the error says. */
export function explain(error, step) {
	const { kind, retryAfter, problem } = error;
	// Guessing is about the password: a passkey signs in all the same.
	const guessing = error.status === 429 && /auth\/login$/.test(error.response?.url);
	if (retryAfter) return { ...(guessing ? notices.locked : error.status === 429 ? notices.rate_limited : notices.overloaded), wait: retryAfter };
	if (kind === "cancelled" && step === "add") return notices.unmade;
	if (later[kind]) return later[kind](moment(problem.usableFrom ?? problem.possibleFrom));
	if (kind === "verification_failed" && step === "add") return notices.unproven;
	if (kind === "cross_site") return notices.address;
	const words = notices[kind] ?? (error.status < 500 && problem?.detail ? { ...notices.internal, lead: problem.detail, text: "" } : notices.internal);
	return words === notices.internal && problem?.requestId ? { ...words, text: `${words.text} ${reference(problem.requestId)}` } : words;
}
