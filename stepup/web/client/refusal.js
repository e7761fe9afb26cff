// Refusals that a passkey resolves, on any page of the app: one ceremony, then the request once more.

import { base, post, problemOf, request, StepUpError } from "./api.js";
import { confirm } from "./dialog.js";

const running = new Map();
let turn = Promise.resolve();

// One dialog at a time; those who need the same share one.
function inTurn(key, run) {
	if (!running.has(key)) {
		const result = turn.then(run);
		turn = result.catch(() => {});
		running.set(key, result.finally(() => running.delete(key)));
	}
	return running.get(key);
}

// Resolves once the need that a refusal names is met. Each action takes a ceremony of its own. A purpose that was met
// meanwhile takes none.
export function meet({ purpose, action, fields, user, verify }) {
	verify ??= new URL(`verify?p=${encodeURIComponent(purpose)}&next=`, base).href;
	return inTurn(action ? Symbol() : purpose, async () => {
		const begun = await post("begin", { purpose, action, ensure: true }).catch(error => error);
		const met = begun.met ? begun : await confirm({ purpose, action, fields, verify }, begun);
		// A request of one person is not repeated in the name of another.
		if (user && met.user && met.user !== user) throw new StepUpError("otherUser");
	});
}

// Only the app's own server may have a device asked.
export const isOurs = url => new URL(url, location).origin === location.origin;

// Reports from status and headers alone whether an answer is such a refusal (RFC 9470).
export const asksForPasskey = (status, header) => (status === 401 || status === 403) &&
	/problem\+json/.test(header("Content-Type")) && /insufficient_user_authentication/.test(header("WWW-Authenticate"));

// The app's fetch, which steps up where it must. It rejects with a StepUpError where a person gives up.
export async function fetchSteppingUp(input, init) {
	const first = new Request(input, init);
	const isStream = init?.body instanceof ReadableStream || (input instanceof Request && input.duplex === "half");
	// A stream can be read once, and a copy would hold all of it in memory.
	const second = isStream ? null : first.clone();
	const response = await request(first);
	if (!second || !isOurs(response.url) || !asksForPasskey(response.status, name => response.headers.get(name))) return response;
	const { problem } = await problemOf(response);
	if (problem.code !== "step_up_required") return response;
	await meet(problem);
	return request(second);
}
