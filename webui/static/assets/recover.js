// /recover and /recover-by-link: ways back for people who have lost all their passkeys. Both end at level recovery, which adds a passkey
// and opens nothing else. The token of a link stands behind the # of the address, as on the pages of link.js.

import { createStepkey } from "../stepkey.js";
import { onSubmit, refuse, tell } from "./card.js";
import { moment as when } from "./dates.js";
import { byId, showable } from "./dom.js";
import { explain } from "./failures.js";
import { carry, keep } from "./sign/target.js";
import { added, dead, open, refused, sent, waiting, wrong } from "./words/recover.js";
import { fields, signInFields } from "./words/common.js";

// The session that starts here is for this page alone, and lasts a quarter of an hour.
const stepkey = createStepkey({ base: new URL("..", import.meta.url).pathname, refresh: false });
const token = location.hash.slice(1), byLink = location.pathname.endsWith("-by-link");

/** Shows these forms, and goes to the first field or button. */
function show(...names) {
	for (const form of document.forms) form.hidden = !names.includes(form.id);
	document.querySelector(".intro").hidden = !names.length;
	document.forms[names[0]]?.querySelector("input, .btn").focus();
}

/** Goes on at level recovery, or says until when to wait. */
async function enter(path, body) {
	const answer = await stepkey.post(path, body);
	history.replaceState(null, "", location.pathname); // nobody needs the token any more
	if (answer.readyAt) {
		show();
		if (answer.linkSent) keep();
		tell(answer.linkSent ? sent : waiting(when(answer.readyAt)));
		return;
	}
	show("add");
	tell(open);
}

const acts = {
	async signin({ username, password }) {
		if (!username.value.trim()) return refuse(username, signInFields.need);
		if (!password.value) return refuse(password, wrong.needPassword);
		try {
			await stepkey.signIn({ username: username.value, password: password.value });
		} catch (error) {
			if (error.kind !== "wrong_credentials") throw error;
			return refuse(password, signInFields.wrong);
		}
		if (token) return enter("/recovery/passkey/finish", { token });
		show("code", "mail");
	},
	async code({ code }) {
		if (!code.value.trim()) return refuse(code, wrong.needCode);
		try {
			await enter("/recovery/code", { code: code.value });
		} catch (error) {
			if (error.kind !== "wrong_recovery_code") throw error;
			refuse(code, fields.wrong_recovery_code);
		}
	},
	mail: () => enter("/recovery/passkey"),
	link: () => enter("/recovery/link", { token }),
	async add() {
		const { usableFrom } = await stepkey.registerPasskey();
		show();
		tell(added(when(usableFrom)));
	},
};

/** Says what was refused, with a way to sign in again where that is needed. */
function failed(error, step) {
	const words = refused[error.kind];
	if (words === dead && byLink) show();
	else if (words) show("signin");
	tell(words ?? explain(error, step));
}

onSubmit(form => acts[form.id](form.elements).catch(error => failed(error, form.id)));
showable();
carry();
byId("gate").hidden = false;

addEventListener("hashchange", () => location.reload()); // another link, in the same tab
if (!byLink) show("signin");
else if (token) show("link");
else tell(dead);
