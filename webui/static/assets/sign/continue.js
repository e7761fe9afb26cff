// /continue: from an application behind the gate, and back to it with a code. Its rules may ask for a sign-in or a passkey first.
// The service decides whether there is such an application, and the gate whether its rules are met: nothing here is trusted.

import { StepkeyError } from "../../stepkey.js";
import { tell } from "../card.js";
import { stepkey } from "../client.js";
import { byId } from "../dom.js";
import { explain } from "../failures.js";
import { actions } from "../words/common.js";
import { host, needsHardware, sign } from "../words/sign.js";
import { t } from "../text.js";

const asked = new URLSearchParams(location.search), parameter = name => asked.get(name) ?? "";

/** Within this time, in milliseconds, nobody is sent back twice to the same place without having pressed something. */
const AGAIN = 10000;

const mark = `stepkey-sent:${parameter("origin")}${parameter("to")}`;

/** The page that has to be passed first, or null. Ages are by the server's clock, which dated the token just now. */
function missing({ authLevel, claims }) {
	const { iat, password_time = 0, passkey_time = 0 } = claims;
	const stale = time => asked.has("max_age") && iat - time > Number(parameter("max_age"));
	const way = (page, more) => `${page}?${new URLSearchParams({ return_to: location.href, ...more })}`;
	switch (parameter("need")) {
		case "password":
			return !password_time || stale(password_time) ? way("sign-in", { prompt: "login" }) : null;
		case "hardware":
			return !claims.amr.includes("hwk") || stale(passkey_time) ? way("verify", { max_age: 0 }) : null;
		case "passkey":
			return authLevel !== "full" || stale(passkey_time) ? way("verify", { max_age: 0 }) : null;
		default:
			return stale(Math.max(password_time, passkey_time)) ? way("sign-in", { prompt: "login" }) : null;
	}
}

/** Whether somebody was sent back a moment ago and is here again: an application that still refuses would send them in circles. */
function comesAgain() {
	try {
		return Date.now() - sessionStorage[mark] < AGAIN;
	} catch {
		return false;
	}
}

/**
 * Goes back to the application. The page does not stay in the history. The fragment is that of the page that was asked for, in which
 * some applications say which view it is: browsers hand it on with each redirect.
 */
async function leave() {
	const { code } = await stepkey.call("POST", "/auth/browser-code", { origin: parameter("origin"), nonce: parameter("nonce") });
	try {
		sessionStorage[mark] = Date.now();
	} catch {
		// Then circles are not noticed.
	}
	location.replace(`${parameter("origin")}/_stepkey/finish?${new URLSearchParams({ code, to: parameter("to") })}${location.hash}`);
}

/** Whether a passkey was verified a moment ago that is not known to be bound to hardware, where one that is was asked for. */
const isSoft = ({ claims }) => parameter("need") === "hardware" && !claims.amr.includes("hwk") && claims.iat - claims.passkey_time < 60;

/** Says which passkey it takes before it asks once more. */
function askForHardware(page) {
	tell({ ...needsHardware, links: [[page, actions.verify]] });
}

/** Says where it goes, with a button. */
function stay() {
	const button = byId("leaving-go");
	button.textContent = t(sign.goOn, { app: host(new URL(parameter("origin"))) });
	button.addEventListener("click", () => go(leave));
	byId("gate").hidden = true;
	byId("leaving").hidden = false;
	byId("leaving-title").focus();
}

async function go(way) {
	try {
		await way();
	} catch (error) {
		if (!(error instanceof StepkeyError)) throw error;
		byId("gate").hidden = false;
		byId("leaving").hidden = true;
		tell(explain(error));
	}
}

await go(async () => {
	await stepkey.refresh();
	if (!stepkey.session) return location.replace(`sign-in?${new URLSearchParams({ return_to: location.href })}`);
	const first = missing(stepkey.session);
	if (first && isSoft(stepkey.session)) return askForHardware(first);
	if (first) return location.replace(first);
	if (comesAgain()) return stay();
	await leave();
});
