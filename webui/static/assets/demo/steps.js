// The five steps as they look.

import { byId, el, icon, press } from "../dom.js";
import { notice } from "../notice.js";
import { wait } from "../wait.js";
import { actions, busy, title } from "../words/common.js";
import { busyIn, ownActions } from "../words/demo.js";

/** Without the first one where sign-up is not open. */
export const names = ["signup", "signin", "add", "verify", "open"].filter(byId);
const find = (step, what) => byId(step).querySelector(what);

export const form = step => find(step, "form");
export const main = step => find(step, ".body .btn:not(.small)");

let current = names[0];

const retitle = failed => { document.title = title(find(current, "h3").textContent, failed); };

/** Moves on to a step; `results` has a line for each that is done. */
export function show(step, results) {
	const moved = step !== current;
	current = step;
	for (const name of names) {
		const line = find(name, ".result"), now = name === step, done = name in results;
		byId(name).className = `step ${now ? "now" : done ? "done" : ""}`;
		if (now) byId(name).setAttribute("aria-current", "step");
		else byId(name).removeAttribute("aria-current");
		line.textContent = results[name] ?? "";
		line.hidden = now || !done;
		if (name !== "open") clear(name);
	}
	main("open").classList.toggle("second", step !== "open");
	// At the start the page begins where it begins, and nobody has asked to be taken elsewhere.
	if (moved && !document.querySelector(".unsettled")) find(step, "h3").focus();
}

/** Takes away what an earlier try left behind. */
export function clear(step) {
	find(step, ".slot").replaceChildren();
	find(step, ".body").hidden = step !== "open" && step !== current;
	for (const line of byId(step).querySelectorAll(".wrong")) line.replaceChildren();
	for (const input of byId(step).querySelectorAll("input")) input.removeAttribute("aria-invalid");
	retitle();
}

/** Says what is wrong at the place that the last of the fields names, and goes to the first. */
export function wrong(step, fields, text) {
	const inputs = fields.map(name => form(step).elements[name]);
	byId(inputs.at(-1).getAttribute("aria-describedby").split(" ").pop()).replaceChildren(icon("warn"), el("span", {}, text));
	for (const input of inputs) input.setAttribute("aria-invalid", "true");
	retitle(true);
	inputs[0].focus();
}

/** Puts a notice into a step. One with actions replaces the body, unless that is a form. */
export function tell(step, words, run) {
	const buttons = words.actions.map(name => press(actions[name] ?? ownActions[name] ?? name, "second small", run[name]));
	const box = notice(words, ...buttons), body = find(step, ".body");
	find(step, ".slot").replaceChildren(box);
	if (body.tagName !== "FORM" && words.actions.length) body.hidden = true;
	retitle(words.kind !== "ok");
	box.querySelector(".row:not([hidden]) button")?.focus();
}

/** Runs work with the button busy: still focusable, deaf to a second press. */
export async function busily(step, work) {
	const button = main(step), words = [...button.childNodes];
	if (byId(step).ariaBusy) return;
	const slow = setTimeout(() => button.replaceChildren(busyIn[step] ?? busy), 400);
	byId(step).ariaBusy = button.ariaDisabled = "true";
	try {
		await work();
	} finally {
		clearTimeout(slow);
		button.replaceChildren(...words);
		byId(step).ariaBusy = button.ariaDisabled = null;
	}
}

/** Waits for the device in a step. */
export async function waitIn(step, work) {
	try {
		return await wait(find(step, ".slot"), find(step, ".body"), work);
	} finally {
		clear(step);
	}
}
