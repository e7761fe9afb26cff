// Signing out, also while the server cannot be reached.

import { StepkeyError } from "../stepkey.js";
import { stepkey } from "./client.js";

/** How long to wait before the server is asked again, in milliseconds. */
const PAUSE = 3000;

/**
 * Signs out. While the server cannot be told, `waits` says so and it is told again, until it knows. Then `done` is called, with
 * whether there was a wait. A sign-in meanwhile puts an end to it.
 */
export async function signOut({ waits, done }) {
	let waited = false;
	for (let tell = stepkey.signOut; waited ? stepkey.signingOut : true; tell = stepkey.refresh) {
		try {
			await tell();
			return done(waited);
		} catch (error) {
			if (!(error instanceof StepkeyError)) throw error;
			if (!waited) waits();
			waited = true;
			await pause(Math.max(PAUSE, error.retryAfter * 1000 || 0));
		}
	}
}

/** Waits that long, or until the browser is online again. */
const pause = time => new Promise(resolve => {
	addEventListener("online", resolve, { once: true });
	setTimeout(resolve, time);
});
