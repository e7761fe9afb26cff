// Passkeys in the list that browsers show at a username field: mediation "conditional" (WebAuthn Level 3 section 5.1.4).

import { StepkeyError } from "../stepkey.js";
import { stepkey } from "./client.js";

/**
 * Returns what offers them while `wanted()`. It is to be called whenever they may be missing: at the start, after any other
 * request to the device, after a sign-in that failed, and when somebody turns to the field.
 *
 * Nothing is said of a list that is closed. When a passkey is picked, `entering` gets a promise that settles with the server's
 * answer; `entered` is called when it let the passkey in. `failed` gets the error of a list that could not be, and whether a
 * passkey had been picked. `observe` hears the calls of the client, as its `on`.
 */
export function passkeyList({ wanted, entering, entered, failed, observe }) {
	let open = null, picked = null, again = false;

	stepkey.on = call => {
		const report = observe?.(call);
		return outcome => {
			if (call.mediation && !outcome.kind) picked?.();
			report?.(outcome);
		};
	};

	async function offer(event) {
		// A browser may take a while to end a list. One that is asked for meanwhile follows it. Turning to the field
		// asks for no second one: the list there is may be on show.
		if (open && !event) again = true;
		if (open || !wanted()) return;
		again = false;
		const { signal } = open = new AbortController();
		let answered, error = null;
		const answer = new Promise(resolve => { answered = resolve; });
		picked = () => { picked = null; entering(answer); };
		try {
			if (await stepkey.signInWithPasskey({ mediation: "conditional", signal })) entered();
		} catch (caught) {
			if (!(caught instanceof StepkeyError)) throw caught;
			error = caught;
		} finally {
			answered();
			open = null;
		}
		const tried = !picked;
		picked = null;
		if (error) failed(error, tried);
		if (again || error && tried || signal.aborted && !document.hidden) offer();
	}

	// A browser may keep a page for the back button. Its request to the device is over then.
	addEventListener("pagehide", () => open?.abort());
	addEventListener("pageshow", event => event.persisted && offer());
	return offer;
}
