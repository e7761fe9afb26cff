// The server's calls: JSON both ways. A refusal (RFC 9457) is thrown as Problem, silence as Unreachable.

import { record } from "./log.js";
import { log } from "./words.js";

export class Unreachable extends Error {}

export class Problem extends Error {
	constructor(response, body) {
		super(`${response.status} ${body.code ?? ""}`);
		this.status = response.status;
		this.code = body.code ?? "";
		this.tooShort = this.code.startsWith("password_") && body.detail;
		this.requestId = body.requestId;
		this.retryAfter = seconds(response.headers.get("Retry-After"));
	}
}

/** Calls the server. The token says who asks; a cookie, only that this device was here before. */
export async function call(method, path, { body, token } = {}) {
	const authorization = token && `Bearer ${token}`;
	const row = record("server", `${method} ${path}`, masked({ authorization, body }), log.sent);
	const headers = { Accept: "application/json" };
	if (token) headers.Authorization = authorization;
	if (body) headers["Content-Type"] = "application/json";
	let response, answer;
	try {
		response = await fetch(path, { method, headers, body: JSON.stringify(body), credentials: "same-origin", cache: "no-store" });
		answer = await response.json().catch(() => ({}));
	} catch {
		row.close(log.lost, null, true);
		throw new Unreachable();
	}
	row.close(response.status, masked(answer), !response.ok);
	if (!response.ok) throw new Problem(response, answer);
	return answer;
}

/** Retry-After is a number of seconds or a date (RFC 9110 section 10.2.3). */
function seconds(value) {
	const n = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000);
	return n > 0 ? n : 0;
}

/** A copy without passwords and tokens: what is shown is soon in a screenshot. */
function masked(value) {
	return JSON.parse(JSON.stringify(value, (key, inner) => {
		if (key === "password") return "••••••••";
		return /token$|^authorization$/i.test(key) && inner ? `${inner.slice(0, 12)}••••••••` : inner;
	}));
}
