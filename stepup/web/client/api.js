// Calls to the Go side of the package. Its paths are relative to the folder that this script was loaded from.

import { kindOfException } from "../../../webui/client/ceremony.js";

// Not taken from the page, into which others may have got markup.
export const base = new URL(".", import.meta.url);

// The error with which the functions of this module reject. `kind` is the code of the server's problem or a cause found here, such as
// "cancelled" or "offline". `problem` and `response` are the server's answer, if there was one.
export class StepUpError extends Error {
	name = "StepUpError";
	constructor(kind, more) {
		super(more?.problem?.detail ?? kind, more);
		Object.assign(this, more, { kind });
	}
}

export async function problemOf(response) {
	const problem = await response.clone().json().catch(() => {}) ?? {};
	const retryAfter = +response.headers.get("Retry-After") || 0;
	return new StepUpError(problem.code ?? (response.status === 429 ? "rate_limited" : "internal"), { problem, response, retryAfter });
}

// The page's own fetch, also where the app puts the one of this module in its place.
const send = window.fetch.bind(window);

export async function request(input, init) {
	try {
		return await send(input, init);
	} catch (cause) {
		throw new StepUpError(kindOfException[cause.name] ?? (navigator.onLine ? "unreachable" : "offline"), { cause });
	}
}

export async function post(path, body = {}) {
	const response = await request(new URL(path, base), {
		method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), credentials: "same-origin",
	});
	if (!response.ok) throw await problemOf(response);
	return response.json().catch(() => ({}));
}
