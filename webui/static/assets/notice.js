// The notice: what happened, and what can be done about it.

import { el, icon } from "./dom.js";
import { waitFor } from "./words/common.js";

/**
 * Builds a notice from words such as those of words/common.js, with buttons or links. Screen readers say it once. One with a
 * `wait`, in seconds, counts down before it shows them.
 */
export function notice({ kind, sign, lead, text, detail, wait }, ...buttons) {
	const bold = el("b", {}, lead), row = el("div", { class: "row" }, ...buttons);
	const line = el("p", {}, text, ...(detail ? [" ", el("code", {}, detail)] : []));
	const box = el("div", { class: `notice ${kind}`, role: "alert" }, icon(sign), el("div", {}, bold, line, row));
	const until = Date.now() + 1000 * wait;
	const tick = () => {
		const rest = Math.ceil((until - Date.now()) / 1000);
		bold.textContent = rest > 0 ? `${lead} ${waitFor(rest)}` : lead;
		row.hidden = rest > 0 || !buttons.length;
		if (rest > 0) setTimeout(tick, 1000);
	};
	if (wait) tick();
	else row.hidden = !buttons.length;
	setTimeout(() => box.removeAttribute("role"), 900); // a live region would say each count
	return box;
}

/** A notice that belongs to the page and is no news. */
export function note(words, ...buttons) {
	const box = notice(words, ...buttons);
	box.removeAttribute("role");
	return box;
}
