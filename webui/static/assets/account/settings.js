// Password, e-mail, and the end of the account.

import { stepkey } from "../client.js";
import { byId, el, press } from "../dom.js";
import { fields } from "../words/common.js";
import { dialogs, email as mail, said } from "../words/account.js";
import * as passkeys from "./passkeys.js";
import { ask, attempt, confirmed, done, field, load, onPress, part } from "./ui.js";

/** How long a passkey check counts, in milliseconds. The server decides; this only saves a refusal. */
export const WINDOW = 300000;

/** How long the last passkey check still counts, in milliseconds. */
export const remaining = () => (stepkey.session?.claims.passkey_time ?? 0) * 1000 + WINDOW - Date.now();

/** `deleted` is called when the account is no more. */
export function start(deleted) {
	onPress("change-password", changePassword);
	onPress("change-email", changeEmail);
	onPress("delete-account", () => erase(deleted));
}

/** With passkeys, one is verified before anything is typed. */
async function ready() {
	if (passkeys.count && remaining() < 60000) await confirmed();
}

async function changePassword() {
	const words = dialogs.password;
	const next = field("next", words.next, { type: "password", autocomplete: "new-password" }, words.hint);
	await attempt("password", byId("change-password"), async () => {
		await ready();
		const name = el("input", { class: "vh", autocomplete: "username", value: stepkey.session.claims.username, tabindex: "-1", readonly: "", "aria-hidden": "true" });
		const current = field("current", words.current, { type: "password", autocomplete: "current-password" }, passkeys.count ? words.optional : undefined);
		const changed = await ask(words, {
			body: [name, current.row, next.row], focus: current.input,
			async submit() {
				if (!current.input.value && !passkeys.count) return current.refuse(words.needCurrent);
				if (!next.input.value) return next.refuse(words.needNext);
				try {
					await stepkey.post("/account/password", { currentPassword: current.input.value || undefined, newPassword: next.input.value });
				} catch (error) {
					if (error.kind === "wrong_password") return current.refuse(words.wrong);
					const text = fields[error.kind];
					if (text) return next.refuse(text);
					throw error;
				}
			},
		});
		if (!changed) return;
		done("password", said.password);
		part("activity", ".tell").replaceChildren(); // it may say that a new one is due
		byId("password-title").focus();
	});
}

/** An application may leave out e-mail altogether. */
function whereLeftOut(error) {
	if (error.kind !== "not_found") throw error;
	return { available: false };
}

export const showEmail = () => load("email", async inside => {
	const { available, email, pending } = await stepkey.call("GET", "/account/email").catch(whereLeftOut), button = byId("change-email");
	button.hidden = !available;
	if (!available) return inside.replaceChildren(mail.off);
	button.textContent = email || pending ? mail.change : mail.add;
	const line = (address, tag, ...buttons) => el("div", { class: "row" }, el("span", {}, address, " ", el("span", { class: "tag" }, tag)), ...buttons);
	const small = (words, act) => { const made = press(words, "quiet small", () => attempt("email", made, act)); return made; };
	inside.replaceChildren(
		...(email ? [line(email, mail.confirmed, ...(pending ? [] : [small(mail.remove, () => forget(true))]))] : []),
		...(pending ? [line(pending, mail.waiting, small(mail.again, () => send(pending)), small(mail.cancel, () => forget(!!email)))] : []),
		...(email || pending ? [] : [mail.none]));
});

async function send(address) {
	await stepkey.call("POST", "/account/email", { email: address });
	await showEmail();
	done("email", said.sent(address));
}

/** Takes away the address and what waits to become one. */
async function forget(sure) {
	if (sure && !await ask(dialogs.forget)) return;
	await stepkey.call("DELETE", "/account/email");
	await showEmail();
	done("email", said.forgotten);
	byId("email-title").focus();
}

async function changeEmail() {
	const words = dialogs.email;
	// The field outlives the dialog: what was typed is there again where the password or a passkey is asked for in between.
	const address = field("address", words.label, { type: "email", autocomplete: "email" });
	await attempt("email", byId("change-email"), async () => {
		await ready();
		await ask(words, {
			body: [address.row], focus: address.input,
			async submit() {
				if (!address.input.value.trim()) return address.refuse(fields.email_invalid);
				try {
					await send(address.input.value.trim());
				} catch (error) {
					if (error.kind !== "email_invalid") throw error;
					return address.refuse(fields.email_invalid);
				}
			},
		});
	});
}

async function erase(deleted) {
	const words = dialogs.erase;
	let sure = false;
	await attempt("delete", byId("delete-account"), async () => {
		await ready();
		const { username } = stepkey.session.claims;
		const name = field("erase-name", words.label(username), { autocomplete: "off" });
		sure ||= await ask(words, {
			body: [name.row], focus: name.input,
			submit: () => name.input.value.trim() === username || name.refuse(words.wrong),
		});
		if (!sure) return;
		await stepkey.call("DELETE", "/account");
		await deleted();
	});
}
