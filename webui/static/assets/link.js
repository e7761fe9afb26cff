// The pages that links in mails lead to. The token stands behind the # of the address: the browser sends it to nobody, and
// opening the page uses nothing up. Pressing the button does.

import { announce, byId, el, icon } from "./dom.js";
import { dead, deadReset, done, off, working, wrong } from "./linkwords.js";
import { fields, notices, waitFor } from "./words.js";

const token = location.hash.slice(1);
const { act, ask } = document.forms;

/** Puts a notice in its place and goes there. */
function tell({ kind, sign, lead, text, links = [] }) {
	const row = links.map(([address, words]) => el("a", { class: "btn second small", href: address }, words));
	const box = el("div", { class: `notice ${kind}`, tabindex: "-1" }, icon(sign),
		el("div", {}, el("b", {}, lead), el("p", {}, text), ...(row.length ? [el("div", { class: "row" }, ...row)] : [])));
	byId("notice").replaceChildren(box);
	box.focus();
	announce(`${lead} ${text}`);
}

/** Says what is wrong below the form's field, and goes there. */
function refuse(form, text) {
	const input = form.querySelector("input");
	form.querySelector(".wrong").replaceChildren(icon("warn"), el("span", {}, text));
	input.setAttribute("aria-invalid", "true");
	input.focus();
}

function clear(form) {
	byId("notice").replaceChildren();
	form.querySelector(".wrong")?.replaceChildren();
	form.querySelector("input")?.removeAttribute("aria-invalid");
}

/** What the form sends, or the words that say what is missing. */
function bodyOf(form) {
	const { who, password } = form.elements;
	if (who) return who.value.trim() ? { [who.value.includes("@") ? "email" : "username"]: who.value.trim() } : wrong.needWho;
	if (password) return password.value ? { token, password: password.value } : wrong.needPassword;
	return { token };
}

async function send(form, body) {
	let response, answer;
	try {
		response = await fetch(form.dataset.call, {
			method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), credentials: "omit",
		});
		answer = await response.json();
	} catch {
		tell(navigator.onLine ? notices.unreachable : notices.offline);
		return;
	}
	if (response.ok) {
		form.hidden = true;
		history.replaceState(null, "", location.pathname); // nobody needs the token any more
		tell(done[form.dataset.done]);
		return;
	}
	const words = wrong[answer.code] ?? fields[answer.code] ?? (answer.code?.startsWith("password_") && answer.detail), wait = Number(response.headers.get("Retry-After"));
	if (words && form.querySelector("input")) refuse(form, words);
	else if (answer.code === "link_expired") end();
	else if (answer.code === "email_off") tell(off);
	else if (wait) tell({ ...(response.status === 429 ? notices.rate_limited : notices.overloaded), text: waitFor(wait) });
	else tell(notices.internal);
}

/** There is nothing to be done with this link. */
function end() {
	act.hidden = true;
	tell(ask ? deadReset : dead);
}

for (const form of document.forms) {
	const button = form.querySelector(".btn"), words = button.textContent;
	form.addEventListener("submit", async event => {
		event.preventDefault();
		if (form.ariaBusy) return;
		clear(form);
		const body = bodyOf(form);
		if (typeof body === "string") {
			refuse(form, body);
			return;
		}
		form.ariaBusy = button.ariaDisabled = "true";
		button.textContent = working;
		await send(form, body);
		button.textContent = words;
		form.ariaBusy = button.ariaDisabled = null;
	});
}

addEventListener("hashchange", () => location.reload()); // another link, in the same tab
act.hidden = !token;
if (ask) ask.hidden = Boolean(token);
else if (!token) end();
