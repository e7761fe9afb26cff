// Dialogs on a page of the app. They live in a shadow root, so that the styles of the app and theirs do not meet.

import { base, StepUpError } from "./api.js";
import { verify } from "./passkey.js";
import { attempt, button, el, failure, offerAgain, say, words } from "./view.js";

// A page whose policy asks for a nonce has one on its scripts.
const nonce = () => document.querySelector("script[nonce]")?.nonce ?? "";

// Opens a modal dialog whose content `fill` makes from functions that close it, and returns what it is closed with. Escape
// yields undefined. The focus goes back to where it was.
export function open(title, fill) {
	return new Promise(done => {
		const before = document.activeElement;
		const host = el("div");
		const style = el("link", { rel: "stylesheet", href: new URL("stepup.css", base), nonce: nonce() });
		const heading = el("h2", { id: "title", tabindex: "-1" }, title);
		const dialog = el("dialog", { class: "stepkey sk-dialog", "aria-labelledby": "title" }, heading);
		const close = result => {
			host.remove();
			before?.focus?.();
			done(result);
		};
		dialog.append(...fill(close));
		dialog.addEventListener("cancel", event => {
			event.preventDefault();
			close();
		});
		host.attachShadow({ mode: "open" }).append(style, dialog);
		document.body.append(host);
		const show = () => {
			if (!dialog.isConnected || dialog.open) return;
			dialog.showModal();
			const first = dialog.querySelector("[autofocus]") ?? heading;
			first.focus();
			first.select?.();
		};
		// Shown once it has its style, or without one where the app's policy forbids it.
		style.addEventListener("load", show);
		style.addEventListener("error", show);
	});
}

export const details = fields => el("dl", { class: "sk-fields" },
	...fields.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))));

// Asks for a passkey, and again until it is used or the person gives up. `begun` is the answer of begin, or the error in its
// place.
export async function confirm(needed, begun) {
	const { title, account } = { ...needed, ...begun };
	const finished = await open(words.confirm, close => {
		const slot = el("div");
		const body = el("div", { class: "sk-body" });
		const cancel = button(words.cancel, "sk-second", () => close());
		if (begun instanceof Error) {
			slot.append(failure({ ...begun, problem: { verify: needed.verify, ...begun.problem } }));
			body.append(el("div", { class: "sk-row" }, cancel));
			return [slot, body];
		}
		let { options } = begun;
		const go = button(words.verify, "", async () => {
			const answer = await attempt(slot, body, signal => verify({ ...needed, options }, signal));
			if (answer) close(answer);
			else offerAgain(go);
			options = undefined; // a challenge serves once
		});
		go.setAttribute("autofocus", "");
		if (title) body.append(el("p", { class: "sk-purpose" }, title));
		if (account) body.append(el("p", { class: "sk-fine" }, say(words.account, account)));
		if (needed.fields) body.append(details(needed.fields));
		body.append(el("p", { class: "sk-fine" }, words.gesture), el("div", { class: "sk-row" }, go, cancel));
		return [slot, body];
	});
	if (!finished) throw begun instanceof Error ? begun : new StepUpError("cancelled");
	return finished;
}
