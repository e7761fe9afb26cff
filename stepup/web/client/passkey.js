// The two ceremonies: proving a passkey and adding one.

import { ask, callIfPresent, obstacle } from "../../../webui/client/ceremony.js";
import { post } from "./api.js";

// The refusals that say that a new passkey was not stored. After any other it may have been, and the device keeps it.
const notStored = ["verification_failed", "too_many_passkeys", "step_up_required", "reauthentication_required"];

function requireDevice() {
	const kind = obstacle();
	if (kind) throw { kind };
}

// Verifies for a purpose. `action` and `form` are what the server has sealed; `options` are those of a begin that was made
// before. The answer is that of finish.
export async function verify({ purpose, action, form, options }, signal) {
	requireDevice();
	options ??= (await post("begin", { purpose, action })).options;
	const response = await ask("get", options, { signal });
	return post("finish", { purpose, form, response });
}

export async function add(signal) {
	requireDevice();
	const { options } = await post("add/begin");
	const response = await ask("create", options, { signal }).catch(error => {
		// None was used, and none was made: the words differ.
		throw error.kind === "cancelled" ? { kind: "unmade" } : error;
	});
	try {
		return (await post("add/finish", { response })).passkey;
	} catch (error) {
		if (notStored.includes(error.kind)) {
			callIfPresent("signalUnknownCredential", { rpId: options.rp.id, credentialId: response.id });
		}
		throw error;
	}
}
