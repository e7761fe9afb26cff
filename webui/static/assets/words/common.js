// The words of scripts on more than one page, and how they look. The words are in the language files.

import { filled, messages, t } from "../text.js";

const words = await messages("common");

const say = (kind, sign) => (...actions) => ({ kind, sign, text: "", actions });
const plain = say("plain", "info");
const ok = say("ok", "check");
const warn = say("warn", "warn");
const lock = say("plain", "lock");
const bad = say("bad", "warn");

/** The kind, the sign and the keys of `actions` for each notice; for those that come from a StepkeyError, by its kind. */
const looks = {
	cancelled: plain("again"),
	unmade: plain("again"),
	unfocused: plain("again"),
	silent: plain("again"),
	exists: ok("verify", "elsewhere"),
	unsuited: warn("elsewhere"),
	unverified: warn("again"),
	address: bad(),
	device: plain("again"),
	internal: bad("again"),
	unsupported: warn(),
	insecure: bad(),
	offline: warn("again"),
	unreachable: warn("again"),
	challenge_expired: plain("restart"),
	no_passkeys: plain("add"),
	passkey_unknown: bad("again"),
	verification_failed: bad("again"),
	unproven: bad("again"),
	passkey_exists: bad("elsewhere"),
	too_many_passkeys: warn(),
	step_up_required: plain("verify"),
	reauthentication_required: lock("signin"),
	unauthorized: lock("signin"),
	leaving: warn(),
	left: ok(),
	rate_limited: warn("again"),
	locked: warn("again"),
	overloaded: warn("again"),
	outdated: bad("again"),
	not_found: plain(),
	recovery_only: lock(),
	email_off: plain(),
	unknown_application: plain(),
	sign_up_closed: plain(),
	invitation_required: plain(),
	address_unconfirmed: plain(),
	confirmation_off: plain(),
	passkey_login_off: plain(),
	last_passkey: plain(),
};

export const notices = Object.fromEntries(Object.entries(looks).map(([name, look]) => [name, { ...look, ...words.notices[name] }]));

const notBefore = name => when => ({ ...plain(), ...filled(words.later[name], { when }) });

/** Refusals that end at a time that the server names, by their code. */
export const later = { passkey_waits: notBefore("passkey_waits"), reset_too_recent: notBefore("reset_too_recent") };

/** `fields` has the answers at a field, by the code of the problem; `status` is said once, politely, after something went well. */
export const { actions, fields, busy, show, showWhat, levels, status, waiting, passkey } = words;

/** At the fields of a sign-in, where a service may take a confirmed address for the name. */
export const signInFields = document.querySelector("meta[name=sign-in-by-address]") ? words.signIn.byAddress : words.signIn.byName;

export const waitFor = seconds => seconds >= 120 ? t(words.wait.minutes, { count: Math.ceil(seconds / 60) }) : t(words.wait.seconds, { count: seconds });

export const title = (page, failed) => t(failed ? words.failed : words.title, { page });
export const reference = id => t(words.reference, { id });
