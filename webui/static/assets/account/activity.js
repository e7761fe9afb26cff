// Recent activity: the events, those that stand out, and "This was not me".

import { stepkey } from "../client.js";
import { byId, el, icon, press } from "../dom.js";
import { activity as words, dialogs, empty, event, failed, file, more, odd, said, sessions as devices, unclaimed, where } from "../words/account.js";
import * as passkeys from "./passkeys.js";
import * as recovery from "./recovery.js";
import * as sessions from "./sessions.js";
import { ask, attempt, done, dotted, known, load, onPress, rowButton, when } from "./ui.js";

/** How many events are shown at first, how many "Show more" adds, and how many an answer can have. */
const FIRST = 10, MORE = 20, MOST = 100;

let list, next, turn = 0;

export function start() {
	onPress("export", () => attempt("activity", byId("export"), async () => {
		recovery.download(JSON.stringify(await stepkey.call("GET", "/account/export"), null, 2), file, "application/json");
	}));
	byId("account").addEventListener("changed", ({ target }) => {
		if (stepkey.session && target.id !== "activity") show();
	});
}

/** Shows as many events as were shown before. */
export const show = () => load("activity", async inside => {
	const mine = ++turn, limit = inside.querySelector(".events")?.childElementCount ?? FIRST;
	const page = await stepkey.call("GET", `/account/events?limit=${Math.min(Math.max(limit, FIRST), MOST)}`);
	if (mine !== turn) return; // a newer list is on its way
	next = page.next;
	list = el("ol", { class: "events", role: "list" }, ...page.events.map(row));
	const button = press(more, "quiet small", () => attempt("activity", button, async () => {
		const added = await stepkey.call("GET", `/account/events?limit=${MORE}&before=${next}`), rows = added.events.map(row);
		list.append(...rows);
		next = added.next;
		button.hidden = !next;
		rows[0]?.focus();
	}));
	button.dataset.id = "more";
	button.hidden = !next;
	inside.replaceChildren(...(list.childElementCount ? [list, button] : [empty]));
});

function row(one) {
	const { id, kind, at, current, device, network, place, passkey, times } = one;
	const mark = failed.includes(kind) ? words.failed : odd.includes(kind) ? words.unusual : "";
	const what = event(kind, times);
	const time = el("span", {}, ...(times > 1 ? words.last(when(at, true)) : [when(at, true)]));
	const about = dotted([device && devices.device(device), where(place, network), passkey?.name && words.passkey(passkey.name), time]);
	const claimed = !unclaimed.includes(kind) && (mark || !current);
	return el("li", { tabindex: "-1", class: mark ? "odd" : "", "data-id": id }, icon(mark ? "warn" : kind.startsWith("passkey") ? "key" : "check"),
		el("div", { class: "text" }, el("p", {}, el("b", {}, what), ...(mark ? [` (${mark})`] : [])), el("p", {}, ...about)),
		...(claimed ? [rowButton(words.notMe, what, button => disown(one, button))] : []));
}

/** The kinds in which somebody held the passkey that the event names. */
const held = ["passkey.registered", "passkey.counter_regression", "session.started", "session.stepped_up", "action.confirmed"];

/** The consequences, as names of texts of the dialog. The service decides; these are its rules. */
function effects({ kind, sessionId, passkey }) {
	if (kind === "password.reset_requested") return [known.working ? "link" : "mail"];
	if (failed.includes(kind) && !sessionId) return ["nothing"];
	if (!known.working) return ["sessions", "next"];
	return ["sessions", "password", ...(passkey && held.includes(kind) ? ["passkey"] : []), "next"];
}

async function disown(one, button) {
	const [effect, ...rest] = effects(one);
	if (!await ask(dialogs.notMe(effect, ...rest))) return;
	await attempt("activity", button, async () => {
		// Where nothing is to be undone, nobody has to verify a passkey for it.
		const answer = effect === "nothing" ? {} : await stepkey.call("POST", `/account/events/${one.id}/not-me`);
		await Promise.all([passkeys, sessions, recovery, { show }].map(section => section.show()));
		const way = press(words.newPassword, "second small", () => byId("change-password").click());
		const harmless = { link: said.withdrawn, mail: said.mailed }[effect] ?? said.nothing;
		done("activity", answer.newPassword ? said.disowned(answer) : harmless, ...(answer.newPassword ? [way] : []));
		(answer.newPassword ? way : byId("activity-title")).focus();
	});
}
