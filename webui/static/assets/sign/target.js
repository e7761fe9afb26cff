// Where somebody goes once all is done: the address that return_to asks for, through /sign-in and the pages beside it.

import { byId } from "../dom.js";

/** How long a link in a mail works at most, in milliseconds. */
const LINK = 600000;

const key = "stepkey:return";

/** The parameters that were kept for the page behind a link in a mail. */
function kept() {
	try {
		const [time, address] = localStorage[key].split(" ");
		return Date.now() - time < LINK ? address : null;
	} catch {
		return null; // nothing, or storage is forbidden
	}
}

export const asked = new URLSearchParams(location.search).get("return_to") ?? (location.hash ? kept() : null);
const origins = [location.origin, ...byId("main").dataset.returnOrigins.split(" ")];

/**
 * The address that return_to asks for, or null. The browser that will follow it takes it apart here, so both agree on its
 * origin. That of blob: is the one of its creator, and a name in the address would be mistaken for the host.
 */
function allowed() {
	if (!URL.canParse(asked, document.baseURI)) return null;
	const url = new URL(asked, document.baseURI);
	const isPlain = /^https?:$/.test(url.protocol) && !url.username && !url.password;
	const isHere = url.origin + url.pathname === location.origin + location.pathname; // as an empty address is
	return isPlain && !isHere && origins.includes(url.origin) ? url : null;
}

export const target = asked === null ? null : allowed();

/** The address of one of these pages, with where somebody goes afterwards. */
export const carried = page => target ? `${page}?${new URLSearchParams({ return_to: target.href })}` : page;

/** Links between these pages keep where somebody goes afterwards. */
export function carry() {
	for (const link of document.querySelectorAll("[data-carry]")) link.href = carried(link.getAttribute("href"));
}

/** Keeps it for the page behind the link in a mail that was asked for here, which may open in another tab. */
export function keep() {
	try {
		if (target) localStorage[key] = `${Date.now()} ${target.href}`;
		else delete localStorage[key];
	} catch {
		// Then the link leads to the account.
	}
}
