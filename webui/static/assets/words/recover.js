// The English of /recover and /recover-by-link, beside what common.js has for every page.

const say = (kind, sign) => (lead, text, ...links) => ({ kind, sign, lead, text, links });
const plain = say("plain", "info"), ok = say("ok", "check");

export const open = ok("You are in, for a quarter of an hour.", "Add a new passkey now. Everything else stays closed, and every other device is signed out.");
export const waiting = when => plain(`It takes until ${when}.`, "Then come back here. We wrote to your address, and will again. Use any passkey, and it stops.");
export const sent = ok("Look into your mailbox.", "A link is on its way. It works for ten minutes, and needs your password again.");
export const added = when => ok("Passkey added.", `You can sign in with your password now; your new passkey works ${when}. Until then you can stop this by the mail we sent.`, ["account", "Sign in"]);
export const dead = plain("This link no longer works.", "It was used or is too old. Ask for another one.");
export const over = plain("That took too long.", "Sign in again.");

/** What the server refuses, by its code. */
export const refused = {
	link_expired: dead,
	no_address: plain("There is no address to write to.", "This account has no confirmed e-mail address. Use a recovery code, or ask those who run this service."),
	password_by_mail: plain("Your password came by e-mail.", "So e-mail alone would open your account. Use a recovery code, or ask those who run this service."),
	email_off: plain("No mail is sent here.", "Use a recovery code, or ask those who run this service."),
	reauthentication_required: over,
	recovery_only: over,
	unauthorized: over,
};

/** At the fields. */
export const wrong = {
	needCode: "Type a recovery code.",
	needUsername: "Type your username.",
	needPassword: "Type your password.",
	wrong_recovery_code: "This code does not work. It is not quite right, or was used before.",
};
