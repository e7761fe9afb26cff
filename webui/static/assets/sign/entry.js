// The parts that /sign-in and /sign-up share: somebody who is signed in goes on at once, and refusals are shown.

import { StepkeyError } from "../../stepkey.js";
import { tell } from "../card.js";
import { stepkey } from "../client.js";
import { byId } from "../dom.js";
import { explain } from "../failures.js";
import { sign, unknownReturn } from "../words/sign.js";
import { t } from "../text.js";
import { app, carryAll, comesAgain, isUnknown, leave, parameter, stay, view } from "./returning.js";

/** Says where somebody goes afterwards, and has the links say so. */
export function introduce() {
	carryAll();
	if (!app) return;
	byId("for").textContent = t(sign.to, { app });
	byId("for").hidden = false;
}

/** Shows the form. */
export function open() {
	view("gate");
	if (isUnknown) tell(unknownReturn);
	byId("username").focus();
}

/** Begins the page: goes on with the session there is, or shows the form. Resolves with whether it is shown. */
export async function begin() {
	introduce();
	await stepkey.refresh().catch(() => {}); // without a server there is a form, which says so when it is sent
	// As in OpenID Connect Core 1.0 section 3.1.2.1: an application wants the password or passkey again.
	const anew = parameter("prompt") === "login";
	if (stepkey.session && !anew) return void (comesAgain() ? stay() : leave());
	open();
	return true;
}

/** Runs work and says what stopped it. True when nothing did. */
export async function attempt(work, atFields) {
	try {
		await work();
		return true;
	} catch (error) {
		if (!(error instanceof StepkeyError)) throw error;
		if (error.kind !== "stopped" && !atFields?.(error)) tell(explain(error));
		return false;
	}
}
