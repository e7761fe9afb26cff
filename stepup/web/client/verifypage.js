// The page for a purpose: verify.html.

import { obstacle } from "../../../webui/client/ceremony.js";
import { post } from "./api.js";
import { add, verify } from "./passkey.js";
import { localPath, withFragment } from "./path.js";
import { attempt, button, el, explain, failure, notice, offerAgain, words } from "./view.js";

// Posts the fields as the browser would have: in order, repeated names and empty values included. A field named "submit"
// or "append" hides the form's own method, so that of the prototype is called.
// The page was the answer to a POST: its place in the history becomes that of the page that the form was on, so that the browser's
// button leads there, and not to sending the form once more.
function postForm({ action, enctype, fields }, next) {
	// A textarea keeps line breaks, and is not filled in by the browser as a hidden field named "_charset_" is.
	const inputs = fields.map(([name, value]) => {
		const input = el("textarea", { name });
		input.value = value;
		return input;
	});
	const form = el("form", { method: "post", action: new URL(withFragment(action, location.hash), location), enctype, hidden: "" }, ...inputs);
	document.body.append(form);
	if (localPath(next)) history.replaceState(null, "", next);
	HTMLFormElement.prototype.submit.call(form);
}

// How soon after a verification its page is not expected again, in milliseconds.
const soon = 10000;

// The verification that this tab went on from last: for a session that the app loses on the way, each one leads back to the
// page. Nothing but this notice depends on it, so it need not be kept where a script of the page could not change it.
const lastMet = {
	note: where => {
		try {
			sessionStorage["stepkey:met"] = JSON.stringify([where, Date.now()]);
		} catch {
			// Without storage there is no notice.
		}
	},
	isRecent: where => {
		try {
			const [met, at] = JSON.parse(sessionStorage["stepkey:met"] ?? "[]");
			return met === where && Date.now() - at < soon;
		} catch {
			return false;
		}
	},
};

export function startVerifyPage(page) {
	const { purpose, next, form, action, auto } = page.dataset;
	const [slot, body] = [page.querySelector("[data-slot]"), page.querySelector("[data-body]")];
	const step = name => page.querySelector(`[data-step=${name}]`);
	const on = (name, run) => page.querySelector(`[data-do=${name}]`)?.addEventListener("click", event => run(event.currentTarget));

	// A page from the back-forward cache may offer what is done. One that keeps a form was posted: loading it again would post
	// the form, so the way leads back instead.
	addEventListener("pageshow", ({ persisted }) => {
		if (!persisted) return;
		if (form) location.replace(withFragment(next, location.hash));
		else location.reload();
	});

	const where = `${purpose} ${next}`;
	const goOn = answer => {
		if (!action) lastMet.note(where); // each action takes a verification of its own
		if (answer.form) postForm(answer.form, next);
		else location.replace(withFragment(next, location.hash));
	};

	// Going on by itself is for those who came from a page of this site. Others may have been sent here by somebody else.
	const finish = answer => {
		body.hidden = true;
		const go = button(words.next, "", () => goOn(answer));
		slot.replaceChildren(notice("ok", [words.verified, auto === "true" ? words.goingOn : ""]), go);
		if (auto === "true") goOn(answer);
		else go.focus();
	};

	if (page.dataset.state === "verify" && !action && lastMet.isRecent(where)) slot.replaceChildren(notice("warn", explain({ kind: "repeated" })));

	on("verify", async pressed => {
		const answer = await attempt(slot, body, signal => verify({ purpose, action: action || undefined, form: form || undefined }, signal));
		if (answer) finish(answer);
		else offerAgain(pressed);
	});

	on("add", async pressed => {
		const passkey = await attempt(slot, body, add);
		if (!passkey) return offerAgain(pressed);
		// One that was added through recovery waits: what the server says of it now is on the page that it draws.
		if (passkey.usableFrom && !form) return location.reload();
		step("add").hidden = true;
		step("verify").hidden = false;
		step("verify").querySelector("button").focus();
	});

	on("skip", async () => {
		try {
			await post("skip");
			location.replace(withFragment(next, location.hash));
		} catch (error) {
			slot.replaceChildren(failure(error));
		}
	});

	page.querySelector("form[data-recover]")?.addEventListener("submit", async event => {
		event.preventDefault();
		const code = event.target.elements.code;
		const busy = event.target.querySelector("button");
		if (busy.ariaDisabled === "true") return;
		busy.ariaDisabled = "true";
		try {
			await post("recover", { code: code.value.trim() });
			page.querySelector("details").hidden = true;
			step("verify").hidden = true;
			step("add").hidden = false;
			slot.replaceChildren(notice("ok", [words.codeUsed, ""]));
			step("add").querySelector("button").focus();
		} catch (error) {
			slot.replaceChildren(failure(error));
			code.focus();
		} finally {
			busy.ariaDisabled = "false";
		}
	});

	// Without passkeys here there is nothing to press.
	const kind = page.querySelector("[data-do=verify],[data-do=add]") && obstacle();
	if (kind) {
		for (const node of page.querySelectorAll("[data-do=verify],[data-do=add],[data-hint]")) node.hidden = true;
		slot.replaceChildren(notice("warn", explain({ kind })));
	}
	if (!localPath(next)) page.querySelector("[data-back]")?.remove();
}
