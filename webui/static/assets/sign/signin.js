// /sign-in: one form for people with and without a passkey, then back to the app.

import { supported } from "../../stepkey.js";
import { passkeyList } from "../autofill.js";
import { onSubmit, refuse, tell } from "../card.js";
import { stepkey } from "../client.js";
import { announce, byId, showable } from "../dom.js";
import { wait } from "../wait.js";
import { fields, notices, signInFields, status } from "../words/common.js";
import { offerLink, sendLink } from "./confirmation.js";
import { attempt, begin } from "./entry.js";
import { goOn } from "./offering.js";

const form = byId("signin"), { username, password } = form.elements;

/** Whether a passkey alone may sign in, as far as the service and this browser know. */
const alone = supported() && Boolean(byId("alone"));

function refused({ kind }) {
	if (kind === "address_unconfirmed") {
		offerLink({ username: username.value, password: password.value });
		tell(notices.address_unconfirmed);
		return true;
	}
	if (kind !== "wrong_credentials") return false;
	refuse(password, signInFields.wrong);
	username.setAttribute("aria-invalid", "true");
	username.focus();
	return true;
}

async function submit() {
	if (!username.value && !password.value && await atOnce()) return;
	if (!username.value.trim()) return refuse(username, signInFields.need);
	if (!password.value) return refuse(password, fields.needPassword);
	const worked = await attempt(() => stepkey.signIn({ username: username.value, password: password.value }), refused);
	if (!worked) return;
	announce(status.signedIn);
	await goOn();
}

onSubmit(async sent => {
	if (sent !== form) return sendLink();
	await submit();
	setTimeout(offerList); // when the form is no longer busy
});

const offerList = passkeyList({
	wanted: () => alone && !stepkey.session && !form.ariaBusy && !byId("gate").hidden,
	entering(answer) {
		announce(status.signingIn);
		form.ariaBusy = "true";
		answer.then(() => { form.ariaBusy = null; });
	},
	entered: goOn,
	failed(error, picked) {
		if (picked) attempt(() => { throw error; });
	},
});

/**
 * Offers a passkey that is at hand, in browsers that can do so at once: `uiMode` "immediate". They want a press. Where there is
 * none, nothing is seen of it, and the answer is false.
 */
async function atOnce() {
	if (!alone || !navigator.userActivation?.isActive) return false;
	const worked = await attempt(() => stepkey.signInWithPasskey({ uiMode: "immediate" }));
	if (worked && stepkey.session) await goOn();
	return !worked || Boolean(stepkey.session);
}

async function byPasskey() {
	if (form.ariaBusy) return; // with a passkey from the list
	const worked = await attempt(async () => {
		await wait(byId("notice"), form, signal => stepkey.signInWithPasskey({ signal }));
	});
	if (worked && stepkey.session) return goOn();
	offerList();
}

byId("by-passkey")?.addEventListener("click", byPasskey);
username.addEventListener("focus", offerList);
showable();
if (await begin()) {
	if (alone) byId("alone").hidden = false;
	await atOnce();
	offerList();
}
