// /verify: full level, then back to the app. It asks the device when somebody presses the button and never by itself: a page
// that does so on load is refused by some browsers, and trusted by few people.

import { StepkeyError } from "../../stepkey.js";
import { tell } from "../card.js";
import { stepkey } from "../client.js";
import { announce, byId } from "../dom.js";
import { explain } from "../failures.js";
import { wait } from "../wait.js";
import { levels, status } from "../words/common.js";
import { unknownReturn, sign } from "../words/sign.js";
import { t } from "../text.js";
import { attempt } from "./entry.js";
import { hasNone, show } from "./offering.js";
import { app, carryAll, comesAgain, destination, isUnknown, leave, parameter, stay, view } from "./returning.js";

/** How old a verification may be, in seconds, unless max_age says otherwise (OpenID Connect Core 1.0 section 3.1.2.1). */
const FRESH = 300;

function isFresh({ claims, authLevel }) {
	const age = Number(parameter("max_age") ?? FRESH);
	return authLevel === "full" && Date.now() / 1000 - claims.passkey_time < age;
}

/** Refusals that lead to another page or part. Somebody may have signed out elsewhere meanwhile. */
const ways = { no_passkeys: show, unauthorized: signIn };

async function verify() {
	if (!stepkey.session) return begin();
	const worked = await attempt(() => wait(byId("notice"), byId("check"), signal => stepkey.stepUp({ signal })),
		({ kind }) => ways[kind] && (ways[kind](), true));
	if (!worked) return;
	announce(status.full);
	leave();
}

/** Signing in comes first, and leads back here. */
function signIn() {
	location.replace(`sign-in?${new URLSearchParams({ return_to: location.href })}`);
}

async function begin() {
	try {
		await stepkey.refresh();
	} catch (error) {
		if (!(error instanceof StepkeyError)) throw error;
		view("gate");
		byId("who").closest("p").hidden = true;
		return tell(explain(error));
	}
	byId("notice").replaceChildren();
	const { session } = stepkey;
	if (!session) return signIn();
	if (isFresh(session)) return comesAgain() ? stay() : leave();
	const { username } = session.claims;
	byId("who").closest("p").hidden = false;
	byId("who").textContent = username;
	byId("initial").textContent = [...username][0].toUpperCase();
	if (await hasNone()) return show();
	view("gate");
	byId("verify").focus();
	if (isUnknown) tell(unknownReturn);
}

carryAll();
if (app) {
	byId("for").textContent = t(sign.asks, { app });
	byId("for").hidden = false;
}
byId("back").href = destination;
byId("back").textContent = app ? t(sign.back, { app }) : sign.goHome;
byId("verify").addEventListener("click", verify);
await begin();
