// Where somebody goes from /sign-in, /sign-up and /verify.

import { byId } from "../dom.js";
import { host, sign } from "../words/sign.js";
import { t } from "../text.js";
import { asked, carry, target } from "./target.js";

/** Within this time, in milliseconds, nobody is sent on a second time without having pressed something. */
const AGAIN = 10000;

/** A redirect that takes longer than this, in milliseconds, is explained. */
const SLOW = 1000;

/** Whether the page was called with an address that nobody has allowed. */
export const isUnknown = asked !== null && !target;

export const destination = target ?? new URL("account", document.baseURI);

/** The name of an app that somebody goes back to, or empty on our own pages. */
export const app = destination.origin === location.origin ? "" : host(destination);

/** Another parameter in the address of the page. */
export const parameter = name => new URLSearchParams(location.search).get(name);

/** Links to other languages keep all that was asked for, and those between these pages where somebody goes afterwards. */
export function carryAll() {
	for (const link of document.querySelectorAll(".languages a")) {
		const parameters = new URLSearchParams(location.search);
		parameters.set("ui_locales", link.lang);
		link.search = parameters;
	}
	carry();
}

/** Shows one part of the page. */
export function view(name) {
	for (const part of ["gate", "offer", "leaving"]) byId(part).hidden = part !== name;
}

/** For each page: an app may have somebody sign in and then, at once, verify. */
const mark = `stepkey-sent:${location.pathname} ${destination.href}`;

/**
 * Whether somebody was sent on a moment ago and is here again. An app that does not see the session would send them in
 * circles.
 */
export function comesAgain() {
	try {
		return Date.now() - sessionStorage[mark] < AGAIN;
	} catch {
		return false;
	}
}

/** Goes on. The page does not stay in the history: the back button leads to where somebody came from. */
export function leave() {
	try {
		sessionStorage[mark] = Date.now();
	} catch {
		// Then circles are not noticed.
	}
	location.replace(destination);
	setTimeout(stay, SLOW);
}

/** Says where it goes, with a link. */
export function stay() {
	const link = byId("leaving-link");
	link.href = destination;
	link.textContent = app ? t(sign.goOn, { app }) : sign.goHome;
	view("leaving");
	byId("leaving-title").focus();
}
