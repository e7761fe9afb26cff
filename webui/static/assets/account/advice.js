// Advice above the list of passkeys: one sentence at most, the most urgent.

import { supported } from "../../stepkey.js";
import { stepkey } from "../client.js";
import { byId, press } from "../dom.js";
import { note } from "../notice.js";
import { notices } from "../words/common.js";
import { advice, passkeys as words } from "../words/account.js";
import { part } from "./ui.js";

let list = null, codes = 0, used = null;

/** Takes how many recovery codes there are: they are the other way not to lose the account with a device. */
export function backed(left) {
	codes = left;
	advise();
}

/** Hears the calls of the client: which passkey was used last, if it is on another device. */
export const observe = ({ ceremony }) => outcome => {
	if (!ceremony || outcome.kind) return;
	used = ceremony === "get" && outcome.authenticatorAttachment === "cross-platform" ? outcome.id : null;
};

/** Says it, above the passkeys there are. */
export function advise(passkeys = list) {
	list = passkeys;
	const found = list && chosen();
	part("passkeys", ".advice")?.replaceChildren(...(found ? [note(found, ...(found === advice.foreign ? [later()] : []))] : []));
}

function chosen() {
	if (!supported()) return notices.unsupported;
	if (!list.length) return advice.offer;
	if (list.length === 1 && list[0].backupEligible === false) return codes ? advice.backed : advice.lonely;
	// Who came with a phone may want a passkey here. A security key, which knows no "hybrid", is one's own choice.
	const phone = used && list.some(({ credentialId, transports }) => credentialId === used && transports.includes("hybrid"));
	return phone && !refused() ? advice.foreign : null;
}

const key = () => `stepkey-here:${stepkey.session?.claims.sub}`;

/** Whether this person wants no passkey on this device. */
function refused() {
	try {
		return localStorage.getItem(key());
	} catch {
		return false;
	}
}

const later = () => press(words.later, "quiet small", () => {
	used = null;
	try {
		localStorage.setItem(key(), "1");
	} catch {
		// Then it holds for as long as the page.
	}
	advise();
	byId("passkeys-title").focus();
});
