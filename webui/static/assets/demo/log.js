// Behind the scenes: every call of the client, taken apart. Passwords and tokens are masked: what is shown is soon in a
// screenshot.

import { decode } from "../../stepkey.js";
import { announce, byId, copy, el, icon } from "../dom.js";
import { log as words, notes, said } from "../words/demo.js";

let calls = [];

/** Shows a call of the client, and returns a function that shows the outcome. */
export function observe({ request, ceremony, options, mediation }) {
	if (ceremony) {
		const row = record("device", `navigator.credentials.${ceremony}()`, { mediation, publicKey: options }, words.asking);
		return outcome => outcome.kind === "stopped" ? row.close(words.stopped)
			: outcome.kind === "cancelled" && mediation ? row.close(words.closed) // nobody has asked for anything
			: outcome.kind ? row.close(outcome.cause?.name ?? outcome.kind, null, true) : row.close(words[ceremony], readable(outcome));
	}
	const authorization = request.headers.get("Authorization") ?? undefined;
	const row = record("server", `${request.method} ${new URL(request.url).pathname}`, {}, words.sent);
	const asked = request.clone().json().catch(() => {}).then(body => row.ask(masked({ authorization, body })));
	return async outcome => {
		const answered = outcome.kind ? null : await outcome.json().catch(() => null);
		await asked;
		if (outcome.kind) row.close(words.lost, null, true);
		else row.close(outcome.status, masked(answered), !outcome.ok);
	};
}

function masked(value) {
	return JSON.parse(JSON.stringify(value, (key, inner) => {
		if (key === "password") return "••••••••";
		return /token$|^authorization$/i.test(key) && inner ? `${inner.slice(0, 12)}••••••••` : inner;
	}));
}

/** The answer of a device, in a form that people can read. */
function readable(credential) {
	const { clientDataJSON, authenticatorData, ...rest } = credential.response;
	const response = { clientDataJSON: JSON.parse(new TextDecoder().decode(decode(clientDataJSON))) };
	const data = inspect(credential.response);
	if (data) response.authenticatorData = data;
	return { ...credential, response: { ...response, ...rest } };
}

/** Reads the authenticator data of a response (section 6.1): a 32-byte hash, a byte of flags, a counter. null if there is none. */
export function inspect({ authenticatorData, attestationObject }) {
	const bytes = authenticatorData ? decode(authenticatorData) : attestationObject ? attested(decode(attestationObject)) : [];
	if (bytes.length < 37) return null;
	const bit = n => Boolean(bytes[32] & 1 << n);
	return {
		rpIdHash: Array.from(bytes.slice(0, 32), b => b.toString(16).padStart(2, "0")).join(""),
		flags: { UP: bit(0), UV: bit(2), BE: bit(3), BS: bit(4) },
		signCount: new DataView(bytes.slice(33, 37).buffer).getUint32(0),
	};
}

/** Finds the authenticator data in an attestation object (section 6.5.4): behind its name and a length of one byte or two. */
function attested(bytes) {
	const name = "authData", at = String.fromCharCode(...bytes).indexOf(name);
	if (at < 0) return [];
	const head = at + name.length;
	return bytes.slice(head + (bytes[head] === 0x59 ? 3 : 2));
}

/** Adds a call, open, and folds the one before, unless a person opened that. */
function record(who, name, asked, state) {
	const began = performance.now(), entry = { call: name };
	const out = el("span", { class: "out" }, state);
	const summary = el("summary", {}, el("span", { class: `who ${who}` }, words[who]), el("code", {}, name), out, icon("chevron"));
	const row = el("details", { open: "", "data-auto": "" }, summary);
	const told = new Set();
	summary.addEventListener("click", () => row.removeAttribute("data-auto"));
	for (const old of document.querySelectorAll("#log [data-auto]")) old.open = false;
	const ask = asked => { entry.asked = asked; if (Object.keys(asked).length) row.append(part(words.asked, asked, told)); };
	ask(asked);
	byId("log").append(el("li", {}, row));
	calls.push(entry);
	show();
	return {
		ask,
		close(result, answered, failed) {
			const ms = performance.now() - began;
			Object.assign(entry, { result, answered });
			out.textContent = `${result} · ${ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`}`;
			out.classList.toggle("bad", Boolean(failed));
			if (answered) row.append(part(who === "server" ? words.answered : words.decoded, answered, told));
		},
	};
}

/** A block of JSON and the notes on it. `told` holds the notes of the call, so that none comes twice. */
function part(title, value, told) {
	const list = el("ol", {});
	const mark = path => {
		const text = noted(path);
		if (!text || told.has(text)) return null;
		told.add(text);
		list.append(el("li", {}, el("span", { class: "n", "aria-hidden": "true" }, told.size), text));
		return el("span", { class: "n" }, told.size);
	};
	const code = el("pre", { tabindex: "0", role: "group", "aria-label": title }, ...lines(value, [], mark));
	return el("div", { class: "part" }, el("div", {}, el("h3", {}, title), code), ...(list.firstChild ? [list] : []));
}

const noted = path => notes[path.slice(-2).join(".")] ?? notes[path.at(-1)];

/** JSON as coloured text: short things on one line, long words cut, a mark at what has a note. */
function lines(value, path, mark, comma = "") {
	const sign = path.length ? mark(path) ?? "" : "";
	if (typeof value !== "object" || value === null) {
		const text = /^\S{41,}$/.test(value) ? `${value.slice(0, 16)}…` : value;
		return [el("span", { class: typeof value === "string" ? "s" : "v" }, JSON.stringify(text)), comma, sign];
	}
	const isList = Array.isArray(value), [start, end] = isList ? "[]" : "{}";
	const flat = path.length && JSON.stringify(value).length < 48 && !Object.keys(value).some(key => noted([...path, key]));
	const gap = flat ? " " : `\n${"  ".repeat(path.length)}`;
	const all = Object.entries(value), out = all.flatMap(([key, inner], i) => [
		flat ? gap : `${gap}  `, ...(isList ? [] : [el("span", { class: "k" }, JSON.stringify(key)), ": "]),
		...lines(inner, [...path, key], mark, i < all.length - 1 ? "," : "")]);
	if (out.length) out.push(gap);
	return flat ? [start, ...out, end, comma, sign] : [start, sign, ...out, end, comma];
}

function show() {
	byId("log").hidden = byId("log-tools").hidden = !calls.length;
}

/** Binds Copy and Clear. */
export function startLog() {
	byId("copy-log").addEventListener("click", event => copy(JSON.stringify(calls, null, 2), event.currentTarget, status));
	byId("clear-log").addEventListener("click", () => {
		calls = [];
		byId("log").replaceChildren();
		show();
		announce(said.cleared);
		byId("behind-title").focus();
	});
}
