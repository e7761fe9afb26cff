// The device's calls: navigator.credentials with JSON on both sides, under the page's own clock.

import { record } from "./log.js";
import { log } from "./words.js";

/** The person pressed Stop, or the browser never answered. */
export class Stopped extends Error {}
export class Silent extends Error { name = "Silent"; }

export const supported = () => typeof PublicKeyCredential === "function" && "credentials" in navigator;

/**
 * Runs a ceremony, "create" or "get". A browser's promise may never settle, and may ignore the signal: so Stop waits half
 * a second for it, and the options' timeout and five seconds end it in any case.
 */
export async function ask(kind, options, stop) {
	const row = record("device", `navigator.credentials.${kind}()`, { publicKey: options }, log.asking);
	const abort = new AbortController();
	let clock;
	const end = new Promise((_, reject) => {
		clock = setTimeout(reject, (options.timeout ?? 300000) + 5000, new Silent());
		stop.addEventListener("abort", () => { abort.abort(); setTimeout(reject, 500, new Stopped()); });
	});
	try {
		const publicKey = (kind === "create" ? creation : request)(options);
		const credential = json(await Promise.race([navigator.credentials[kind]({ publicKey, signal: abort.signal }), end]));
		row.close(log[kind], readable(credential));
		return credential;
	} catch (error) {
		abort.abort();
		const reason = stop.aborted ? new Stopped() : error;
		row.close(stop.aborted ? log.stopped : reason.name, null, !stop.aborted);
		throw reason;
	} finally {
		clearTimeout(clock);
	}
}

// WebAuthn Level 3 section 5.1, by hand where the browser has not got it.

function creation(options) {
	const { user, challenge, excludeCredentials } = options;
	return PublicKeyCredential.parseCreationOptionsFromJSON?.(options) ?? {
		...options, challenge: decode(challenge), user: { ...user, id: decode(user.id) }, excludeCredentials: decodeIds(excludeCredentials),
	};
}

function request(options) {
	return PublicKeyCredential.parseRequestOptionsFromJSON?.(options) ?? {
		...options, challenge: decode(options.challenge), allowCredentials: decodeIds(options.allowCredentials),
	};
}

const decodeIds = (list = []) => list.map(item => ({ ...item, id: decode(item.id) }));

/** Some password managers answer with an object whose toJSON is missing or throws. */
function json(credential) {
	try {
		return credential.toJSON();
	} catch {
		const { id, rawId, type, response: given, authenticatorAttachment } = credential;
		const response = { transports: given.getTransports?.() };
		for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
			if (given[name]) response[name] = encode(given[name]);
		}
		const clientExtensionResults = credential.getClientExtensionResults?.() ?? {};
		return { id, rawId: encode(rawId), type, response, authenticatorAttachment, clientExtensionResults };
	}
}

/** A copy for people. */
function readable(credential) {
	const { clientDataJSON, authenticatorData: data, ...rest } = credential.response;
	const response = { clientDataJSON: JSON.parse(new TextDecoder().decode(decode(clientDataJSON))) };
	if (data) response.authenticatorData = inspect(data);
	return { ...credential, response: { ...response, ...rest } };
}

/** Reads authenticator data (section 6.1): a 32-byte hash, a byte of flags, a counter. */
export function inspect(data) {
	const bytes = decode(data), bit = n => Boolean(bytes[32] & 1 << n);
	return {
		rpIdHash: Array.from(bytes.slice(0, 32), b => b.toString(16).padStart(2, "0")).join(""),
		flags: { UP: bit(0), UV: bit(2), BE: bit(3), BS: bit(4) },
		signCount: new DataView(bytes.buffer).getUint32(33),
	};
}

/** Bytes from base64url. */
export function decode(text) {
	return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), c => c.charCodeAt(0));
}

function encode(buffer) {
	return btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
