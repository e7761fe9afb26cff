// Whether somebody is offered a first passkey, or has said "Not now" on this device. For each account it stores how
// often, and when last.

const DAY = 86400000;

/** How long each refusal holds, in days. One more, and the offer no longer comes by itself. */
const HOLDS = [14, 60];

const key = session => `stepkey-offer:${session.claims.sub}`;

/** Where storage is forbidden or holds something else, nobody has refused. */
function refusals(session) {
	try {
		const { count, time } = JSON.parse(localStorage.getItem(key(session)));
		return { count, time };
	} catch {
		return { count: 0, time: 0 };
	}
}

export function declined(session) {
	const { count, time } = refusals(session);
	return count > HOLDS.length || Date.now() < time + HOLDS[count - 1] * DAY;
}

export function decline(session) {
	try {
		localStorage.setItem(key(session), JSON.stringify({ count: refusals(session).count + 1, time: Date.now() }));
	} catch {
		// Then it holds for as long as the page.
	}
}
