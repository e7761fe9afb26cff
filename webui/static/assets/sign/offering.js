// The offer of a first passkey, between signing in and the app.

import { StepkeyError } from "../../stepkey.js";
import { stepkey } from "../client.js";
import { announce, byId, press } from "../dom.js";
import { explain } from "../failures.js";
import { notice } from "../notice.js";
import { declined, decline } from "../offer.js";
import { wait } from "../wait.js";
import { actions, status } from "../words/common.js";
import { leave, view } from "./returning.js";

/** Whether there is something to offer: no passkey yet, a device that can make one, and nobody who has refused lately. */
async function isWanted() {
	if (stepkey.session.authLevel !== "password" || !await hasNone() || declined(stepkey.session)) return false;
	return await window.PublicKeyCredential?.isUserVerifyingPlatformAuthenticatorAvailable?.();
}

/** Whether the account has no passkey. */
export async function hasNone() {
	try {
		return (await stepkey.call("GET", "/passkeys", undefined, { stepUp: false })).passkeys.length === 0;
	} catch (error) {
		if (!(error instanceof StepkeyError)) throw error;
		return false; // then verifying says what is wrong
	}
}

/** Goes to the app, after the offer where there is one. */
export async function goOn() {
	if (await isWanted()) return show();
	// The browser stops offering passkeys that were deleted elsewhere. Only at full level may it be told which there are.
	if (stepkey.session.authLevel === "full") await Promise.race([stepkey.syncPasskeys().catch(() => {}), sleep(SYNC)]);
	leave();
}

/** How long that may hold somebody up, in milliseconds. */
const SYNC = 1000;
const sleep = time => new Promise(done => setTimeout(done, time));

/** Offers a passkey. Making it leads on. */
export function show() {
	view("offer");
	byId("offer").querySelector("h1").focus();
}

async function add() {
	try {
		await wait(byId("offer-notice"), byId("offer-body"), signal => stepkey.registerPasskey({ signal }));
	} catch (error) {
		if (!(error instanceof StepkeyError)) throw error;
		if (error.kind === "stopped") return byId("add").focus();
		return byId("offer-notice").replaceChildren(notice(explain(error, "add"), press(actions.again, "second small", add)));
	}
	announce(status.addedFirst);
	leave();
}

byId("add").addEventListener("click", add);
byId("not-now")?.addEventListener("click", () => {
	decline(stepkey.session);
	leave();
});
