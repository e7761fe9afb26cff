// The list of passkeys in a page of the app: manage.html.

import { obstacle } from "../../../webui/client/ceremony.js";
import { post } from "./api.js";
import { open } from "./dialog.js";
import { add } from "./passkey.js";
import { meet } from "./refusal.js";
import { attempt, button, el, explain, failure, moment, notice, say, words } from "./view.js";

// Times come in UTC from the server; a person's own zone is known here.
export function localTimes(root) {
	for (const node of root.querySelectorAll("time[datetime]")) {
		const date = new Date(node.dateTime);
		const exact = node.dataset.exact !== undefined;
		node.textContent = moment(date, exact ? { dateStyle: "medium", timeStyle: "short" } : { dateStyle: "medium" });
		node.title = moment(date, { dateStyle: "full", timeStyle: "long" });
	}
}

// Asks for a change in a dialog: the safe button first and with the focus.
const ask = (title, text, act) => open(title, close => [
	el("p", {}, text),
	el("div", { class: "sk-row" }, button(words.keep, "sk-second", () => close()), button(act, "sk-danger", () => close(true))),
]);

const askName = name => open(say(words.renameTitle, name), close => {
	const input = el("input", { id: "name", value: name, maxlength: "64", autocomplete: "off", autofocus: "" });
	const form = el("form", {},
		el("label", { for: "name" }, words.name), input,
		el("div", { class: "sk-row" }, el("button", { class: "sk-btn" }, words.save), button(words.cancel, "sk-second", () => close())));
	form.addEventListener("submit", event => {
		event.preventDefault();
		if (input.value.trim()) close(input.value.trim());
	});
	return [form];
});

export function startManage(section) {
	const { service, account } = section.dataset;
	const find = name => section.querySelector(`[data-${name}]`);
	const [slot, body, list] = [find("slot"), find("body"), find("list")];
	const reveal = root => {
		for (const node of root.querySelectorAll("[data-scripted]")) node.hidden = false;
	};
	const made = row => {
		reveal(row);
		const id = row.dataset.id;
		const name = () => row.querySelector("[data-name]").textContent;
		row.querySelector("[data-do=rename]").addEventListener("click", () => rename(id, name()));
		row.querySelector("[data-do=remove]").addEventListener("click", () => remove(id, name()));
		return row;
	};

	function fill(row, passkey) {
		row.dataset.id = passkey.id;
		const set = (name, text) => { row.querySelector(`[data-${name}]`).textContent = text; };
		const show = (name, when) => {
			const node = row.querySelector(`[data-${name}]`);
			node.hidden = !when;
			const time = node.querySelector("time");
			if (when && time) time.dateTime = when;
		};
		set("name", passkey.name);
		set("of-rename", passkey.name);
		set("of-remove", passkey.name);
		set("provider", passkey.provider);
		show("provider", passkey.provider);
		show("synced", passkey.synced);
		show("local", !passkey.synced);
		show("added", passkey.createdAt);
		show("used", passkey.lastUsedAt);
		show("unused", !passkey.lastUsedAt && !passkey.usableFrom);
		show("from", passkey.usableFrom);
		return made(row);
	}

	function draw(passkeys) {
		const blank = section.querySelector("template").content;
		list.replaceChildren(...passkeys.map(passkey => fill(blank.cloneNode(true).firstElementChild, passkey)));
		find("none").hidden = passkeys.length > 0;
		localTimes(list);
	}

	const tell = (kind, text) => slot.replaceChildren(notice(kind, text));

	// Runs a change, which may need a passkey first, and says how it went.
	async function change(work, done) {
		for (let tries = 0; ; tries++) {
			try {
				const answer = await work();
				tell("ok", [done, ""]);
				return answer;
			} catch (error) {
				const needed = error.kind === "step_up_required" && !error.problem.noPasskey && tries === 0;
				const met = needed && await meet(error.problem).then(() => true, reason => { error = reason; });
				if (met) continue;
				slot.replaceChildren(failure(error));
				return;
			}
		}
	}

	const focusOn = id => list.querySelector(`[data-id="${CSS.escape(id)}"] button`)?.focus();

	async function rename(id, old) {
		const name = await askName(old);
		if (!name || name === old) return;
		const answer = await change(() => post(`passkeys/${encodeURIComponent(id)}`, { name }), words.renamed);
		if (!answer) return;
		draw(answer.passkeys);
		focusOn(id);
	}

	async function remove(id, name) {
		const isLast = list.children.length === 1;
		if (!await ask(say(words.removeTitle, name), isLast ? words.removeLast : words.removeText, words.remove)) return;
		const send = last => post(`passkeys/${encodeURIComponent(id)}`, { delete: true, last });
		const answer = await change(() => send(isLast || undefined), words.removed);
		if (!answer) return;
		draw(answer.passkeys);
		section.querySelector("h2").focus();
	}

	async function addOne() {
		// A further passkey takes a verification first, so the step-up is asked for before the device makes one.
		let needed;
		const run = signal => add(signal).catch(error => {
			needed = error.kind === "step_up_required" && !error.problem?.noPasskey && error.problem;
			throw error;
		});
		let passkey = await attempt(slot, body, run);
		if (!passkey && needed && await meet(needed).then(() => true, () => false)) passkey = await attempt(slot, body, run);
		if (!passkey) return;
		list.append(fill(section.querySelector("template").content.cloneNode(true).firstElementChild, passkey));
		find("none").hidden = true;
		localTimes(list);
		tell("ok", [words.added, ""]);
		section.querySelector("[data-do=add]").focus();
	}

	async function makeCodes() {
		const has = find("codes").dataset.codes !== "0";
		if (has && !await ask(words.codesTitle, words.codesText, words.makeCodes)) return;
		const answer = await change(() => post("codes"), "");
		if (!answer) return;
		slot.replaceChildren();
		const head = [say(words.codesOf, service), account, moment(new Date(), { dateStyle: "medium" })];
		const text = [...head, "", ...answer.codes, "", words.codesUse, ""].join("\n");
		await open(words.codesKeep, close => {
			const said = el("p", { role: "status", class: "sk-fine" });
			const copy = button(words.copy, "sk-second", async () => {
				said.textContent = await navigator.clipboard.writeText(text).then(() => words.copied, () => words.uncopied);
			});
			const file = el("a", {
				class: "sk-btn sk-second", href: URL.createObjectURL(new Blob([text], { type: "text/plain" })),
				download: `${head.join(" ").replace(/[^\p{L}\p{N}@._-]+/gu, "-")}.txt`,
			}, words.download);
			return [
				el("p", { class: "sk-fine" }, head.join(" · ")),
				el("ul", { class: "sk-codes", tabindex: "0", "aria-label": head[0] }, ...answer.codes.map(code => el("li", {}, code))),
				el("p", { class: "sk-fine" }, words.codesUse), said,
				el("div", { class: "sk-row" }, copy, file, button(words.saved, "", () => close())),
			];
		});
		find("codes").dataset.codes = answer.codes.length;
		find("left").textContent = find("left").dataset.left.replace("0", answer.codes.length);
	}

	for (const row of list.children) made(row);
	section.querySelector("[data-do=add]").addEventListener("click", addOne);
	section.querySelector("[data-do=codes]").addEventListener("click", makeCodes);
	reveal(section);
	const kind = obstacle();
	if (kind) {
		section.querySelector("[data-do=add]").hidden = true;
		tell("warn", explain({ kind }));
	}
}
