// The words of the pages for signing in, signing up and verifying, beside words/common.js. The words are in the language files.

import { filled, messages } from "../text.js";

export const sign = await messages("sign");

/** The name by which people know an app: its host without "www". */
export const host = url => url.host.replace(/^www\./, "");

const ok = (words, values) => ({ kind: "ok", sign: "check", ...filled(words, values) });

/** After a sign-up whose address has to be confirmed, and when the link was sent again. */
export const confirmFirst = email => ok(sign.confirmFirst, { email });
export const confirmSent = email => ok(sign.confirmSent, { email });

export const deadInvitation = { kind: "plain", sign: "info", ...sign.deadInvitation };

/** Where a passkey that may be synced was verified, and one that is bound to hardware is needed. */
export const needsHardware = { kind: "plain", sign: "info", ...sign.hardware };

export const unknownReturn = { kind: "plain", sign: "info", ...sign.unknownReturn };
