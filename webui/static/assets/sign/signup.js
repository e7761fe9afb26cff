// /sign-up and /invitation: an account, which is signed in at once, then back to the app. The token of an invitation stands behind the
// # of the address: the browser sends it to nobody.

import { onSubmit, refuse, tell } from "../card.js";
import { stepkey } from "../client.js";
import { announce, byId, showable } from "../dom.js";
import { atFields } from "../failures.js";
import { fields, status } from "../words/common.js";
import { deadInvitation, sign } from "../words/sign.js";
import { linkSent, offerLink, sendLink } from "./confirmation.js";
import { attempt, begin, introduce, open } from "./entry.js";
import { goOn } from "./offering.js";
import { parameter } from "./returning.js";

/** The address is asked for only where it has to be confirmed before the first sign-in. */
const form = byId("signup"), { username, password, email } = form.elements;
const isInvited = "invited" in form.dataset, invitation = location.hash.slice(1) || undefined;

/** An invitation has an address, unless its link says that it needs one. */
const asksEmail = () => email && !email.closest(".field").hidden;
const askEmail = needed => { email.closest(".field").hidden = !needed; };

/** Says at a field what was refused, or that there is nothing to be done with the invitation. True where there is a word for it. */
function refused(error) {
	if (error.kind === "invitation_invalid") end();
	else if (error.kind === "invalid_request" && email && !asksEmail()) {
		askEmail(true); // the invitation was made when no address was needed
		refuse(email, sign.needEmail);
	} else {
		const at = atFields(error, "signup");
		if (!at) return false;
		const [[name], words] = at;
		refuse({ username, password, email }[name], words);
	}
	return true;
}

function end() {
	form.hidden = document.querySelector(".intro").hidden = true;
	tell(deadInvitation);
}

async function submit() {
	if (!username.value.trim()) return refuse(username, fields.needName);
	if (!password.value) return refuse(password, fields.needPassword);
	if (asksEmail() && !(email.value.trim() && email.validity.valid)) return refuse(email, sign.needEmail);
	const body = { username: username.value, password: password.value, email: asksEmail() ? email.value.trim() : undefined };
	const worked = await attempt(async () => {
		await stepkey.call("POST", "/auth/signup", { ...body, invitation });
		announce(status.created);
		if (!body.email) await stepkey.signIn(body);
	}, refused);
	if (!worked) return;
	if (!body.email) return goOn();
	form.hidden = true;
	for (const words of document.querySelectorAll(".intro")) words.hidden = true;
	offerLink(body, body.email);
	linkSent(body.email);
}

onSubmit(sent => sent === form ? submit() : sendLink());
showable();
if (isInvited) {
	addEventListener("hashchange", () => location.reload()); // another link, in the same tab
	if (email) askEmail(parameter("email") !== null);
	introduce();
	open();
	if (!invitation) end();
} else await begin();
