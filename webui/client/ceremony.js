// Asking a device for a passkey, for the scripts that are built here: the client of the service (stepkey.js) and that of the
// Go package stepup. A failure is a CeremonyError, whose kind names a cause that a person can act on.

// The kind of a failure, by the name of the browser's exception.
export const kindOfException = {
	NotAllowedError: "cancelled",
	AbortError: "stopped",
	TimeoutError: "silent",
	InvalidStateError: "device",
	UnknownError: "device",
	OperationError: "device",
	NotSupportedError: "unsuited",
	ConstraintError: "unverified",
	SecurityError: "address",
};

export class CeremonyError extends Error {
	constructor(kind, cause) {
		super(kind, { cause });
		this.kind = kind;
	}
}

export const supported = () => !!window.PublicKeyCredential;

// The kind of failure that every ceremony on this page would end in, or undefined.
export function obstacle() {
	if (!supported()) return isSecureContext ? "unsupported" : "insecure";
}

export function decode(text) {
	const base64 = text.replace(/-/g, "+").replace(/_/g, "/");
	return Uint8Array.from(atob(base64), character => character.charCodeAt());
}

function encode(bytes) {
	const base64 = btoa(String.fromCharCode(...new Uint8Array(bytes)));
	return base64.replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

// Options and answers are converted here, because browsers learned to do so late and some password managers never did
// (WebAuthn Level 3 section 5.1).
const withDecodedId = item => item && { ...item, id: decode(item.id) };

function decodeOptions(options) {
	return {
		...options,
		challenge: decode(options.challenge),
		user: withDecodedId(options.user),
		excludeCredentials: options.excludeCredentials?.map(withDecodedId),
		allowCredentials: options.allowCredentials?.map(withDecodedId),
	};
}

// A password manager may answer with an object of its own that lacks members, or whose members throw.
function tryRead(member) {
	try {
		return member() || undefined;
	} catch {}
}

// Only what the server uses, and the attachment, for pages.
function encodeCredential(credential) {
	const id = tryRead(() => encode(credential.rawId)) ?? tryRead(() => credential.id);
	const response = { transports: tryRead(() => [...credential.response.getTransports()]) };
	for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
		response[name] = tryRead(() => encode(credential.response[name]));
	}
	const authenticatorAttachment = tryRead(() => credential.authenticatorAttachment);
	return { id, rawId: id, type: "public-key", response, authenticatorAttachment };
}

// Calls a static method that not every browser has, such as those that tell password managers what has become of passkeys
// (WebAuthn Level 3 section 5.1.10). It never rejects.
export const callIfPresent = (method, facts) => (async () => PublicKeyCredential[method](facts))().catch(() => {});

export const sleep = milliseconds => new Promise(done => setTimeout(done, milliseconds));

// A page can have one request to the device at a time. While the request behind the autofill list is pending, it is here.
let pendingList;
// Counts the requests that ended the list.
export let listsEnded = 0;

// Ends the request behind the autofill list. The browser has half a second to notice.
export function endList() {
	listsEnded++;
	pendingList?.abort.abort();
	return Promise.race([pendingList?.settled, sleep(500)]);
}

// Has the device make ("create") or use ("get") a passkey, and returns what the server expects. `signal` stops it; what else
// navigator.credentials takes is in `how`.
export async function ask(method, options, { signal, ...how } = {}) {
	const abort = new AbortController();
	const forList = how.mediation === "conditional";
	const { timeout = 3e5 } = options;
	let clock;
	// A browser's promise may never settle, and may ignore the signal.
	const end = new Promise((_, reject) => {
		const fail = name => reject({ name });
		const stop = () => {
			abort.abort();
			setTimeout(fail, 500);
		};
		// The list is renewed before its options expire, but not while somebody is choosing from it.
		const renew = () => {
			const focused = document.activeElement;
			if (focused?.matches("[autocomplete~=webauthn]")) focused.addEventListener("blur", renew);
			else fail("TimeoutError");
		};
		clock = forList ? setTimeout(renew, timeout * .75) : setTimeout(fail, timeout + 5e3, "TimeoutError");
		if (signal?.aborted) stop();
		else signal?.addEventListener("abort", stop);
	});
	try {
		const asked = navigator.credentials[method]({ publicKey: decodeOptions(options), signal: abort.signal, ...how });
		if (forList) pendingList = { abort, settled: asked.catch(() => {}) };
		const credential = await Promise.race([asked, end]);
		// Some password managers cancel with null.
		if (!credential) throw { name: "NotAllowedError" };
		const answer = encodeCredential(credential);
		// An answer that arrives as its request is ended is not used: another request may have taken its place.
		abort.signal.throwIfAborted?.();
		return answer;
	} catch (cause) {
		abort.abort();
		let kind = kindOfException[cause?.name] ?? "internal";
		if (signal?.aborted) kind = "stopped";
		else if (kind === "cancelled" && !document.hasFocus()) kind = "unfocused";
		else if (method === "create" && cause?.name === "InvalidStateError") kind = "exists";
		throw new CeremonyError(kind, cause);
	} finally {
		clearTimeout(clock);
	}
}
