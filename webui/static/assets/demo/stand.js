// Where you stand: the stair, the time left, and what the token says.

import { stepkey } from "../client.js";
import { clock } from "../dates.js";
import { announce, byId, el } from "../dom.js";
import { levels } from "../words/common.js";
import { claims as meanings, factors, left, said, stairs, stand } from "../words/demo.js";

/** How long full level is fresh, in seconds. The server decides; this only shows it. */
const FRESH = 300;

let timer = 0;

/** Shows a session, or none. `ended` says that one has just run out; `end` is called when this one does. */
export function show(session, ended, end) {
	showLevel(session);
	byId("signout").hidden = byId("token").hidden = !session;
	byId("no-token").hidden = !!session;
	byId("no-token").textContent = ended ? stand.ended : stand.out;
	clearInterval(timer);
	if (!session) return;
	list(session.claims);
	const tick = () => {
		const { claims, ends } = session, rest = ends - Date.now() / 1000;
		if (rest <= 0) return end();
		if (Math.ceil(rest) === 60) announce(said.soon);
		const fresh = FRESH - (claims.exp - rest - claims.passkey_time);
		meter("life", rest, claims.exp - claims.iat);
		meter("fresh", Math.max(fresh, 0), FRESH);
		byId("fresh-row").hidden = session.level !== "full" || !(fresh > 0);
	};
	timer = setInterval(tick, 1000);
	tick();
}

/** Shows the level. Without a session, it may change while the server is told of a sign-out, here or in another tab. */
export function showLevel(session) {
	const level = session?.level ?? "out";
	byId("badge").dataset.level = byId("stair").dataset.level = level;
	byId("level").textContent = levels[!session && stepkey.signingOut ? "leaving" : level];
	byId("stair").ariaLabel = stairs[level];
}

function meter(id, value, max) {
	byId(id).max = max;
	byId(id).value = value || 0;
	byId(`${id}-words`).textContent = left(value);
}

/** The first five claims stand in the open, the rest behind "The rest of it". */
function list(claims) {
	const names = Object.keys({ ...meanings, ...claims }).filter(name => name in claims);
	const rows = names.map(name => {
		const value = claims[name], moment = typeof value === "number" && value > 0;
		return [el("dt", {}, name), el("dd", {},
			el("code", { class: name }, moment ? clock(value, true) : JSON.stringify(value)),
			el("span", {}, name === "amr" ? factors(value) : meanings[name] ?? ""))];
	});
	byId("claims").replaceChildren(...rows.slice(0, 5).flat());
	byId("more-claims").replaceChildren(...rows.slice(5).flat());
}
