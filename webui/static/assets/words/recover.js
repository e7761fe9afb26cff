// The words of /recover and /recover-by-link beside words/common.js, and how they look. The words are in the language files.

import { carried } from "../sign/target.js";
import { filled, messages } from "../text.js";

const words = await messages("recover");

const say = (kind, sign) => (text, ...links) => ({ kind, sign, ...text, links });
const plain = say("plain", "info"), ok = say("ok", "check");

export const open = ok(words.open);
export const waiting = when => plain(filled(words.waiting, { when }));
export const sent = ok(words.sent);
export const added = when => ok(filled(words.added, { when }), [carried("sign-in"), words.signIn]);
export const dead = plain(words.dead);
export const over = plain(words.over);

/** The server's refusals, by their code. */
export const refused = {
	link_expired: dead,
	no_address: plain(words.no_address),
	password_by_mail: plain(words.password_by_mail),
	email_off: plain(words.email_off),
	reauthentication_required: over,
	recovery_only: over,
	unauthorized: over,
};

/** At the fields. */
export const { wrong } = words;
