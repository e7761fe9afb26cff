// Shared by the pages with one card: a notice, answers at the fields, and forms that say that they are busy.

import { announce, byId, el, icon } from "./dom.js";
import { note } from "./notice.js";
import { busy } from "./words/common.js";

/** Puts a notice in its place and goes there. */
export function tell(words) {
	const links = (words.links ?? []).map(([address, label]) => el("a", { class: "btn second small", href: address }, label));
	const box = note(words, ...links);
	box.tabIndex = -1;
	byId("notice").replaceChildren(box);
	box.focus();
	announce(`${words.lead} ${words.text}`);
}

/** Says what is wrong below a field, and goes there. */
export function refuse(input, text) {
	byId(input.getAttribute("aria-describedby").split(" ").pop()).replaceChildren(icon("warn"), el("span", {}, text));
	input.setAttribute("aria-invalid", "true");
	input.focus();
}

function clear(form) {
	byId("notice").replaceChildren();
	for (const row of form.querySelectorAll(".wrong")) row.replaceChildren();
	for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
}

/** Has each form of the page do something when it is sent, once at a time. */
export function onSubmit(act) {
	for (const form of document.forms) {
		const button = form.querySelector(".btn:not([type=button])"), words = button.textContent;
		form.addEventListener("submit", async event => {
			event.preventDefault();
			if (form.ariaBusy) return;
			clear(form);
			form.ariaBusy = button.ariaDisabled = "true";
			button.textContent = busy;
			await act(form);
			button.textContent = words;
			form.ariaBusy = button.ariaDisabled = null;
		});
	}
}
