// Types and contract of /stepkey.js.

/** How a client is set up. */
export interface Options {
	/** Where the service is: its origin, and a path if it has one. Default: where the page is. */
	base?: string;
	/**
	 * How a session outlives its access token: "cookie" keeps the refresh token where no script reads it and shares the
	 * session between tabs; "body" keeps it in memory; false has none. Default: "cookie", which needs a page of the service's
	 * site whose origin is configured at the service. With "body" and false, cookies are sent along when signing in only.
	 */
	refresh?: "cookie" | "body" | false;
	/**
	 * Origins of your own services, beside those of the page and the service, that are sent the access token. Those have to let
	 * the page read their answers (CORS), refusals too.
	 */
	origins?: string[];
}

/** Who is signed in. Held in memory only. */
export interface Session {
	accessToken: string;
	tokenType: string;
	/** Seconds, at the time of the answer. */
	expiresIn: number;
	/** When the access token ends, in milliseconds since 1970 by this device's clock. */
	expiresAt: number;
	authLevel: "password" | "full" | "recovery";
	/** Only with refresh "body". */
	refreshToken?: string;
	/** What the access token says, unchecked: for showing, not for deciding. */
	claims: Claims;
}

export interface Claims {
	sub: string;
	username: string;
	authLevel: string;
	iat: number;
	exp: number;
	[name: string]: unknown;
}

/** An action that a passkey consents to, as the guard of the route names it. */
export interface Action {
	name: string;
	parameters?: Record<string, string>;
}

/** Goes into the header Stepkey-Action of the one request that carries the action out. */
export interface ActionToken {
	actionToken: string;
	/** Seconds. */
	expiresIn: number;
}

export interface Passkey {
	id: string;
	name: string;
	/** From when it works, in the format of RFC 3339. Only where it was added at level recovery. */
	usableFrom?: string;
	/** What the device answered, in the JSON of WebAuthn Level 3 section 5.1: the members that the server uses. */
	credential: Record<string, unknown>;
}

export interface Credentials {
	username: string;
	password: string;
}

/** What a ceremony may be given. */
export interface Ceremony {
	/** Ends the ceremony with kind "stopped", at most half a second later even if the browser does not react. */
	signal?: AbortSignal;
	/** Options fetched ahead, so that the device is asked while the press of the button still counts. They answer once. */
	options?: Record<string, unknown>;
}

/** A call that is about to be made. A request may be cloned and read. It holds passwords and tokens: mask them. */
export type Call = { request: Request } | { ceremony: "create" | "get"; options: Record<string, unknown>; mediation?: string; uiMode?: string };

/** How a call ended: a response of its own to read, the device's answer as JSON, or why there is none. */
export type Outcome = Response | Record<string, unknown> | StepkeyError;

/** What can happen in a browser. Beside these, a kind is the code of a problem document, as listed at /docs. */
export type Kind =
	| "cancelled" | "unfocused" | "stopped" | "silent" | "exists" | "unsuited" | "unverified" | "address" | "device"
	| "unsupported" | "insecure" | "offline" | "unreachable" | "unrepeatable" | "wrong_credentials"
	| "unauthorized" | "challenge_expired" | "rate_limited" | "internal" | (string & {});

/** The only error that rejects a promise of this module, misuse of fetch aside. `message` is a sentence for people. */
export class StepkeyError extends Error {
	constructor(kind: Kind, more?: object);
	readonly kind: Kind;
	/** The exception of the browser, for logs. Never for people. */
	readonly cause?: unknown;
	/** Of the server's answer, if there was one. */
	readonly status?: number;
	/** The problem document (RFC 9457). */
	readonly problem?: { code?: string; detail?: string; requestId?: string; [name: string]: unknown };
	readonly response?: Response;
	/** Seconds to wait, or 0. */
	readonly retryAfter?: number;
	/** Whether verifying a passkey would help (RFC 9470). */
	readonly stepUp?: boolean;
	/** The name that passkeys are bound to. Only with what a device answered. */
	readonly rpId?: string;
}

/** fetch's options and one more. */
export interface FetchOptions extends RequestInit {
	/** false leaves a refusal for want of a passkey to the caller. Default: true. */
	stepUp?: boolean;
}

export interface Stepkey {
	/** Who is signed in, as far as this page knows. After a reload null, until refresh or fetch has asked. */
	readonly session: Session | null;

	/** Called with each call before it is made; what it returns is called with the outcome. */
	on?: (call: Call) => ((outcome: Outcome) => void) | void;
	/** Called when the session changes, in another tab too. */
	onsession?: (session: Session | null) => void;
	/**
	 * Called when a request needs a passkey, in place of asking the device at once: the place to say why, and to offer a
	 * button, which Safari wants. `run` does the ceremony; reject to give up.
	 */
	confirm?: (run: () => Promise<unknown>, refusal: StepkeyError) => Promise<unknown>;

	/** Creates an account. Nobody is signed in by it. */
	signUp(credentials: Credentials & { email?: string }): Promise<{ success: boolean }>;
	/** Level password. Refused with kind "wrong_credentials". Ends a request behind the autofill list. */
	signIn(credentials: Credentials): Promise<Session>;
	/**
	 * Level full without a password. With mediation "conditional" the passkeys are offered in the list of an input with
	 * autocomplete="username webauthn" and the promise waits, with fresh options when they grow old; it yields null when the
	 * browser cannot, when the person picked none, or when another ceremony began. Begin again after that, or after a refusal.
	 * With uiMode "immediate" the browser offers the passkeys that are at hand, right after a press. The promise yields null
	 * where it has none, where the person picked none, and at once in a browser without that mode: show your form then.
	 */
	signInWithPasskey(how?: Ceremony & ({ mediation?: "conditional" | "optional" | "required"; uiMode?: undefined } | { mediation?: "optional" | "required"; uiMode: "immediate" })): Promise<Session | null>;
	/**
	 * Adds a passkey. A second one needs full level first: kind "step_up_required". The first one, unless it has to wait, leads
	 * to level full without another prompt: `session` is at that level then, and onsession is called.
	 */
	registerPasskey(how?: Ceremony & { deviceName?: string }): Promise<Passkey>;
	/** Level full, or with an action the consent to it. */
	stepUp(how: Ceremony & { action: Action }): Promise<ActionToken>;
	stepUp(how?: Ceremony): Promise<Session>;
	/**
	 * Gets a new access token. Completes a sign-out instead where one is still to come, and rejects while it cannot. Tabs that ask at once share one rotation. Yields the session, unchanged where there is nothing
	 * to refresh it with, and null when it has ended. On a page of another origin than the service's it also finds a session that
	 * began on the service's own pages.
	 */
	refresh(): Promise<Session | null>;
	/**
	 * Ends the session. `session` is null at once, in every tab. The promise is fulfilled when the server has ended the session;
	 * it rejects when the server could not be told. Then the sign-out is still to come: `signingOut` is true, after a reload too,
	 * and the next call of signOut or refresh tells the server again.
	 */
	signOut(): Promise<void>;
	/** Whether somebody has signed out here and the server does not know of it yet. */
	readonly signingOut: boolean;
	/**
	 * Posts to a route of the service and yields its answer. If the answer is a session, it becomes the current one. Recovery
	 * after the loss of all passkeys works so: it yields level recovery, which is good for registerPasskey only.
	 */
	post(path: string, body?: unknown): Promise<any>;
	/**
	 * Tells the browser which passkeys exist, so that deleted ones are no longer offered. After deleting one give it the answer
	 * to that: a session that rested on the deleted passkey is not at level full any more, and below that nothing is told.
	 */
	syncPasskeys(left?: object): Promise<void>;

	/**
	 * fetch with the access token. A token that has expired is refreshed and a refusal for want of a passkey (RFC 9470) is
	 * answered with one ceremony; after either the request is repeated, once. A body that is a stream cannot be, nor a request
	 * that another user's session would repeat: kind "unrepeatable". An answer that is a problem document is thrown, every other
	 * returned. Other origins than the page's, the service's and Options.origins get no token.
	 */
	fetch(input: RequestInfo | URL, init?: FetchOptions): Promise<Response>;
	/** The same for the service's own API: JSON both ways; every refusal is thrown. */
	call(method: string, path: string, body?: unknown, options?: FetchOptions): Promise<any>;
}

/** A client. Most pages need only the one that is exported. */
export function createStepkey(options?: Options): Stepkey;

/** The sentence for people, in English, by the kind of what can happen in a browser. */
export const sentences: Readonly<Record<string, string>>;

/** Whether the browser knows passkeys at all. */
export function supported(): boolean;

/** Bytes from base64url. */
export function decode(text: string): Uint8Array;

export const stepkey: Stepkey;
export default stepkey;
export const signUp: Stepkey["signUp"];
export const signIn: Stepkey["signIn"];
export const signInWithPasskey: Stepkey["signInWithPasskey"];
export const registerPasskey: Stepkey["registerPasskey"];
export const stepUp: Stepkey["stepUp"];
export const refresh: Stepkey["refresh"];
export const signOut: Stepkey["signOut"];
