// Helpers that pages and dialogs share: making elements, notices, waiting for the device. Nothing here parses HTML.

import { script as words } from "../words.json";

export { words };

export const say = (text, value) => text.replace("{}", value);

export const moment = (date, style) => new Intl.DateTimeFormat(words.locale, style).format(date);

export function el(name, attributes, ...children) {
	const node = document.createElement(name);
	for (const key in attributes) node.setAttribute(key, attributes[key]);
	node.append(...children);
	return node;
}

export function button(text, look, act) {
	const node = el("button", { type: "button", class: `sk-btn ${look}` }, text);
	node.addEventListener("click", act);
	return node;
}

export const link = (text, href) => el("a", { class: "sk-btn sk-second", href }, text);

// The words for a failure: a bold sentence, and what to do. A browser's own text is never shown.
export function explain({ kind, problem, retryAfter }) {
	const known = words.notice[kind];
	const until = problem?.usableFrom ? say(words.from, moment(new Date(problem.usableFrom), { dateStyle: "medium", timeStyle: "short" })) : "";
	const [lead, text] = known ?? (problem?.detail ? [problem.detail, ""] : words.notice.internal);
	if (!retryAfter) return [lead, text || until];
	return [lead, retryAfter < 120 ? say(words.seconds, retryAfter) : say(words.minutes, Math.ceil(retryAfter / 60))];
}

// Places that lead on from a refusal: to sign in again, to the app's page for a factor, or to the page for the purpose.
export function waysOut({ problem = {} }) {
	const here = encodeURIComponent(location.pathname + location.search);
	return [
		[problem.signIn, words.signIn], [problem.prove, words.prove], [problem.verify, words.openPage],
	].filter(([href]) => href && new URL(href, location).protocol.startsWith("http"))
		.slice(0, 1).map(([href, text]) => link(text, href.endsWith("=") ? href + here : href));
}

export function notice(kind, [lead, text], ...buttons) {
	const box = el("div", { class: `sk-notice sk-${kind}`, role: kind === "ok" ? "status" : "alert" }, el("p", {}, el("b", {}, lead), " ", text));
	if (buttons.length) box.append(el("div", { class: "sk-row" }, ...buttons));
	return box;
}

const calm = ["cancelled", "unmade", "stopped", "unfocused", "challenge_expired", "exists"];

// The notice for a failure. One that the person chose, or that time brought, is no alarm.
export const failure = error => notice(calm.includes(error.kind) ? "plain" : "warn", explain(error), ...waysOut(error));

const slowAfter = 20000;

// Shows in `slot`, in place of `body`, that the device asks while work runs; Stop and Escape end it. When it fails, the slot
// says why and the promise is undefined.
export async function attempt(slot, body, work) {
	const stop = new AbortController();
	const halt = () => stop.abort();
	const escape = event => {
		if (event.key !== "Escape") return;
		event.preventDefault();
		halt();
	};
	const text = el("p", {}, words.gesture);
	const told = el("div", { role: "status", tabindex: "-1" }, el("b", {}, words.waiting), text);
	const slow = setTimeout(() => { text.textContent = words.slow; }, slowAfter);
	slot.replaceChildren(el("div", { class: "sk-wait" }, told, button(words.stop, "sk-second", halt)));
	body.hidden = true;
	told.focus();
	addEventListener("keydown", escape, true);
	try {
		const result = await work(stop.signal);
		slot.replaceChildren();
		return result ?? {};
	} catch (error) {
		slot.replaceChildren(failure(error));
	} finally {
		clearTimeout(slow);
		removeEventListener("keydown", escape, true);
		body.hidden = false;
	}
}

// After a failure the button that begins says so, and has the focus.
export function offerAgain(node) {
	node.textContent = words.again;
	node.focus();
}
