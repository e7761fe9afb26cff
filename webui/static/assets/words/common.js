// The English that scripts of more than one page can show, beside the sentences of /stepkey.js. What never changes on a page is
// in its HTML.

import { sentences } from "../../stepkey.js";

const say = (kind, sign) => (lead, text, ...actions) => ({ kind, sign, lead, text, actions });
const plain = say("plain", "info");
const ok = say("ok", "check");
const warn = say("warn", "warn");
const lock = say("plain", "lock");
const shut = say("warn", "lock");
const bad = say("bad", "warn");

/** What is said in notices, by the kind of a StepkeyError where it comes from one, with keys of `actions`. */
export const notices = {
	cancelled: plain("", "You stopped, time ran out, or none was found here. Nothing has changed.", "again"),
	unmade: plain("No passkey was made.", "You stopped, or time ran out. Nothing has changed.", "again"),
	unfocused: plain("", "This page has to be in front when your device asks.", "again"),
	silent: plain("", "Close its window if one is open, then try again.", "again"),
	exists: ok("", "It already has a passkey for this account.", "verify", "elsewhere"),
	unsuited: warn("", "Try your phone or a security key.", "elsewhere"),
	unverified: warn("", "Set a screen lock on it, or use another device.", "again"),
	address: bad("", "Open Stepkey at its own address instead."),
	device: plain("", "Wait a moment, then try again.", "again"),
	internal: bad("", "Try again in a minute.", "again"),
	unsupported: warn("", "Your password still signs you in. For full level, use a current browser or your phone."),
	insecure: bad("", "Passkeys work only over a secure connection."),
	offline: warn("", "Nothing is lost. Try again when you are back.", "again"),
	unreachable: warn("", "Nothing is lost. Try again in a moment.", "again"),
	challenge_expired: plain("", "Each request lasts a few minutes. Start again.", "restart"),
	no_passkeys: plain("You have no passkey yet.", "Add one to reach full level.", "add"),
	passkey_unknown: bad("This passkey did not work.", "It may have been removed from your account. Choose another one, or use your password.", "again"),
	verification_failed: bad("This passkey did not work.", "It may have been removed. Try another one.", "again"),
	unproven: bad("This passkey was not added.", "Make sure this page is at its usual address.", "again"),
	passkey_exists: bad("This passkey is taken.", "It already belongs to an account. Make one on another device.", "elsewhere"),
	too_many_passkeys: warn("This account holds all the passkeys it can.", "Delete one you no longer use first, in your account."),
	step_up_required: plain("Verify first.", "1 of 2: verify a passkey you have. 2 of 2: make the new one.", "verify"),
	second: ok("1 of 2 is done.", "2 of 2: make the new one.", "make"),
	reauthentication_required: lock("Sign in once more.", "A first passkey needs a password from the last few minutes.", "signin"),
	unauthorized: lock("", "Sign in to go on where you were.", "signin"),
	leaving: warn("You are not signed out yet.", "We can’t reach the server. Keep this page open: it signs you out as soon as the server is back."),
	left: ok("Now you are signed out.", "The server is back and has ended your session."),
	closedOut: lock("Sign in first.", "This page opens at full level, and you are signed out."),
	closed: shut("This page needs full level.", "Verify your passkey, then it opens.", "verify"),
	closedNone: shut("This page needs full level.", "Add a passkey and verify it, then it opens.", "add"),
	rate_limited: warn("", "Nothing is lost. Try again then.", "again"),
	locked: warn("Too many tries.", "If you have a passkey, it signs you in right away.", "again"),
	overloaded: warn("The server is busy.", "", "again"),
	opened: ok("Open.", "The server saw full level and let you in.", "reopen"),
};

/** What is possible only from a time that the server names, by its code. */
export const later = {
	passkey_waits: when => plain(`You can sign in with your password now; your new passkey works ${when}.`, "It was added through recovery. We wrote to your address, so that you can stop it if it is not yours."),
	reset_too_recent: when => plain(`This is possible ${when}.`, "Your password was reset by e-mail a short while ago. Until then we make sure that it was you."),
};

// The client says the rest.
for (const kind in notices) notices[kind].lead ||= sentences[kind];

export const actions = {
	again: "Try again",
	restart: "Start again",
	verify: "Verify with a passkey",
	elsewhere: "Use another device",
	add: "Add a passkey",
	another: "Add another passkey",
	after: "Add one now",
	make: "Make the new one",
	signin: "Sign in",
	reopen: "Open it again",
	stop: "Stop",
};

/** Answers at a field, by the code of the problem. */
export const fields = {
	needName: "Type a username.",
	needPassword: "Type a password.",
	username_invalid: "Use 1 to 64 letters, digits or the signs . _ - @ + and begin with a letter or digit.",
	username_reserved: "This username is reserved. Try another one.",
	username_taken: "This username is taken. Try another one.",
	password_too_long: "Use at most 1,024 characters.",
	password_blocked: "This password is on a list of common ones. Choose another.",
	password_contains_username: "Leave your username out of it.",
	wrong: "Username or password is not right. Check both, then try again.",
};

export const busy = "One moment…";
export const show = "Show", showWhat = " password";

export const levels = { out: "Signed out", password: "Password level", full: "Full level", recovery: "Recovery level", leaving: "Signing out…" };

/** Said once, politely, after something went well. */
export const status = {
	created: "Account created. Your name and password are filled in.",
	signingIn: "Signing you in…",
	signedIn: "Signed in.",
	added: "Passkey added.",
	addedFirst: "Passkey added. Add a second on another device, or make recovery codes, so that losing this one costs you nothing.",
	full: "Full level.",
	signedOut: "Signed out.",
	stopped: "Stopped.",
	ended: "Your session ended.",
	soon: "Your access token ends in one minute.",
	online: "You are back online.",
	copied: "Copied.",
	uncopied: "Copying failed. Select the text instead.",
	cleared: "Cleared.",
};

export const waiting = {
	lead: "Follow your device",
	text: "It asks for your fingerprint, face or screen lock.",
	slow: "Nothing happening? Stop, then try again or use another device.",
};

export const passkey = {
	yours: "You have one",
	alone: "With a passkey",
	synced: "Synced",
	unsynced: "Can sync, not synced yet",
	bound: "This device only",
};

export function waitFor(seconds) {
	if (seconds >= 120) return `Wait ${Math.ceil(seconds / 60)} minutes.`;
	return seconds === 1 ? "Wait 1 second." : `Wait ${seconds} seconds.`;
}

export const title = (words, failed) => `${failed ? "Error: " : ""}${words} – Stepkey`;
export const reference = id => `If it stays, tell us ${id}.`;
