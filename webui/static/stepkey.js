// Stepkey in the browser: sign up, sign in, passkeys, and a fetch that steps up by itself. What each part promises is
// written in stepkey.d.ts.

// One sentence for people, by `kind`. Other refusals bring their own.
export const sentences = {
	cancelled: "No passkey was used.",
	unfocused: "Click here first.",
	stopped: "Stopped.",
	silent: "Your device did not answer.",
	exists: "This device is ready.",
	unsuited: "This device cannot make a passkey we accept.",
	unverified: "This device cannot check it is you.",
	address: "Passkeys do not work at this address.",
	device: "Your device could not finish.",
	unsupported: "This browser cannot use passkeys.",
	insecure: "This page needs https.",
	offline: "You are offline.",
	unreachable: "We can’t reach the server.",
	unrepeatable: "Send this again.",
	wrong_credentials: "Username or password is not right.",
	unauthorized: "You have been signed out.",
	challenge_expired: "That took too long.",
	rate_limited: "Too many tries.",
	internal: "Something broke on our side.",
};

const kinds = {
	NotAllowedError: "cancelled", AbortError: "stopped", TimeoutError: "silent", InvalidStateError: "device", UnknownError: "device",
	OperationError: "device", NotSupportedError: "unsuited", ConstraintError: "unverified", SecurityError: "address",
};

export class StepkeyError extends Error {
	name = "StepkeyError";
	constructor(kind, more) {
		super(sentences[kind] ?? more?.problem?.detail ?? sentences.internal, more);
		Object.assign(this, more, { kind });
	}
}

async function refusal(response) {
	const { status, headers } = response, problem = await response.clone().json().catch(() => {}) ?? {}, { code } = problem;
	return new StepkeyError(code ?? { 401: "unauthorized", 429: "rate_limited" }[status] ?? "internal", {
		status, problem, response, retryAfter: +headers.get("Retry-After") || 0,
		stepUp: code !== "action_required" && /step_up_req|insufficient_user/.test(code + headers.get("WWW-Authenticate")),
	});
}

export const supported = () => !!window.PublicKeyCredential;

export const decode = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt());
const encode = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

// JSON both ways by hand, since browsers learned it late and some password managers never did (WebAuthn Level 3 section 5.1).
const fromId = item => item && { ...item, id: decode(item.id) };
const fromJSON = options => ({
	...options, challenge: decode(options.challenge), user: fromId(options.user),
	excludeCredentials: options.excludeCredentials?.map(fromId), allowCredentials: options.allowCredentials?.map(fromId),
});

// A password manager may answer with an object of its own that lacks members, or whose members throw.
function read(member) {
	try {
		return member() || undefined;
	} catch {}
}

// Only what the server uses, and the attachment, for pages.
function toJSON(made) {
	const id = read(() => encode(made.rawId)) ?? read(() => made.id);
	const response = { transports: read(() => [...made.response.getTransports()]) };
	for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
		response[name] = read(() => encode(made.response[name]));
	}
	return { id, rawId: id, type: "public-key", response, authenticatorAttachment: read(() => made.authenticatorAttachment) };
}

// Calls a static method that not every browser has, such as those that tell password managers what has become of passkeys
// (WebAuthn Level 3 section 5.1.10).
const native = (method, facts) => (async () => PublicKeyCredential[method](facts))().catch(() => {});
const pause = ms => new Promise(done => setTimeout(done, ms));

// A page has one request to the device at a time. This ends the one behind the autofill list; its browser has half a second
// to notice.
let list, turn = 0;
function endList() {
	turn++;
	list?.abort.abort();
	return Promise.race([list?.ended, pause(500)]);
}

export function createStepkey({ base = "", refresh: mode = "cookie", origins = [] } = {}) {
	let session = null, refreshing, climbing;
	base = base.replace(/\/$/, "");
	const cookie = mode === "cookie", mark = `stepkey:${base}`, ours = [location.origin, new URL(base, location).origin, ...origins];

	// Tabs share the cookie, so they share the session. It stays in memory; what is stored is that there is one.
	const tabs = cookie && window.BroadcastChannel && new BroadcastChannel(mark);
	if (tabs) tabs.onmessage = ({ data }) => adopt(data);

	// Where storage is forbidden, there may always be one.
	function marked(value) {
		try {
			return value === undefined ? localStorage[mark] : localStorage[mark] = value;
		} catch {
			return true;
		}
	}

	function adopt(next) {
		session = next;
		self.onsession?.(next);
		return next;
	}

	function keep(answer) {
		const next = answer && {
			...answer, claims: JSON.parse(new TextDecoder().decode(decode(answer.accessToken.split(".")[1]))), expiresAt: Date.now() + answer.expiresIn * 1e3,
		};
		if (cookie) {
			marked(answer ? 1 : "");
			tabs?.postMessage(next);
		}
		return adopt(next);
	}

	async function send(input, init) {
		const request = new Request(input, init);
		const report = self.on?.({ request });
		try {
			const response = await fetch(request);
			report?.(response.clone());
			return response;
		} catch (cause) {
			const error = new StepkeyError(kinds[cause.name] ?? (navigator.onLine ? "unreachable" : "offline"), { cause });
			report?.(error);
			throw error;
		}
	}

	async function authed(input, { stepUp = true, ...init } = {}) {
		const original = new Request(input, init);
		// The token is nobody else's.
		if (!ours.includes(new URL(original.url).origin)) return send(original);
		let used, response, error, once = init.body instanceof ReadableStream;
		const attempt = async () => {
			if (session?.expiresAt < Date.now() + 5e3) await refresh();
			// What one person asked for is not done in the name of who signed in meanwhile.
			if (response && (once || used && session && used.claims.sub !== session.claims.sub)) throw new StepkeyError("unrepeatable", { response });
			const request = once ? original : original.clone();
			used = session;
			if (used) request.headers.set("Authorization", `Bearer ${used.accessToken}`);
			response = await send(request);
			error = response.ok ? null : await refusal(response);
		};
		await attempt();
		if (error?.kind === "unauthorized" && !error.stepUp && await refresh() && session !== used) await attempt();
		if (error?.stepUp && stepUp && session !== used) await attempt();
		if (error?.stepUp && stepUp) {
			await climb(error);
			await attempt();
		}
		if (error && /problem\+json/.test(response.headers.get("Content-Type"))) throw error;
		return response;
	}

	// Requests that are refused at once share one ceremony.
	function climb(error) {
		const run = () => self.stepUp();
		return climbing ??= (async () => self.confirm ? self.confirm(run, error) : run())().finally(() => { climbing = null; });
	}

	async function call(method, path, body, more, through = authed) {
		const response = await through(base + path, {
			method, body: JSON.stringify(body), headers: body && { "Content-Type": "application/json" },
			// A client that keeps its refresh token itself must not send or lose the cookie of another client. Signing in sends the
			// cookie by which the device is known.
			credentials: cookie || /login/.test(path) ? "include" : "omit", ...more,
		});
		if (!response.ok) throw await refusal(response);
		return response.json().catch(() => {});
	}
	const bare = (path, body) => call("POST", path, body, {}, send);
	const still = (path, body) => call("POST", path, body, { stepUp: false });
	async function take(path, body) {
		const answer = await still(path, body);
		return answer.accessToken ? keep(answer) : answer;
	}
	const enter = async (path, body) => keep(await bare(path, { ...body, refresh: mode || undefined }));

	function refresh() {
		const before = session;
		return refreshing ??= new Promise((resolve, reject) => {
			const rotate = async () => {
				try {
					const { refreshToken } = session ?? {};
					const answer = session === before && (cookie ? marked() : refreshToken) && await bare("/auth/refresh", { refreshToken });
					// Who signed in or out meanwhile stays so.
					resolve(answer && session === before ? keep(answer) : session);
				} catch (error) {
					if (error.status !== 401) return reject(error);
					resolve(session === before ? keep(null) : session);
				}
				// Other tabs will have heard of it when their turn comes.
				await pause(100);
			};
			(cookie && navigator.locks ? navigator.locks.request(mark, rotate) : rotate()).catch(reject);
		}).finally(() => { refreshing = null; });
	}

	async function ask(kind, options, { signal, ...how }) {
		if (!supported()) throw new StepkeyError(isSecureContext ? "unsupported" : "insecure");
		await endList();
		const report = self.on?.({ ceremony: kind, options, ...how });
		const abort = new AbortController(), quiet = how.mediation === "conditional", { timeout = 3e5 } = options;
		let clock;
		// A browser's promise may never settle, and may ignore the signal.
		const end = new Promise((_, reject) => {
			const fail = name => reject({ name });
			const halt = () => { abort.abort(); setTimeout(fail, 500); };
			const renew = () => {
				const at = document.activeElement;
				at?.matches("[autocomplete~=webauthn]") ? at.addEventListener("blur", renew) : fail("TimeoutError");
			};
			clock = quiet ? setTimeout(renew, timeout * .75) : setTimeout(fail, timeout + 5e3, "TimeoutError");
			signal?.aborted ? halt() : signal?.addEventListener("abort", halt);
		});
		try {
			const asked = navigator.credentials[kind]({ publicKey: fromJSON(options), signal: abort.signal, ...how });
			if (quiet) list = { abort, ended: asked.catch(() => {}) };
			const made = await Promise.race([asked, end]);
			// This is how some password managers cancel.
			if (!made) throw { name: "NotAllowedError" };
			const answer = toJSON(made);
			// One that came as it was ended is not used: another request may have taken its place.
			abort.signal.throwIfAborted?.();
			report?.(answer);
			return answer;
		} catch (cause) {
			abort.abort();
			let found = kinds[cause?.name] ?? "internal";
			if (signal?.aborted) found = "stopped";
			else if (found === "cancelled" && !document.hasFocus()) found = "unfocused";
			else if (kind === "create" && cause?.name === "InvalidStateError") found = "exists";
			const error = new StepkeyError(found, { cause, rpId: options.rpId ?? options.rp?.id });
			report?.(error);
			throw error;
		} finally {
			clearTimeout(clock);
		}
	}

	const self = {
		get session() { return session; },
		fetch: authed, refresh, call, take,

		signUp: ({ username, password }) => bare("/auth/signup", { username, password }),

		async signIn({ username, password }) {
			await endList();
			try {
				return await enter("/auth/login", { username, password });
			} catch (error) {
				throw error.status === 401 ? new StepkeyError("wrong_credentials", error) : error;
			}
		},

		async signInWithPasskey({ mediation, uiMode, signal, options } = {}) {
			const path = "/passkeys/login/", now = uiMode === "immediate", quiet = mediation === "conditional";
			let before = turn;
			if (now && !(await native("getClientCapabilities"))?.immediateGet) return null;
			if (quiet && !await native("isConditionalMediationAvailable")) return null;
			for (;; before = turn) {
				const asked = options ?? await bare(path + "options", {});
				// A list that another request overtook must not end that request, nor outlast it.
				if (quiet && before !== turn) return null;
				let answer;
				try {
					answer = await ask("get", asked, { signal, mediation, uiMode });
					return await enter(path + "verify", answer);
				} catch (error) {
					if (error.kind === "passkey_unknown") native("signalUnknownCredential", { rpId: asked.rpId, credentialId: answer.id });
					if (answer || !(now || quiet)) throw error;
					// No passkey was picked, or another request took the place of this one.
					if (now || error.kind !== "silent") return null;
				}
			}
		},

		async stepUp({ action, options, signal } = {}) {
			const path = "/passkeys/authenticate/";
			options ??= await still(path + "options", action && { action });
			return take(path + "verify", await ask("get", options, { signal }));
		},

		async registerPasskey({ deviceName, options, signal } = {}) {
			const path = "/passkeys/register/";
			options ??= await still(path + "options");
			const credential = await ask("create", options, { signal });
			try {
				return { ...(await still(path + "verify", { ...credential, deviceName })).passkey, credential };
			} catch (error) {
				// Refused for sure. Where it may be stored after all, the device keeps it.
				if (/_(failed|req|many)/.test(error.kind)) native("signalUnknownCredential", { rpId: options.rp.id, credentialId: credential.id });
				throw error;
			}
		},

		async syncPasskeys(list) {
			const { rpId, userHandle: userId, username: name, passkeys } = list ?? await call("GET", "/passkeys");
			await native("signalAllAcceptedCredentials", { rpId, userId, allAcceptedCredentialIds: passkeys.map(passkey => passkey.credentialId) });
			await native("signalCurrentUserDetails", { rpId, userId, name, displayName: name });
		},

		async signOut() {
			try {
				await still("/auth/logout", {});
			} catch (error) {
				if (error.status !== 401) throw error;
			} finally {
				keep(null);
			}
		},
	};
	return self;
}

export const stepkey = createStepkey();
export default stepkey;
export const { signUp, signIn, signInWithPasskey, registerPasskey, stepUp, refresh, signOut } = stepkey;
