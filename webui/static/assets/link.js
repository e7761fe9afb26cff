// The pages that links in mails lead to. The token stands behind the # of the address: the browser sends it to nobody, and
// opening the page uses nothing up. Pressing the button does.

import { onSubmit, refuse, tell } from "./card.js";
import { byId, showable } from "./dom.js";
import { carry, keep } from "./sign/target.js";
import { dead, deadReset, done, off, wrong } from "./words/links.js";
import { fields, notices } from "./words/common.js";

const token = location.hash.slice(1);
const { act, ask } = document.forms;

/** The body that the form sends, or a text that says which field is missing. */
function bodyOf(form) {
	const { who, password } = form.elements;
	if (who) return who.value.trim() ? { [who.value.includes("@") ? "email" : "username"]: who.value.trim() } : wrong.needWho;
	if (password) return password.value ? { token, password: password.value } : wrong.needPassword;
	return { token };
}

/** The field of a form. */
const inputOf = form => form.querySelector("input:not(.vh)");

async function send(form, body) {
	let response, answer;
	try {
		response = await fetch(form.dataset.call, {
			// Asking for a link says which device asks, so that a sign-in there voids the link. Nothing else needs a cookie.
			method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), credentials: form === ask ? "same-origin" : "omit",
		});
		answer = await response.json();
	} catch {
		tell(navigator.onLine ? notices.unreachable : notices.offline);
		return;
	}
	if (response.ok) {
		form.hidden = document.querySelector(".intro").hidden = true;
		remember(form);
		history.replaceState(null, "", location.pathname); // nobody needs the token any more
		tell(done[form.dataset.done]);
		return;
	}
	const words = (form.elements.who && wrong[answer.code]) ?? fields[answer.code], wait = Number(response.headers.get("Retry-After"));
	const input = inputOf(form);
	if (words && input) refuse(input, words);
	else if (answer.code === "link_expired") end();
	else if (answer.code === "email_off") tell(off);
	else if (wait) tell({ ...(response.status === 429 ? notices.rate_limited : notices.overloaded), wait });
	else tell(notices[answer.code] ?? notices.internal);
}

/** Keeps who asked for a link, so that the password manager learns whose the new password is, where the link is opened in this browser. */
function remember(form) {
	try {
		if (form === ask) {
			localStorage["stepkey:asked"] = form.elements.who.value.trim();
			keep();
		} else delete localStorage["stepkey:asked"];
	} catch {
		// Then the person tells the password manager.
	}
}

/** Who asked for a link in this browser. */
function remembered() {
	try {
		return localStorage["stepkey:asked"] ?? "";
	} catch {
		return "";
	}
}

/** There is nothing to be done with this link. */
function end() {
	act.hidden = document.querySelector(".intro").hidden = true;
	tell(ask ? deadReset : dead);
}

onSubmit(async form => {
	const body = bodyOf(form);
	if (typeof body === "string") refuse(inputOf(form), body);
	else await send(form, body);
});

addEventListener("hashchange", () => location.reload()); // another link, in the same tab
act.hidden = !token;
if (act.elements.username) act.elements.username.value = remembered();
showable();
carry();
byId("gate").hidden = false;
if (ask) ask.hidden = Boolean(token);
else if (!token) end();
