// An address that is confirmed before the first sign-in: saying so, and sending the link again, also to another address. The page
// has the form for it only where the service asks for addresses.

import { refuse, tell } from "../card.js";
import { stepkey } from "../client.js";
import { fields } from "../words/common.js";
import { confirmFirst, confirmSent, sign } from "../words/sign.js";
import { attempt } from "./entry.js";
import { keep } from "./target.js";

const form = document.forms.confirmation;
let credentials = null;

/** Offers the link for an account, after it was sent to an address, or after a sign-in was refused for want of it. */
export function offerLink({ username, password }, email = "") {
	if (!form) return; // the page is of a service that asks for no addresses, and its API of another one
	credentials = { username, password };
	form.hidden = false;
	form.elements.email.value ||= email;
	keep();
}

/** Says that the link is on its way. */
export const linkSent = email => tell(confirmFirst(email));

export async function sendLink() {
	const { email } = form.elements;
	if (!email.value.trim() || !email.validity.valid) return refuse(email, sign.needEmail);
	const address = email.value.trim();
	const refused = ({ kind }) => kind === "email_invalid" && (refuse(email, fields.email_invalid), true);
	if (await attempt(() => stepkey.call("POST", "/auth/confirmation", { ...credentials, email: address }), refused)) tell(confirmSent(address));
}
