// The list of passkeys: add, rename in place, delete.

import { supported } from "../../stepkey.js";
import { stepkey } from "../client.js";
import { byId, el, icon } from "../dom.js";
import { passkey as kinds } from "../words/common.js";
import { advice, dialogs, passkeys as words, said } from "../words/account.js";
import { advise } from "./advice.js";
import { ask, attempt, done, dotted, folded, known, load, onPress, part, phone, rowButton, until, when } from "./ui.js";

/** How many there are; null until it is known. */
export let count = null;

let told = () => {};

/** `changed` is called with each new list. */
export function start(changed) {
	told = changed;
	byId("add").hidden = !supported();
	onPress("add", add);
}

/** Shows the list and, at full level, where it comes with what that takes, tells password managers of it. */
export const show = () => load("passkeys", async inside => {
	const answer = await stepkey.call("GET", "/passkeys");
	if (answer.rpId) stepkey.syncPasskeys(answer);
	count = known.count = answer.passkeys.length;
	const later = answer.passkeys.map(({ usableFrom }) => usableFrom).filter(from => new Date(from) > new Date());
	[known.waits, known.working] = [later[0], count - later.length];
	inside.replaceChildren(el("div", { class: "advice" }), ...(count ? folded("passkeys", answer.passkeys.map(row)) : []));
	advise(answer.passkeys);
	told();
});

/** Shows what a verification may have changed, unless somebody is at work in the list. */
export function renew() {
	if (!byId("passkeys").ariaBusy && !part("passkeys", "form")) show();
}

function row(passkey) {
	const { name, provider, backupEligible, synced, createdAt, lastUsedAt, usableFrom, transports, usedHere } = passkey;
	const sync = backupEligible === null ? "" : synced ? kinds.synced : backupEligible ? kinds.unsynced : kinds.bound;
	const later = usableFrom && new Date(usableFrom) > new Date();
	const key = transports.some(way => ["usb", "nfc", "ble"].includes(way));
	const heading = el("h3", { tabindex: "-1" }, name, ...(usedHere ? [" ", el("span", { class: "tag" }, words.here)] : []));
	const text = el("div", { class: "text" }, heading,
		el("p", {}, ...dotted([provider !== name && provider, sync])),
		el("p", {}, ...words.added(when(createdAt, true)), " · ", ...(lastUsedAt ? words.used(when(lastUsedAt, true)) : [words.unused])),
		...(later ? [el("p", {}, el("b", {}, words.waits(until(usableFrom))))] : []));
	const renaming = rowButton(words.rename, name, button => rename(passkey, heading, button));
	renaming.dataset.rename = passkey.id;
	const item = el("li", { "data-id": passkey.id }, el("span", { class: "glyph" }, icon(key ? "key" : phone(`${name} ${provider}`) ? "phone" : "device")), text,
		el("div", { class: "row" },
			renaming,
			rowButton(words.remove, name, button => remove(passkey, item, button))));
	return item;
}

async function add() {
	const before = count;
	const worked = await attempt("passkeys", byId("add"), async () => {
		let options = await stepkey.call("POST", "/passkeys/register/options");
		const made = await ask(dialogs.add, {
			device: true, step: "add",
			async submit(signal) {
				const fresh = options;
				options = undefined;
				await stepkey.registerPasskey({ options: fresh, signal });
			},
		});
		if (!made) return;
		await show();
		done("passkeys", before === 0 ? advice.first : said.added);
	});
	return worked;
}

function rename({ id, name }, heading, button) {
	const input = el("input", { "aria-label": words.name, autocomplete: "off", maxlength: "64", value: name });
	const save = el("button", { class: "btn small" }, words.save);
	const end = () => { form.replaceWith(heading); button.hidden = false; button.focus(); };
	const cancel = el("button", { type: "button", class: "btn quiet small" }, words.cancel);
	const wrong = el("p", { class: "wrong", role: "alert" });
	const form = el("form", { method: "post" }, input, save, cancel, wrong);
	cancel.addEventListener("click", end);
	form.addEventListener("keydown", event => { if (event.key === "Escape") end(); });
	form.addEventListener("submit", event => {
		event.preventDefault();
		const typed = input.value.trim();
		if (typed === name) return end();
		wrong.replaceChildren(...(typed ? [] : [icon("warn"), el("span", {}, words.needName)]));
		input.ariaInvalid = typed ? null : "true";
		if (!typed) return input.focus();
		attempt("passkeys", save, async () => {
			await stepkey.call("PATCH", `/passkeys/${id}`, { name: typed });
			await show();
			done("passkeys", said.renamed);
			part("passkeys", `[data-rename="${id}"]`)?.focus();
		});
	});
	heading.replaceWith(form);
	button.hidden = true;
	input.select();
}

async function remove({ id, name }, item, button) {
	const last = count === 1;
	if (!await ask(last ? dialogs.last : dialogs.remove(name))) return;
	const place = [...item.parentNode.children].indexOf(item);
	await attempt("passkeys", button, async () => {
		let left;
		try {
			left = await stepkey.call("DELETE", `/passkeys/${id}${last ? "?last=true" : ""}`);
		} catch (error) {
			if (error.kind === "not_found") await show();
			throw error;
		}
		await stepkey.syncPasskeys(left);
		await stepkey.refresh(); // the session may have lost its level with the passkey
		await show();
		done("passkeys", said.removed);
		(byId("passkeys").querySelectorAll("h3")[Math.min(place, count - 1)] ?? byId("passkeys-title")).focus();
	});
}
