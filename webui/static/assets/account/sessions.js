// Where the person is signed in: this one first, end one, end all others.

import { stepkey } from "../client.js";
import { byId, el, icon } from "../dom.js";
import { levels } from "../words/common.js";
import { dialogs, said, sessions as words, where } from "../words/account.js";
import { ask, attempt, done, dotted, folded, load, onPress, phone, rowButton, when } from "./ui.js";

let others = 0;

export const start = () => onPress("end-others", endOthers);

export const show = () => load("sessions", async inside => {
	const sessions = await all();
	sessions.sort((a, b) => b.current - a.current || b.lastSeenAt.localeCompare(a.lastSeenAt));
	others = sessions.filter(session => !session.current).length;
	byId("end-others").hidden = !others;
	inside.replaceChildren(...folded("sessions", sessions.map(row)));
});

async function all() {
	const sessions = [];
	for (let path = "/auth/sessions"; path;) {
		const page = await stepkey.call("GET", path);
		sessions.push(...page.sessions);
		path = page.next && `/auth/sessions?before=${page.next}`;
	}
	return sessions;
}

function row({ id, current, device, address, place, authLevel, createdAt, lastSeenAt }) {
	const name = words.device(device);
	const heading = el("h3", { tabindex: "-1" }, name, ...(current ? [" ", el("span", { class: "tag" }, words.here)] : []));
	const time = el("span", {}, ...(current ? words.signedIn(when(createdAt, true)) : words.active(when(lastSeenAt, true))));
	return el("li", { "data-id": id }, el("span", { class: "glyph" }, icon(phone(name) ? "phone" : "device")),
		el("div", { class: "text" }, heading, el("p", {}, ...dotted([levels[authLevel], where(place, address), time]))),
		...(current ? [] : [el("div", { class: "row" }, rowButton(words.end, name, button => end(id, button)))]));
}

const end = (id, button) => attempt("sessions", button, async () => {
	try {
		await stepkey.call("DELETE", `/auth/sessions/${id}`);
		done("sessions", said.ended(1));
	} finally {
		await show();
		byId("sessions-title").focus();
	}
});

async function endOthers() {
	if (!await ask(dialogs.others(others))) return;
	await attempt("sessions", byId("end-others"), async () => {
		const { ended } = await stepkey.call("DELETE", "/auth/sessions");
		await show();
		done("sessions", said.ended(ended));
		byId("sessions-title").focus();
	});
}
