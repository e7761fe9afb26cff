// Shared by the sections of /account: notices, busy buttons, rows, and the one dialog.

import { StepkeyError } from "../../stepkey.js";
import { stepkey } from "../client.js";
import { announce, byId, el, icon, press, showable } from "../dom.js";
import { moment, past, whole } from "../dates.js";
import { explain } from "../failures.js";
import { note, notice } from "../notice.js";
import { locale } from "../text.js";
import { waitingFor } from "../wait.js";
import { actions, busy, fields, show, showWhat, status, title } from "../words/common.js";
import { at, dialogs, gone } from "../words/account.js";

export const part = (section, what) => byId(section).querySelector(what);
export const onPress = (id, act) => byId(id).addEventListener("click", act);

/** Notices of words/common.js that can be tried again say how, by one of these. */
const retries = ["again", "restart", "elsewhere"];

/** Puts a notice into a section, in place of the one before. */
export function tell(section, words, ...buttons) {
	part(section, ".tell").replaceChildren(notice(words, ...buttons));
	buttons[0]?.focus();
}

/** Says in a section, and once to screen readers, what went well: one sentence, or the words of a notice. */
export function done(section, words, ...buttons) {
	const { lead, text, ...look } = typeof words === "string" ? { kind: "ok", sign: "check", lead: words, text: "" } : words;
	part(section, ".tell").replaceChildren(note({ ...look, lead, text }, ...buttons));
	announce(`${lead} ${text}`.trim());
}

/** The state of the passkeys: their number, how many of them work, and from when a waiting one does. */
export const known = { count: null, working: 0, waits: null };

/**
 * Runs what a button of a section does, with what it takes to be allowed to: deaf to a second press meanwhile, and saying
 * there what stopped it. Yields whether nothing did; the section then has an event "changed".
 */
export async function attempt(section, button, work) {
	const place = byId(section);
	if (place.ariaBusy) return false;
	const words = [...button.childNodes], slow = setTimeout(() => button.replaceChildren(busy), 400);
	place.ariaBusy = button.ariaDisabled = "true";
	part(section, ".tell").replaceChildren();
	try {
		await allowed(work);
		place.dispatchEvent(new Event("changed", { bubbles: true }));
		return true;
	} catch (error) {
		if (!(error instanceof StepkeyError)) throw error;
		if (error.kind === "stopped") {
			announce(status.stopped);
			button.focus();
		} else if (stepkey.session || section === "gate") {
			const words = error.status === 404 && error.kind === "not_found" ? gone : explain(error);
			const name = words.actions.find(action => retries.includes(action));
			const ways = name ? [press(actions[name], "second small", () => attempt(section, button, work))] : [];
			if (words.actions.includes("add")) ways.push(press(actions.add, "second small", () => byId("add").click()));
			tell(section, words, ...ways);
		}
		return false;
	} finally {
		clearTimeout(slow);
		if (button.textContent === busy) button.replaceChildren(...words); // the work may have given it others
		place.ariaBusy = button.ariaDisabled = null;
	}
}

/** Asks again for what a refusal says is missing, a passkey or the password, and carries on. */
async function allowed(work) {
	for (;;) {
		try {
			return await work();
		} catch (error) {
			if (error.stepUp) await confirmed();
			else if (error.kind === "reauthentication_required") await typedAgain();
			else throw error;
		}
	}
}

const stopped = () => new StepkeyError("stopped");

/** Has a passkey verified; rejects when the person would rather not. */
export async function confirmed() {
	if (known.count === 0) throw new StepkeyError("no_passkeys");
	const waits = known.waits ? [el("p", {}, dialogs.confirm.waits(moment(known.waits)))] : [];
	const ways = el("p", { class: "fine" }, dialogs.confirm.hint, " ", el("a", { href: "recover" }, dialogs.confirm.ways));
	const whom = el("p", { class: "whom" }, stepkey.session?.claims.username ?? "");
	if (!await ask(dialogs.confirm, { body: [whom, ...waits, ways], device: true, submit: signal => stepkey.stepUp({ signal }) })) throw stopped();
}

/** Has the password typed again. The session that goes on is a new one, so the old one is ended. */
async function typedAgain() {
	const { username } = stepkey.session.claims;
	const name = el("input", { class: "vh", autocomplete: "username", value: username, tabindex: "-1", readonly: "", "aria-hidden": "true" });
	const password = field("again", dialogs.again.label, { type: "password", autocomplete: "current-password" });
	const worked = await ask(dialogs.again, {
		body: [name, password.row], focus: password.input,
		async submit() {
			if (!password.input.value) return password.refuse(dialogs.again.missing);
			try {
				await stepkey.signIn({ username, password: password.input.value });
			} catch (error) {
				if (error.kind === "wrong_credentials") return password.refuse(fields.wrong_password);
				throw error;
			}
		},
	});
	if (!worked) throw stopped();
}

/** A field of a dialog. `refuse` says what is wrong with it, goes there, and yields false. */
export function field(id, label, attributes, hint) {
	const about = `${id}-wrong`, wrong = el("p", { class: "wrong", id: about, role: "alert" });
	const input = el("input", { id, spellcheck: "false", autocapitalize: "none", "aria-describedby": hint ? `${id}-hint ${about}` : about, ...attributes });
	const secret = attributes.type === "password" ? el("div", { class: "secret" }, input,
		el("button", { type: "button", class: "btn quiet small", "aria-pressed": "false" }, show, el("span", { class: "vh" }, ` ${showWhat}`))) : input;
	const row = el("div", { class: "field" }, el("label", { for: id }, label), secret,
		...(hint ? [el("p", { class: "hint", id: `${id}-hint` }, hint)] : []), wrong);
	showable(row);
	const refuse = text => {
		wrong.replaceChildren(icon("warn"), el("span", {}, text));
		input.setAttribute("aria-invalid", "true");
		input.focus();
		return false;
	};
	return { row, input, refuse };
}

/**
 * Opens the dialog and yields whether its act was done. `submit` does it: it yields false where something is wrong with a
 * field. With `device`, it is shown that the device is asking, and Stop and Escape abort the signal that submit gets.
 */
export function ask({ heading, text, act, safe, look = "" }, { body = [], focus, device, step, submit = () => {} } = {}) {
	const opener = document.activeElement, before = document.title;
	const slot = el("div", {}), middle = el("div", {}, el("p", {}, text), ...body);
	const keep = press(safe ?? dialogs.keep, "second", () => stop ? stop.abort() : close(false));
	const go = el("button", { class: `btn ${look}` }, act);
	const row = el("div", { class: "row" }, keep, go);
	const form = el("form", { method: "dialog", novalidate: "" }, el("h2", { id: "dialog-title" }, heading), middle, slot, row);
	const box = el("dialog", { id: "dialog", "aria-labelledby": "dialog-title" }, form);
	let stop, settle, fail;
	const result = new Promise((resolve, reject) => { [settle, fail] = [resolve, reject]; });
	function close(value) {
		box.close();
		box.remove();
		document.title = before;
		if (opener?.isConnected) opener.focus();
		settle(value);
	}
	box.addEventListener("cancel", event => { event.preventDefault(); keep.click(); });
	form.addEventListener("submit", async event => {
		event.preventDefault();
		if (form.ariaBusy) return;
		form.ariaBusy = go.ariaDisabled = "true";
		slot.replaceChildren();
		for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
		for (const line of form.querySelectorAll(".wrong")) line.replaceChildren();
		const words = keep.textContent, asking = device && waitingFor();
		if (device) {
			stop = new AbortController();
			slot.replaceChildren(el("div", { class: "wait" }, asking.ring, asking.words));
			middle.hidden = go.hidden = true;
			keep.textContent = actions.stop;
			keep.focus();
		}
		try {
			if (await submit(stop?.signal) !== false) close(true);
		} catch (error) {
			slot.replaceChildren();
			if (!(error instanceof StepkeyError) || error.stepUp || error.kind === "no_passkeys" || error.kind === "reauthentication_required" || error.status === 401 && !stepkey.session) {
				close(false);
				fail(error);
			} else if (error.kind === "stopped") announce(status.stopped);
			else {
				const words = explain(error, step), again = words.actions?.find(action => retries.includes(action));
				slot.replaceChildren(notice(words));
				if (again) go.textContent = actions[again];
			}
		} finally {
			asking?.end();
			stop = null;
			middle.hidden = go.hidden = false;
			keep.textContent = words;
			form.ariaBusy = go.ariaDisabled = null;
			if (device && box.open) go.focus();
		}
	});
	byId("main").append(box);
	box.showModal();
	document.title = title(heading);
	(focus ?? (device ? go : keep)).focus();
	return result;
}

const reach = "a, button, h3, input";

/**
 * Remembers where the focus is in a list that is about to be rebuilt. The function that it returns restores a lost focus: to the same
 * control of the row or, where the row is gone, to the heading of the section.
 */
function holding(section, inside) {
	const focused = document.activeElement, row = focused.closest("[data-id]");
	if (!inside.contains(focused)) return () => {};
	const place = row ? [...row.querySelectorAll(reach)].indexOf(focused) : -1;
	return () => {
		if (focused.isConnected || document.activeElement !== document.body) return;
		const again = row && inside.querySelector(`[data-id="${CSS.escape(row.dataset.id)}"]`);
		(again?.querySelectorAll(reach)[place] ?? again ?? byId(`${section}-title`)).focus();
	};
}

/** Loads a section: three grey rows after 300 ms, and on failure a way to try again. */
export async function load(section, work) {
	const place = byId(section), inside = part(section, ".in"), hold = holding(section, inside);
	place.ariaBusy = "true";
	const slow = setTimeout(() => inside.childElementCount || inside.replaceChildren(el("ul", { class: "list bones", "aria-hidden": "true" }, el("li"), el("li"), el("li"))), 300);
	try {
		await work(inside);
		hold();
	} catch (error) {
		if (!(error instanceof StepkeyError)) throw error;
		inside.replaceChildren();
		const again = press(actions.again, "second small", () => { part(section, ".tell").replaceChildren(); load(section, work); });
		if (stepkey.session) part(section, ".tell").replaceChildren(notice({ ...explain(error), ...at.unloaded }, again));
	} finally {
		clearTimeout(slow);
		place.ariaBusy = null;
	}
}

/** A moment, as in "Today, 14:03", "Yesterday, 21:40" and "3 Sep 2026"; `small` begins with a small letter. */
export function when(text, small) {
	const date = new Date(text), words = past(date);
	return el("time", { datetime: date.toISOString(), title: whole(date) }, small ? words : words[0].toLocaleUpperCase(locale) + words.slice(1));
}

export { day, moment as until } from "../dates.js";

/** How many rows of a long list are shown at first. */
const FOLD = 5;

/** The lists that were unfolded. They stay so when they are made anew. */
const unfolded = new Set();

/** Folds the lists for the next person. */
export const fold = () => unfolded.clear();

/** A list that shows its first rows, and the rest when asked. */
export function folded(section, rows) {
	const list = el("ul", { class: "list", role: "list" }, ...rows);
	if (rows.length <= FOLD || unfolded.has(section)) return [list];
	const rest = rows.slice(FOLD);
	for (const row of rest) row.hidden = true;
	const all = press(at.all(rows.length), "quiet small", () => {
		unfolded.add(section);
		for (const row of rest) row.hidden = false;
		all.remove();
		rest[0].querySelector("h3").focus();
	});
	all.dataset.id = "all";
	return [list, all];
}

/** Parts of a line, with a dot after each but the last. */
export const dotted = parts => parts.filter(Boolean).flatMap((one, i) => i ? [" · ", one] : [one]);

/** A button in a row; what it is about is only heard. */
export function rowButton(words, about, act) {
	const button = press(words, "quiet small", () => act(button));
	button.append(el("span", { class: "vh" }, ` ${about}`));
	return button;
}

export const phone = name => /phone|android|ios/i.test(name);
