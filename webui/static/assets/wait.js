// Waiting for the device, with a way out: a browser's own window may hide, and its promise may never settle.

import { announce, el, icon, press } from "./dom.js";
import { actions, status, waiting } from "./words/common.js";

/** How long after the start it is said, in milliseconds, what to do if nothing happens. */
const LONG = 20000;

/** The notice that is shown while the device asks. `end` stops its clock. */
export function waitingFor() {
	const text = el("p", { class: "fine" }, waiting.text);
	const words = el("div", { role: "status", tabindex: "-1" }, el("b", {}, waiting.lead), text);
	const slow = setTimeout(() => { text.textContent = waiting.slow; }, LONG);
	return { ring: el("div", { class: "ring" }, icon("finger")), words, end: () => clearTimeout(slow) };
}

/** Shows in `slot`, in place of `body`, that the device is asking while work runs. Stop and Escape abort the signal it gets. */
export async function wait(slot, body, work) {
	const stop = new AbortController(), { ring, words, end } = waitingFor();
	const halt = () => { stop.abort(); announce(status.stopped); };
	const escape = event => event.key === "Escape" && halt();
	slot.replaceChildren(el("div", { class: "wait" }, ring, words, press(actions.stop, "second", halt)));
	body.hidden = true;
	words.focus();
	document.addEventListener("keydown", escape);
	try {
		return await work(stop.signal);
	} finally {
		end();
		document.removeEventListener("keydown", escape);
		slot.replaceChildren();
		body.hidden = false;
	}
}
