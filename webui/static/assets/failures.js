// What went wrong, and which words say it. A browser's own text is never shown.

import { Problem, Unreachable } from "./api.js";
import { Silent } from "./webauthn.js";
import { fields, notices, openAt, reference } from "./words.js";

const byCode = {
	challenge_expired: "expired", no_passkeys: "none", step_up_required: "first", reauthentication_required: "password",
	passkey_exists: "foreign", too_many_passkeys: "many",
};

const byName = {
	NotSupportedError: "unsuited", ConstraintError: "unverified", SecurityError: "address",
	UnknownError: "device", OperationError: "device", TimeoutError: "silent",
};

/** Names of the fields a refusal belongs to, and the words; null for other refusals. */
export function atFields(error, step) {
	if (step === "signin" && error.status === 401) return [["username", "password"], fields.wrong];
	const text = step === "signup" && error instanceof Problem && (fields[error.code] ?? error.tooShort);
	return text ? [[error.code.startsWith("username") ? "username" : "password"], text] : null;
}

/** The notice for the rest. */
export function explain(error, step, rpId) {
	if (error instanceof Problem) return problem(error, step);
	if (error instanceof Unreachable) return navigator.onLine ? notices.unreachable : notices.offline;
	if (error instanceof Silent) return notices.silent;
	if (error.name === "NotAllowedError") return document.hasFocus() ? notices.cancelled : notices.unfocused;
	if (error.name === "InvalidStateError") return step === "add" ? notices.present : notices.device;
	const words = notices[byName[error.name] ?? "broken"];
	if (words !== notices.address || !rpId) return words;
	const home = rpId === "localhost" ? `http://localhost:${location.port}` : `https://${rpId}`;
	return { ...words, home, actions: [openAt(home)] };
}

function problem(error, step) {
	if (error.retryAfter) return { ...(error.status === 429 ? notices.limited : notices.busy), wait: error.retryAfter };
	if (error.code === "verification_failed") return step === "add" ? notices.unproven : notices.refused;
	if (error.status === 401) return notices.signedOut;
	const words = notices[byCode[error.code] ?? "broken"];
	return words === notices.broken && error.requestId ? { ...words, text: `${words.text} ${reference(error.requestId)}` } : words;
}
