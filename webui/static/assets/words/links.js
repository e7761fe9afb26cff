// The English of the pages behind links in mails, beside what common.js has for every page.

const say = (kind, sign) => (lead, text, ...links) => ({ kind, sign, lead, text, links });
const plain = say("plain", "info");
const ok = say("ok", "check");

/** Said once it is done, by the name in data-done; each link is an address and its words. */
export const done = {
	confirmed: ok("Your address is confirmed.", "You can close this page."),
	asked: ok("Look into your mailbox.", "If there is such an account with a confirmed address, a link is on its way. It works for ten minutes."),
	reset: ok("Your new password is set.", "Every device is signed out. Your passkeys stay as they are.", ["account", "Sign in"]),
	created: ok("Your account is ready.", "Sign in with your username and password. Then add a passkey.", ["account", "Sign in"]),
	frozen: ok("Every device is signed out.", "Your password no longer works, and what was begun to get into your account is stopped. Now set a new password.", ["reset-password", "Set a new password"]),
};

export const dead = plain("This link no longer works.", "It was used or is too old.");
export const deadInvitation = plain("This invitation no longer works.", "It was used, is too old, or was withdrawn. Ask whoever invited you for another.");
export const deadReset = plain("This link no longer works.", "It was used or is too old.", ["reset-password", "Send a new one"]);
export const off = plain("No mail is sent here.", "Ask those who run this service.");

/** At the fields. */
export const wrong = {
	needPassword: "Type a new password.",
	needWho: "Type your e-mail address or your username.",
	email_invalid: "This is not an e-mail address we can write to.",
	username_invalid: "This is neither an e-mail address nor a username.",
};
