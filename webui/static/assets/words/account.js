// The English of /account, beside what common.js has for every page. What never changes is in account.html.

const say = (kind, sign) => (lead, text) => ({ kind, sign, lead, text, actions: [] });
const plain = say("plain", "info"), ok = say("ok", "check"), warn = say("warn", "warn");

export const titles = { gate: "Sign in", account: "Your account" };

/** Under the heading, by what a change takes. */
export const who = {
	fresh: minutes => `For ${minutes} min you can make changes. After that we ask for your passkey again.`,
	passkey: "Changes ask for your passkey first.",
	none: "Add a passkey to reach full level.",
};

export const at = {
	all: count => `Show all ${count}`,
	unloaded: { lead: "We can’t load this." },
};

export const gone = plain("Already gone.", "It was changed somewhere else.");

/** heading, text, the words of the act and of the way out; `look` is that of the act. */
export const dialogs = {
	keep: "Cancel",
	confirm: {
		heading: "Confirm it’s you", text: "This change needs a passkey check from the last 5 minutes.", act: "Verify with a passkey",
		hint: "Passkey on your phone? Choose “another device” when your browser asks.", ways: "I can’t use my passkey",
		waits: when => `Your new passkey works ${when}. Until then, verify with another one.`,
	},
	again: {
		heading: "Confirm it’s you", text: "This change needs your password from the last few minutes.", act: "Continue",
		label: "Your password", missing: "Type your password.", wrong: "This password is not right. Try again.",
	},
	add: {
		heading: "Add a passkey", act: "Make the new one",
		text: "Your device asks for your fingerprint, face or screen lock. It stays on your device: we only ever get a signature. For a phone or a security key, choose “another device” when your browser asks.",
	},
	remove: name => ({
		heading: `Delete “${name}”?`, text: "It opens this account no more. Sessions that it opened end. It stays in your password manager until you delete it there.",
		act: "Delete passkey", safe: "Keep it", look: "danger",
	}),
	last: {
		heading: "Delete your last passkey?", text: "Without one you stay at password level. Protected pages stay closed until you add a passkey again.",
		act: "Delete passkey", safe: "Keep it", look: "danger",
	},
	others: count => ({
		heading: count === 1 ? "End the other session?" : `End ${count} other sessions?`, text: "Each has to sign in again.", act: "End all others", look: "danger",
	}),
	codes: {
		heading: "Make new codes?", text: "The old ones stop working at once.", act: "Make new codes",
	},
	password: {
		heading: "Change password", text: "All other sessions end.", act: "Change password",
		current: "Current password", optional: "You can leave it empty: your passkey counts.", next: "New password", hint: "At least 8 characters. A few words in a row work well.",
		needCurrent: "Type your current password.", needNext: "Type a new password.", wrong: "The current password is not right. Try again.",
	},
	email: {
		heading: "Change e-mail", text: "We send a link to the new address, and tell the old one.", act: "Send the link",
		label: "New address", wrong: "Use one plain address, such as mira@example.com.",
	},
	forget: { heading: "Remove the address?", text: "Then nobody can be told what happens here, and you cannot set a new password by e-mail.", act: "Remove address", safe: "Keep it", look: "danger" },
	erase: {
		heading: "Delete this account?", text: "Your passkeys, sessions and history go at once. This cannot be undone.", act: "Delete for good", safe: "Keep it", look: "danger",
		label: name => `Type ${name}`, wrong: "This is not your username.",
	},
};

export const passkeys = {
	offer: plain("Skip the password next time.", "A passkey signs you in with your fingerprint, face or screen lock. It also opens what a password cannot. Your fingerprint or face stays on your device."),
	lonely: warn("Your only passkey is on one device.", "Lose the device, and the passkey is lost. Add a second one on another device, or make recovery codes."),
	backed: warn("Your only passkey is on one device.", "Add a second one on another device. Until then, your recovery codes are the way back."),
	foreign: plain("This passkey came from another device.", "Add one here, and this device is all you need next time."),
	later: "Not now",
	first: ok("Passkey added.", "Add a second on another device, or make recovery codes, so that losing this one costs you nothing."),
	added: "Added ",
	used: "Used ",
	unused: "Not used yet",
	waits: when => `You can sign in with your password now; this passkey works ${when}, since it came by recovery`,
	rename: "Rename",
	remove: "Delete",
	save: "Save",
	cancel: "Cancel",
	name: "Name of the passkey",
	needName: "Type a name.",
};

export const sessions = {
	here: "This device",
	signedIn: "Signed in ",
	active: "Active ",
	end: "End",
	unknown: "Unknown device",
	levels: { password: "Password level", full: "Full level", recovery: "Recovery level" },
};

export const codes = {
	left: (count, date) => `${count} left. Made on ${date}.`,
	none: "None yet. They are a way back for when all passkeys are lost.",
	make: "Make codes",
	renew: "Make new codes",
	few: warn("Few codes are left.", "Make new ones. The old ones stop then."),
	once: ok("Keep these now.", "They are shown this once. Each works once."),
	paper: "Stepkey recovery codes",
	rule: "Each works once. Making new ones stops these.",
	copy: "Copy",
	download: "Download",
	print: "Print",
	saved: "I have saved them",
	file: "stepkey-recovery-codes.txt",
	belong: (service, name, date) => `${service} · ${name} · ${date}`,
};

export const email = {
	none: "No address yet. With one, we can tell you what happens here.",
	off: "This service sends no e-mail.",
	confirmed: "Confirmed",
	waiting: "Waiting for confirmation",
	add: "Add an address",
	change: "Change e-mail",
	again: "Send again",
	remove: "Remove",
	cancel: "Cancel",
};

export const pending = date => warn(`Someone asked to recover this account: ${date}.`, "Not you? Stop it.");
export const stop = "Stop it";
export const more = "Show more";
export const empty = "Nothing yet.";
export const file = "stepkey-account.json";

/** What happened, by the kind of an event. */
export const events = {
	"user.signed_up": "Account created",
	"session.started": "Signed in",
	"passkey.registered": "Passkey added",
	"passkey.renamed": "Passkey renamed",
	"passkey.removed": "Passkey deleted",
	"passkey.refused": "Passkey refused",
	"passkey.counter_regression": "A passkey may have been copied",
	"passkey.backup_changed": "Passkey syncing turned on or off",
	"session.stepped_up": "Passkey verified",
	"action.confirmed": "Action confirmed with a passkey",
	"session.ended": "Session ended",
	"session.refresh_reused": "A session was used twice",
	"user.password_changed": "Password changed",
	"user.disabled": "Account closed by the service",
	"user.enabled": "Account opened by the service",
	"user.unlocked": "Tries reset by the service",
	"user.imported": "Account imported",
	"email.confirmed": "E-mail address confirmed",
	"email.removed": "E-mail address removed",
	"password.reset_requested": "Link for a new password asked for",
	"password.reset": "Password set by e-mail",
	"account.frozen": "“This was not me” pressed",
	"recovery.codes_replaced": "Recovery codes made",
	"recovery.started": "Recovery started",
	"recovery.used": "Recovery used",
	"recovery.cancelled": "Recovery stopped",
	"mail.undelivered": "A mail could not be delivered",
};

/** The kinds that stand out. */
export const odd = ["passkey.refused", "passkey.counter_regression", "session.refresh_reused", "password.reset_requested", "password.reset",
	"account.frozen", "recovery.started", "recovery.used", "mail.undelivered"];
export const unusual = "Unusual";

/** Said once, politely, after something went well. */
export const said = {
	added: "Passkey added.",
	renamed: "Renamed.",
	removed: "Passkey deleted. It stays in your password manager until you delete it there.",
	ended: count => count === 1 ? "Session ended." : `${count} sessions ended.`,
	password: ok("Password changed.", "All other sessions were ended."),
	sent: address => ok(`Check ${address} for a link.`, "The address counts once you open it."),
	forgotten: "Address removed.",
	recovery: "Recovery stopped.",
	deleted: ok("Account deleted.", "Nothing of it is left. Delete its passkeys in your password manager, too."),
};
