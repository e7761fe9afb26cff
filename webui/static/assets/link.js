// The pages that links in mails lead to. The token stands behind the # of the address: the browser sends it to nobody, and
// opening the page uses nothing up. Pressing the button does.

import { onSubmit, refuse, tell } from "./card.js";
import { dead, deadInvitation, deadReset, done, off, wrong } from "./words/links.js";
import { fields, notices, waitFor } from "./words/common.js";

const token = location.hash.slice(1);
const { act, ask } = document.forms;

/** What the form sends, or the words that say what is missing. */
function bodyOf(form) {
	const { who, username, password } = form.elements;
	if (username) {
		if (!username.value.trim()) return fields.needName;
		return password.value ? { invitation: token, username: username.value, password: password.value } : fields.needPassword;
	}
	if (who) return who.value.trim() ? { [who.value.includes("@") ? "email" : "username"]: who.value.trim() } : wrong.needWho;
	if (password) return password.value ? { token, password: password.value } : wrong.needPassword;
	return { token };
}

/** The field that a refusal is about: the last one, or the name. */
function inputOf(form, words, code) {
	const { username, password } = form.elements;
	return username && password && (code?.startsWith("password_") || words === fields.needPassword) ? password : form.querySelector("input");
}

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
		form.hidden = true;
		history.replaceState(null, "", location.pathname); // nobody needs the token any more
		tell(done[form.dataset.done]);
		return;
	}
	const words = (form.elements.who && wrong[answer.code]) ?? fields[answer.code] ?? (answer.code?.startsWith("password_") && answer.detail), wait = Number(response.headers.get("Retry-After"));
	const input = inputOf(form, words, answer.code);
	if (words && input) refuse(input, words);
	else if (answer.code === "link_expired" || answer.code === "invitation_invalid") end();
	else if (answer.code === "email_off") tell(off);
	else if (wait) tell({ ...(response.status === 429 ? notices.rate_limited : notices.overloaded), text: waitFor(wait) });
	else tell(notices.internal);
}

/** There is nothing to be done with this link. */
function end() {
	act.hidden = true;
	tell(act.elements.username ? deadInvitation : ask ? deadReset : dead);
}

onSubmit(async form => {
	const body = bodyOf(form);
	if (typeof body === "string") refuse(inputOf(form, body), body);
	else await send(form, body);
});

addEventListener("hashchange", () => location.reload()); // another link, in the same tab
act.hidden = !token;
if (ask) ask.hidden = Boolean(token);
else if (!token) end();
