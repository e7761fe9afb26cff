// Recovery codes, shown once, and the warning that a recovery is going on.

import { stepkey } from "../client.js";
import { byId, copy, el, press } from "../dom.js";
import { note, notice } from "../notice.js";
import { status } from "../words/common.js";
import { codes as words, dialogs, pending, said, stop } from "../words/account.js";
import { ask, attempt, day, done, load, onPress, until } from "./ui.js";

let left = 0, fresh = null, told = () => {};

/** `counted` is called with how many codes are left. */
export function start(counted) {
	told = counted;
	onPress("make-codes", make);
	addEventListener("beforeunload", event => { if (fresh) event.preventDefault(); });
}

/** Forgets the codes that were shown, because they belong to the user who has signed out. */
export function forget() { fresh = null; }

export const show = () => load("recovery", async inside => {
	const { codesLeft, codesCreatedAt, pending: running } = await stepkey.call("GET", "/account/recovery");
	left = codesLeft;
	told(left);
	byId("codes-left").textContent = codesCreatedAt ? words.left(left, day(codesCreatedAt)) : words.none;
	byId("make-codes").textContent = codesCreatedAt ? words.renew : words.make;
	if (!fresh) inside.replaceChildren(...(codesCreatedAt && left <= 3 ? [note(words.few)] : []));
	byId("pending").replaceChildren(...(running ? [notice(pending(until(running.startedAt)), press(stop, "second small", event => halt(event.target)))] : []));
});

const halt = button => attempt("recovery", button, async () => {
	try {
		await stepkey.call("DELETE", "/recovery/passkey");
	} catch (error) {
		// The passkey that the call asked for has stopped the recovery already.
		if (error.kind !== "not_found") throw error;
	}
	await show();
	done("recovery", said.recovery);
	byId("recovery-title").focus();
});

async function make() {
	if (left && !await ask(dialogs.codes)) return;
	await attempt("recovery", byId("make-codes"), async () => {
		fresh = (await stepkey.call("POST", "/account/recovery/codes")).codes;
		await show();
		reveal(fresh);
	});
}

function reveal(codes) {
	const belongs = words.belong(location.host, stepkey.session.claims.username, day(Date.now()));
	const text = [words.paper, belongs, words.rule, "", ...codes, ""].join("\n");
	const first = notice(words.once);
	const copying = press(words.copy, "second small", () => copy(text, copying, status));
	const box = el("div", { class: "codes" }, first,
		el("div", { class: "paper" }, el("h2", {}, words.paper), el("p", {}, belongs), el("p", {}, words.rule)),
		el("ol", { role: "list" }, ...codes.map(code => el("li", {}, code))),
		el("div", { class: "row" }, copying,
			press(words.download, "second small", () => download(text, words.file, "text/plain")),
			press(words.print, "second small", () => print()),
			press(words.saved, "small", () => { fresh = null; box.remove(); byId("recovery-title").focus(); })));
	byId("recovery").querySelector(".in").replaceChildren(box);
	copying.focus();
}

/** A file made here. The policy need not allow it: a download loads nothing into the page. */
export function download(text, name, type) {
	const url = URL.createObjectURL(new Blob([text], { type }));
	el("a", { href: url, download: name }).click();
	setTimeout(() => URL.revokeObjectURL(url), 10000);
}
