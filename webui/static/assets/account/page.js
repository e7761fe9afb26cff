// /account: sign in, then everything that belongs to an account.

import { StepkeyError, supported } from "../../stepkey.js";
import { stepkey } from "../client.js";
import { passkeyList } from "../autofill.js";
import { announce, byId, el, icon, settled, showable } from "../dom.js";
import { explain } from "../failures.js";
import { signOut } from "../signout.js";
import { wait } from "../wait.js";
import { fields, levels, notices, signInFields, status, title } from "../words/common.js";
import { said, titles, unconfirmed, who } from "../words/account.js";
import * as activity from "./activity.js";
import { backed, observe } from "./advice.js";
import * as passkeys from "./passkeys.js";
import * as recovery from "./recovery.js";
import * as sessions from "./sessions.js";
import * as settings from "./settings.js";
import { attempt, confirmed, fold, onPress, part, tell } from "./ui.js";

/** Options for the passkey button older than this, in milliseconds, are not used. */
const STALE = 240000;

/** Where signing in with a passkey alone is offered; the page lacks it where the service does not let one in. */
const alone = byId("alone");

const form = byId("signin"), submit = form.querySelector(".btn:not(.small)");
let shown = null, name = "", ready = null, quiet = false;

/** The account is shown when its sections are filled, or after this time in milliseconds, so that nothing jumps. */
const FILLED = 2000;

function view(which, moved = shown && shown !== which) {
	shown = which;
	settled();
	byId("gate").hidden = which !== "gate";
	byId("account").hidden = byId("signout").hidden = which !== "account";
	document.title = title(titles[which]);
	if (moved) part(which, "h1").focus();
}

/** Also when another tab signed in or out, stepped up, or the server ended the session. */
function changed(session) {
	const before = name;
	name = session?.claims.username ?? "";
	badge(session);
	line();
	if (!session) return leave(before && !quiet ? notices.unauthorized : null, before);
	if (shown !== "account" || before !== name) enter();
	else if (shown === "account") {
		sessions.show();
		activity.show();
		passkeys.renew();
	}
}

function badge(session) {
	const level = session?.authLevel in levels ? session.authLevel : "out";
	byId("badge").dataset.level = level;
	byId("level").textContent = levels[!session && stepkey.signingOut ? "leaving" : level];
}

async function enter() {
	const moved = shown === "gate", late = new Promise(done => setTimeout(done, FILLED));
	shown = "account";
	for (const slot of document.querySelectorAll("#account :is(.tell, .in)")) slot.replaceChildren();
	await Promise.race([late, Promise.all([passkeys, sessions, recovery, activity].map(section => section.show()).concat(settings.showEmail()))]);
	if (shown !== "account") return;
	part("gate", ".tell").replaceChildren();
	form.reset();
	view("account", moved);
	// The sections were hidden when the browser looked for the one in the address.
	if (location.hash) document.querySelector(`section[id="${CSS.escape(location.hash.slice(1))}"]`)?.scrollIntoView();
}

function leave(words, username = "") {
	byId("dialog")?.remove();
	recovery.forget();
	fold();
	for (const slot of document.querySelectorAll("#account .in, #pending")) slot.replaceChildren();
	view("gate");
	form.elements.username.value ||= username;
	part("gate", ".tell").replaceChildren();
	if (words) tell("gate", { ...words, actions: [] });
	look();
}

/** Under the heading: what a change takes. */
function line() {
	if (!stepkey.session) return;
	const left = Math.ceil(settings.remaining() / 60000);
	const words = passkeys.count === 0 ? who.none : left > 0 ? who.fresh(left) : who.passkey;
	byId("who").textContent = `${name} · ${words}`;
}

/**
 * Offers a passkey alone, with a button and in the list of the username field. The options for the button are fetched ahead, so
 * that a press asks the device at once.
 */
async function look() {
	if (!alone || !supported()) return;
	alone.hidden = false; // before anything is seen, so that nothing moves
	try {
		ready = { options: await stepkey.call("POST", "/passkeys/login/options", {}), at: Date.now() };
	} catch (error) {
		// A server that is away or busy now may let a passkey in when the button is pressed.
		if (!(error instanceof StepkeyError)) throw error;
	}
	offer();
}

const offer = passkeyList({
	observe,
	wanted: () => !stepkey.session && alone?.hidden === false && !byId("gate").ariaBusy,
	entering(answer) {
		announce(status.signingIn);
		attempt("gate", submit, () => answer);
	},
	entered: () => announce(status.signedIn),
	failed(error, picked) {
		if (picked) tell("gate", explain(error));
	},
});

/** A field that lets go of its complaint when the form is sent again. */
function wrong(text, ...inputs) {
	byId("password-wrong").replaceChildren(...(text ? [icon("warn"), el("span", {}, text)] : []));
	for (const input of [form.elements.username, form.elements.password]) input.ariaInvalid = inputs.includes(input) ? "true" : null;
	document.title = title(titles.gate, !!text);
	inputs[0]?.focus();
}

form.addEventListener("submit", async event => {
	event.preventDefault();
	if (byId("gate").ariaBusy) return;
	const { username, password } = form.elements;
	wrong();
	if (!username.value.trim()) return wrong(signInFields.need, username);
	if (!password.value) return wrong(fields.needPassword, password);
	const worked = await attempt("gate", submit, async () => {
		try {
			await stepkey.signIn({ username: username.value, password: password.value });
		} catch (error) {
			if (error.kind === "address_unconfirmed") return tell("gate", notices.address_unconfirmed, el("a", { class: "btn second small", href: "sign-in" }, unconfirmed));
			if (error.kind !== "wrong_credentials") throw error;
			return wrong(signInFields.wrong, username, password);
		}
		announce(status.signedIn);
	});
	if (!worked || !stepkey.session) offer();
});

if (alone) onPress("by-passkey", async event => {
	wrong();
	await attempt("gate", event.currentTarget, async () => {
		const { options, at } = ready ?? {};
		ready = null;
		const fresh = Date.now() - at < STALE ? options : undefined;
		await wait(part("gate", ".tell"), form, signal => stepkey.signInWithPasskey({ options: fresh, signal }));
		announce(status.signedIn);
	});
	if (!stepkey.session) offer();
});

// The list of the username field was closed, or gave way to another request: it is there again where it is looked for.
form.elements.username.addEventListener("focus", offer);
showable();

/** Leaves by one's own wish: nobody needs to be told of being signed out. */
async function goodbye() {
	quiet = true;
	const left = signOut({
		waits() {
			tell("gate", { ...notices.leaving, actions: [] });
			document.title = title(titles.gate);
		},
		done(waited) {
			if (stepkey.session) return;
			badge(null);
			announce(status.signedOut);
			if (waited) tell("gate", notices.left);
		},
	});
	quiet = false;
	await left;
}

onPress("signout", goodbye);

// The section in view is marked in the list at the side.
const links = [...document.querySelectorAll(".side a")];
const inView = new IntersectionObserver(entries => {
	for (const { target, isIntersecting } of entries) {
		if (!isIntersecting) continue;
		for (const link of links) link.ariaCurrent = link.hash === `#${target.id}` ? "true" : null;
	}
}, { rootMargin: "-20% 0px -70%" });
for (const section of document.querySelectorAll("section")) inView.observe(section);

passkeys.start(line);
sessions.start();
recovery.start(backed);
activity.start();
settings.start(async () => {
	quiet = true;
	const told = stepkey.signOut().catch(() => {}); // so that other tabs learn of it; the server knows already
	quiet = false;
	await told;
	form.elements.username.value = "";
	tell("gate", said.deleted);
});
setInterval(line, 15000);
stepkey.confirm = confirmed;
stepkey.onsession = changed;
addEventListener("storage", () => badge(stepkey.session)); // a sign-out in another tab is pending, or was completed
addEventListener("pageshow", event => {
	// A page that the browser kept for the back button has not heard what other tabs said.
	if (event.persisted && stepkey.session) stepkey.refresh().catch(() => {});
});
stepkey.refresh().catch(() => {}).then(() => {
	if (shown) return;
	if (stepkey.session) return enter();
	leave();
	if (stepkey.signingOut) goodbye();
});
