// The words of the pages behind links in mails, beside words/common.js, and how they look. The words are in the language files.

import { carried } from "../sign/target.js";
import { messages } from "../text.js";

const words = await messages("links");

/** Each link is an address and its words. */
const say = (kind, sign) => (text, ...links) => ({ kind, sign, ...text, links });
const plain = say("plain", "info"), ok = say("ok", "check");

const { confirmed, confirmedFirst, asked, reset, frozen } = words.done;
const signIn = [carried("sign-in"), words.signIn];

/** Said once it is done, by the name in data-done. */
export const done = {
	confirmed: ok(confirmed),
	confirmedFirst: ok(confirmedFirst, signIn),
	asked: ok(asked),
	reset: ok(reset, signIn),
	frozen: ok(frozen, [carried("reset-password"), words.reset]),
};

export const dead = plain(words.dead);
export const deadReset = plain(words.dead, [carried("reset-password"), words.renew]);
export const off = plain(words.off);

/** At the fields. */
export const { wrong } = words;
