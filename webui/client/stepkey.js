// Stepkey in the browser: sign up, sign in, passkeys, and a fetch that steps up by itself. The contract of each part is
// in ../static/stepkey.d.ts. Browsers get this module and ceremony.js as one, minified: `make generate` writes
// ../static/stepkey.js.

import { ask, callIfPresent, decode, endList, kindOfException, listsEnded, obstacle, sleep } from "./ceremony.js";

export { decode, supported } from "./ceremony.js";

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

// The refusals that say that a new passkey was not stored. After any other it may have been, and the device keeps it.
const notStored = ["verification_failed", "too_many_passkeys", "step_up_required", "reauthentication_required"];

const kindOfStatus = { 401: "unauthorized", 429: "rate_limited" };

export class StepkeyError extends Error {
	name = "StepkeyError";
	constructor(kind, more) {
		super(sentences[kind] ?? more?.problem?.detail ?? sentences.internal, more);
		Object.assign(this, more, { kind });
	}
}

async function refusalOf(response) {
	const { status, headers } = response;
	const problem = await response.clone().json().catch(() => {}) ?? {};
	const { code } = problem;
	// A step-up for the session is no consent to an action.
	const asksForFactor = code === "step_up_required" || headers.get("WWW-Authenticate")?.includes("insufficient_user_authentication");
	const stepUp = code !== "action_required" && !!asksForFactor;
	return new StepkeyError(code ?? kindOfStatus[status] ?? "internal", {
		status, problem, response, stepUp, retryAfter: +headers.get("Retry-After") || 0,
	});
}

export function createStepkey({ base = "", refresh: mode = "cookie", origins = [] } = {}) {
	base = base.replace(/\/$/, "");
	const usesCookie = mode === "cookie";
	const storageKey = `stepkey:${base}`;
	const serviceOrigin = new URL(base, location).origin;
	const tokenOrigins = [location.origin, serviceOrigin, ...origins];
	// A page elsewhere does not see the storage of the service's own pages, where people may have signed in.
	const isElsewhere = serviceOrigin !== location.origin;
	let session = null;
	// A session that was signed out of here while the server does not know of it yet.
	let leaving;
	let refreshing;
	let steppingUp;

	// Tabs share the cookie, so they share the session. It stays in memory; storage says only that there is one.
	const channel = usesCookie && window.BroadcastChannel && new BroadcastChannel(storageKey);
	if (channel) channel.onmessage = ({ data }) => setSession(data);

	// Reads or sets the flag in storage. Where storage is forbidden, there may always be a session.
	function sessionFlag(value) {
		try {
			return value === undefined ? localStorage[storageKey] : localStorage[storageKey] = value;
		} catch {
			return true;
		}
	}

	function setSession(next) {
		session = next;
		if (next) leaving = null;
		self.onsession?.(next);
		return next;
	}

	// Makes the server's answer the session, in other tabs too. null ends it.
	function shareSession(answer) {
		const next = answer && {
			...answer,
			claims: JSON.parse(new TextDecoder().decode(decode(answer.accessToken.split(".")[1]))),
			expiresAt: Date.now() + answer.expiresIn * 1e3,
		};
		if (usesCookie) {
			sessionFlag(answer ? 1 : "");
			channel?.postMessage(next);
		}
		return setSession(next);
	}

	async function send(input, init) {
		const request = new Request(input, init);
		const report = self.on?.({ request });
		try {
			const response = await fetch(request);
			report?.(response.clone());
			return response;
		} catch (cause) {
			const kind = kindOfException[cause.name] ?? (navigator.onLine ? "unreachable" : "offline");
			const error = new StepkeyError(kind, { cause });
			report?.(error);
			throw error;
		}
	}

	async function authenticatedFetch(input, { stepUp = true, ...init } = {}) {
		const original = new Request(input, init);
		// Nobody else gets the token.
		if (!tokenOrigins.includes(new URL(original.url).origin)) return send(original);

		const isStream = init.body instanceof ReadableStream;
		let used;
		let response;
		let error;
		const attempt = async () => {
			if (session?.expiresAt < Date.now() + 5e3) await refresh();
			// A request is never repeated in the name of another person who has signed in meanwhile.
			const otherPerson = used && session && used.claims.sub !== session.claims.sub;
			if (response && (isStream || otherPerson)) throw new StepkeyError("unrepeatable", { response });

			const request = isStream ? original : original.clone();
			used = session;
			if (used) request.headers.set("Authorization", `Bearer ${used.accessToken}`);
			response = await send(request);
			error = response.ok ? null : await refusalOf(response);
		};
		await attempt();
		if (error?.kind === "unauthorized" && !error.stepUp && await refresh() && session !== used) await attempt();
		if (error?.stepUp && stepUp && session !== used) await attempt();
		if (error?.stepUp && stepUp) {
			await stepUpOnce(error);
			await attempt();
		}
		if (error && /problem\+json/.test(response.headers.get("Content-Type"))) throw error;
		return response;
	}

	// Requests that are refused at once share one ceremony.
	function stepUpOnce(error) {
		const run = () => self.stepUp();
		steppingUp ??= (async () => self.confirm ? self.confirm(run, error) : run())().finally(() => { steppingUp = null; });
		return steppingUp;
	}

	async function call(method, path, body, more, through = authenticatedFetch) {
		const response = await through(base + path, {
			method,
			body: JSON.stringify(body),
			headers: body && { "Content-Type": "application/json" },
			// A client that keeps its refresh token itself must not send or lose the cookie of another client. Signing in sends
			// the cookie by which the server knows the device.
			credentials: usesCookie || /login/.test(path) ? "include" : "omit",
			...more,
		});
		if (!response.ok) throw await refusalOf(response);
		return response.json().catch(() => {});
	}

	const postWithoutToken = (path, body) => call("POST", path, body, {}, send);
	const postWithoutStepUp = (path, body) => call("POST", path, body, { stepUp: false });

	async function post(path, body) {
		const answer = await postWithoutStepUp(path, body);
		return answer.accessToken ? shareSession(answer) : answer;
	}

	async function startSession(path, body) {
		// Otherwise the session before would live on with nobody to end it.
		if (isLeaving()) await tellSignOut().catch(() => {});
		return shareSession(await postWithoutToken(path, { ...body, refresh: mode || undefined }));
	}

	const isLeaving = () => !!leaving || sessionFlag() === "out";

	// Signs out on the server. Only what the server says counts, so a failure leaves the sign-out to be told again.
	async function tellSignOut() {
		let { accessToken, expiresAt, refreshToken } = leaving ?? {};
		const withToken = (input, init) => {
			const request = new Request(input, init);
			if (accessToken) request.headers.set("Authorization", `Bearer ${accessToken}`);
			return send(request);
		};
		try {
			if (expiresAt < Date.now() + 5e3) {
				accessToken = refreshToken && (await postWithoutToken("/auth/refresh", { refreshToken })).accessToken;
			}
			await call("POST", "/auth/logout", {}, {}, withToken);
		} catch (error) {
			if (error.status !== 401) throw error;
			// The cookie may be good where the token no longer is.
			if (accessToken && usesCookie) return tellSignOut(leaving = {});
		}
		leaving = null;
		if (usesCookie && !session) sessionFlag("");
	}

	function refresh() {
		if (isLeaving()) return tellSignOut().then(() => session);
		refreshing ??= refreshInTurn(session).finally(() => { refreshing = null; });
		return refreshing;
	}

	// Refreshes while no other tab does. The promise settles with the answer, a moment before the next tab has its turn.
	function refreshInTurn(before) {
		return new Promise((resolve, reject) => {
			const rotate = async () => {
				try {
					const { refreshToken } = session ?? {};
					const hasToken = session === before && (usesCookie ? isElsewhere || sessionFlag() : refreshToken);
					// Without a cookie there is no answer.
					const answer = hasToken && await postWithoutToken("/auth/refresh", { refreshToken, ifPresent: true });
					// A sign-in or sign-out that came meanwhile counts.
					resolve(hasToken && session === before ? shareSession(answer ?? null) : session);
				} catch (error) {
					if (error.status !== 401) return reject(error);
					resolve(session === before ? shareSession(null) : session);
				}
				// By their turn, other tabs will have received the session.
				await sleep(100);
			};
			const turn = usesCookie && navigator.locks ? navigator.locks.request(storageKey, rotate) : rotate();
			turn.catch(reject);
		});
	}

	// Has the device make or use a passkey, and tells the page of it.
	async function askDevice(method, options, { signal, ...how }) {
		const lack = obstacle();
		if (lack) throw new StepkeyError(lack);
		await endList();
		const report = self.on?.({ ceremony: method, options, ...how });
		try {
			const answer = await ask(method, options, { signal, ...how });
			report?.(answer);
			return answer;
		} catch ({ kind, cause }) {
			const error = new StepkeyError(kind, { cause, rpId: options.rpId ?? options.rp?.id });
			report?.(error);
			throw error;
		}
	}

	const self = {
		get session() { return session; },
		fetch: authenticatedFetch,
		refresh,
		call,
		post,

		signUp: ({ username, password, email }) => postWithoutToken("/auth/signup", { username, password, email }),

		async signIn({ username, password }) {
			await endList();
			try {
				return await startSession("/auth/login", { username, password });
			} catch (error) {
				throw error.status === 401 ? new StepkeyError("wrong_credentials", error) : error;
			}
		},

		async signInWithPasskey({ mediation, uiMode, signal, options } = {}) {
			const path = "/passkeys/login/";
			const immediate = uiMode === "immediate";
			const forList = mediation === "conditional";
			let before = listsEnded;
			if (immediate && !(await callIfPresent("getClientCapabilities"))?.immediateGet) return null;
			if (forList && !await callIfPresent("isConditionalMediationAvailable")) return null;
			// A passkey that is picked from the list from now on would sign in a second time.
			forList || endList();
			for (;; before = listsEnded) {
				const asked = options ?? await postWithoutToken(path + "options", {});
				// A list that another request overtook must not end that request, nor outlast it.
				if (forList && before !== listsEnded) return null;
				let answer;
				try {
					answer = await askDevice("get", asked, { signal, mediation, uiMode });
					return await startSession(path + "verify", answer);
				} catch (error) {
					if (error.kind === "passkey_unknown") {
						callIfPresent("signalUnknownCredential", { rpId: asked.rpId, credentialId: answer.id });
					}
					if (answer || !(immediate || forList)) throw error;
					// No passkey was picked, or another request took the place of this one.
					if (immediate || error.kind !== "silent") return null;
				}
			}
		},

		async stepUp({ action, options, signal } = {}) {
			const path = "/passkeys/authenticate/";
			options ??= await postWithoutStepUp(path + "options", action && { action });
			return post(path + "verify", await askDevice("get", options, { signal }));
		},

		async registerPasskey({ deviceName, options, signal } = {}) {
			const path = "/passkeys/register/";
			options ??= await postWithoutStepUp(path + "options");
			const credential = await askDevice("create", options, { signal });
			try {
				// A first passkey comes with tokens at level full.
				const { passkey, success, ...tokens } = await postWithoutStepUp(path + "verify", { ...credential, deviceName });
				if (tokens.accessToken) shareSession(tokens);
				return { ...passkey, credential };
			} catch (error) {
				if (notStored.includes(error.kind)) {
					callIfPresent("signalUnknownCredential", { rpId: options.rp.id, credentialId: credential.id });
				}
				throw error;
			}
		},

		async syncPasskeys(list) {
			const { rpId, userHandle: userId, username: name, passkeys } = list ?? await call("GET", "/passkeys");
			const allAcceptedCredentialIds = passkeys.map(passkey => passkey.credentialId);
			await callIfPresent("signalAllAcceptedCredentials", { rpId, userId, allAcceptedCredentialIds });
			await callIfPresent("signalCurrentUserDetails", { rpId, userId, name, displayName: name });
		},

		get signingOut() { return isLeaving(); },

		signOut() {
			leaving = session ?? leaving ?? {};
			shareSession(null);
			if (usesCookie) sessionFlag("out");
			return tellSignOut();
		},
	};
	return self;
}

export const stepkey = createStepkey();
export default stepkey;
export const { signUp, signIn, signInWithPasskey, registerPasskey, stepUp, refresh, signOut } = stepkey;
