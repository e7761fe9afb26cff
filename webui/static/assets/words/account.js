// The words of /account beside words/common.js, and how they look. The words are in the language files.

import { filled, locale, messages, parts, t } from "../text.js";

const words = await messages("account");

const say = (kind, sign) => (text, values) => ({ kind, sign, ...filled(text, values), actions: [] });
const plain = say("plain", "info"), ok = say("ok", "check"), warn = say("warn", "warn");

export const { titles, more, stop, empty, file, email, unconfirmed } = words;

/** The text under the heading, by the requirement for a change. */
export const who = { ...words.who, fresh: minutes => t(words.who.fresh, { minutes }) };

export const at = { all: total => t(words.all, { total }), unloaded: { lead: words.unloaded } };

export const gone = plain(words.gone);

const { remove, last, others, forget, erase, confirm, notMe } = words.dialogs;

/** heading, text, the words of the act and of the way out; `look` is that of the act. */
export const dialogs = {
	...words.dialogs,
	confirm: { ...confirm, waits: when => t(confirm.waits, { when }) },
	remove: name => ({ ...filled(remove, { name }), look: "danger" }),
	last: { ...last, look: "danger" },
	others: count => ({ ...filled(others, { count }), look: "danger" }),
	forget: { ...forget, look: "danger" },
	notMe: (...texts) => ({ ...notMe, text: texts.map(name => notMe[name]).join(" "), look: "danger" }),
	erase: { ...erase, label: name => t(erase.label, { name }), look: "danger" },
};

const { offer, lonely, backed, foreign, first } = words.advice;

/** Advice above the list of passkeys. */
export const advice = { offer: plain(offer), lonely: warn(lonely), backed: warn(backed), foreign: plain(foreign), first: ok(first) };

export const passkeys = {
	...words.passkeys,
	added: when => parts(words.passkeys.added, { when }),
	used: when => parts(words.passkeys.used, { when }),
	waits: when => t(words.passkeys.waits, { when }),
};

/** How the service names a device: "Chrome on Linux". */
const onSystem = /^(\w+) on (\w+)$/;

export const sessions = {
	...words.sessions,
	signedIn: when => parts(words.sessions.signedIn, { when }),
	active: when => parts(words.sessions.active, { when }),
	device(name) {
		const [, browser, system] = onSystem.exec(name) ?? [];
		return system ? t(words.sessions.device, { browser, system }) : name || words.sessions.unknown;
	},
};

export const codes = {
	...words.codes,
	left: (count, date) => t(words.codes.left, { count, date }),
	few: warn(words.codes.few),
	once: ok(words.codes.once),
	belong: (host, name, date) => t(words.codes.belong, { host, name, date }),
};

export const pending = when => warn(words.pending, { when });

/** The text of an event, by its kind, and how often it happened in a row. */
export const event = (kind, count = 1) => t(kind.split(".").reduce((group, name) => group?.[name], words.events) ?? words.unknown, { count });

export const activity = {
	...words.activity,
	last: when => parts(words.activity.last, { when }),
	passkey: name => t(words.activity.passkey, { name }),
};

const countries = new Intl.DisplayNames(locale, { type: "region" });

const { loopback, private: local, network: other } = words.places, near = { loopback, private: local };

/** A place in words, by what the service knows of the network. */
export const where = (place, network) => !place ? "" : place.kind === "country" ? countries.of(place.country) : near[place.kind] ?? t(other, { network });

/** The kinds of attempts that failed. */
export const failed = ["password.refused", "passkey.refused", "recovery.code_refused"];

/** The kinds that stand out. */
export const odd = ["passkey.counter_regression", "session.refresh_reused", "password.reset_requested", "password.reset",
	"account.frozen", "recovery.started", "recovery.used", "mail.undelivered"];

/** The kinds of which nobody says "This was not me": the service did it, or there would be nothing to do. */
export const unclaimed = ["user.signed_up", "user.imported", "user.disabled", "user.enabled", "user.unlocked", "user.attributes_changed",
	"account.frozen", "mail.undelivered"];

const { said: done } = words;

/** Said once, politely, after something went well. */
export const said = {
	...done,
	ended: count => t(done.ended, { count }),
	password: ok(done.password),
	sent: address => ok(done.sent, { address }),
	deleted: ok(done.deleted),
	/** The effects of "This was not me", in that order. */
	disowned({ sessionsEnded, passkeyDeleted, passwordStopped }) {
		const { lead, ended, passkey, password, next } = done.disowned;
		const told = [...(sessionsEnded ? [t(ended, { count: sessionsEnded })] : []), ...(passkeyDeleted ? [passkey] : []), ...(passwordStopped ? [password] : []), next];
		return ok({ lead, text: told.join(" ") });
	},
	nothing: ok(done.nothing), withdrawn: ok(done.withdrawn), mailed: ok(done.mailed),
};
