// The demo: five steps from a new account to a page that only a passkey opens.

import { StepkeyError, supported } from "../../stepkey.js";
import { stepkey } from "../client.js";
import { clock } from "../dates.js";
import { announce, byId, copy, settled, showable } from "../dom.js";
import { passkeyList } from "../autofill.js";
import { atFields, explain } from "../failures.js";
import { notice } from "../notice.js";
import { signOut } from "../signout.js";
import { fields, levels, notices, passkey, signInFields, status } from "../words/common.js";
import { inspect, observe, startLog } from "./log.js";
import { t } from "../text.js";
import { own, ownActions, ownNotices, said, verified } from "../words/demo.js";
import * as offer from "../offer.js";
import * as stand from "./stand.js";
import * as steps from "./steps.js";

/** Options older than this, in milliseconds, are not used. */
const STALE = 240000;

/** Where the person is. None of it outlives the page. */
const here = {
	form: steps.names[0], // open while signed out
	name: "",
	session: null,
	passkey: "",    // a line about it, if there is one
	added: 0,       // when adding the first passkey verified it, as passkey_time
	spare: false,   // whether a second way back is called for, since the first passkey was just made
	later: false,   // whether a first one was refused for now
	ready: null,    // options for verifying fetched ahead, and when
	entry: null,    // the same for signing in with a passkey alone
	preparing: false, // while those are fetched
	leaving: null,  // while the server is told that somebody signed out
	alone: supported() && Boolean(byId("by-passkey")), // whether a passkey alone may sign in
};

/** Also when another tab signed in, stepped up or signed out. */
function changed(session) {
	const before = here.session;
	here.session = session && { ...session, level: session.authLevel, ends: session.expiresAt / 1000 };
	const another = session && session.claims.username !== here.name;
	if (another) {
		here.name = session.claims.username;
		here.passkey = "";
		here.spare = false;
	}
	if (another || session && !before) here.later = offer.declined(session);
	if (session && session.claims.passkey_time) here.passkey ||= own.yours;
	if (here.working) return;
	if (session) show();
	else if (before) leave(notices.unauthorized);
}

function show(ended) {
	const now = here.session, results = {};
	if (here.name) results.signup = here.name;
	if (now) {
		const { password_time, passkey_time, iat } = now.claims;
		results.signin = now.level === "recovery" ? `${levels.recovery}, ${clock(iat)}`
			: now.claims.amr.includes("pwd") ? `${levels.password}, ${clock(password_time ?? iat)}`
			: `${own.alone}, ${clock(passkey_time ?? now.claims.auth_time)}`;
		if (here.passkey) results.add = here.passkey;
		const time = clock(passkey_time ?? iat);
		if (now.level === "full") results.verify = passkey_time === here.added ? t(verified, { time }) : `${levels.full}, ${time}`;
	}
	const later = now && !results.add && here.later;
	steps.show(!now ? here.form : results.verify || later ? "open" : results.add ? "verify" : "add", results);
	byId("spare").hidden = !results.add || !here.spare;
	byId("another").hidden = !results.add && !later || !supported();
	byId("another").textContent = later ? ownActions.after : ownActions.another;
	byId("not-now").hidden = !supported();
	if (now && !supported()) {
		for (const step of ["add", "verify"]) {
			tell(step, notices.unsupported);
			steps.main(step).hidden = true;
		}
	}
	stand.show(now, ended, expire);
	if (!now && here.form === "signin") list();
}

/** The access token has run out: the next one, or the end. */
async function expire() {
	try {
		if (await stepkey.refresh() && here.session.ends > Date.now() / 1000) return;
	} catch {
		// The server is away: signed out as far as this page knows.
	}
	here.session ??= {};
	leave(notices.unauthorized, true);
}

/** Runs a step's work and says there what stopped it. True when nothing did. */
async function attempt(step, work, again) {
	let worked = false;
	await steps.busily(step, async () => {
		steps.clear(step);
		here.working = true;
		try {
			await work();
			worked = true;
		} catch (error) {
			if (!(error instanceof StepkeyError)) throw error;
			if (error.kind === "stopped") return steps.main(step).focus();
			const at = atFields(error, step), words = explain(error, step);
			if (error.kind === "no_passkeys") here.passkey = "";
			if (at) steps.wrong(step, ...at);
			else if (words === notices.unauthorized && step !== "open") leave(words);
			else tell(step, words, again);
		} finally {
			here.working = false;
		}
	});
	return worked;
}

/** Offers a passkey after all. */
function welcome() {
	here.later = false;
	show();
	steps.main("add").focus();
}

/** Puts a notice into a step. Actions that are not named here try again. */
function tell(step, words, again) {
	const run = { verify: () => verify(step, words === notices.step_up_required), add: welcome, signin: () => leave() };
	for (const name of words.actions) run[name] ??= again;
	steps.tell(step, words, run);
}

/** Forgets the session and goes back to step 2. */
function leave(words, ended) {
	here.session = here.ready = here.entry = null;
	here.form = "signin";
	here.passkey = "";
	here.spare = false;
	steps.form("signin").elements.username.value ||= here.name;
	steps.clear("open");
	show(ended);
	if (ended) announce(said.ended);
	if (words) steps.tell("signin", { ...words, actions: [] });
}

/** The fields of a form, or null after saying which one is empty. */
function typed(step) {
	const { username, password } = steps.form(step).elements;
	steps.clear(step);
	if (!username.value.trim()) steps.wrong(step, ["username"], step === "signin" ? signInFields.need : fields.needName);
	else if (!password.value) steps.wrong(step, ["password"], fields.needPassword);
	else return { username, password, body: { username: username.value, password: password.value } };
	return null;
}

async function signup() {
	const given = typed("signup");
	if (!given || !await attempt("signup", () => stepkey.signUp(given.body))) return;
	const next = steps.form("signin").elements;
	next.username.value = here.name = given.body.username.trim();
	next.password.value = given.body.password;
	given.password.value = "";
	here.form = "signin";
	show();
	announce(status.created);
}

async function signin() {
	const given = typed("signin");
	if (!given) return;
	const worked = await attempt("signin", async () => {
		await stepkey.signIn(given.body);
		given.password.value = "";
		await look();
	});
	if (!worked) return list();
	steps.clear("open");
	show();
	announce(status.signedIn);
}

async function signinWithPasskey() {
	const options = fresh(here.entry);
	here.entry = null;
	const worked = await attempt("signin", () => steps.waitIn("signin", signal => stepkey.signInWithPasskey({ options, signal })), signinWithPasskey);
	if (!worked) return list();
	steps.form("signin").elements.password.value = "";
	steps.clear("open");
	show();
	announce(status.signedIn);
}

const offerList = passkeyList({
	observe,
	wanted: () => here.alone && !here.session && !here.working,
	entering(answer) {
		announce(status.signingIn);
		steps.busily("signin", () => answer);
	},
	entered() {
		steps.clear("open");
		announce(status.signedIn);
	},
	failed(error, picked) {
		if (picked) tell("signin", { ...explain(error, "signin"), actions: [] });
	},
});

/** Offers passkeys in the list of the username field, once the server knows that who was there before has left. */
async function list() {
	await here.leaving;
	if (here.alone) byId("by-passkey").hidden = false;
	offerList();
}

/** Fetches what the button for a passkey alone asks the device with, so that the press itself waits for nobody. */
async function prepare() {
	if (here.preparing || fresh(here.entry) || here.session) return;
	here.preparing = true;
	try {
		here.entry = { options: await stepkey.call("POST", "/passkeys/login/options", {}), at: Date.now() };
	} catch (error) {
		if (!(error instanceof StepkeyError)) throw error; // the press itself says what is wrong
	} finally {
		here.preparing = false;
	}
}

const fresh = fetched => Date.now() - fetched?.at < STALE ? fetched.options : undefined;

/** Asks whether there is a passkey. Where one is to be verified, fetches the options ahead, so that the device is then asked at once. */
async function look() {
	here.passkey = "";
	here.ready = null;
	try {
		const { passkeys } = await stepkey.call("GET", "/passkeys", undefined, { stepUp: false });
		if (!passkeys.length) return;
		here.passkey = own.yours;
		if (stepkey.session?.authLevel !== "password") return;
		here.ready = { options: await stepkey.call("POST", "/passkeys/authenticate/options"), at: Date.now() };
	} catch (error) {
		if (!error.problem) throw error;
	}
}

async function add() {
	const worked = await attempt("add", async () => {
		const before = here.session.level;
		const { name, credential } = await steps.waitIn("add", signal => stepkey.registerPasskey({ signal }));
		here.passkey = [name, synced(credential)].filter(Boolean).join(" · ");
		// Another passkey needs full level, so below it this was the first. It may have raised the session.
		here.spare = before !== "full";
		if (here.spare && here.session.level === "full") here.added = here.session.claims.passkey_time;
		here.ready = null;
		// Password managers learn of it where it may be told: at full level.
		if (here.session.level === "full") stepkey.syncPasskeys().catch(() => {});
	}, add);
	if (!worked) return;
	steps.clear("open"); // what it said of the level before
	show();
	announce(here.spare ? status.addedFirst : said.added);
}

/** Verifies a passkey in the step that asked for it, then goes on there. */
async function verify(step, more) {
	const worked = await attempt(step, async () => {
		const options = fresh(here.ready);
		here.ready = null;
		await steps.waitIn(step, signal => stepkey.stepUp({ options, signal }));
		here.passkey ||= own.yours;
	}, () => verify(step, more));
	if (!worked) return;
	if (step !== "open") steps.clear("open");
	show();
	announce(status.full);
	if (step === "open") await visit();
	if (more) tell("add", ownNotices.second, add);
}

async function visit() {
	await attempt("open", async () => {
		try {
			const answer = await stepkey.call("GET", "/users/histories", undefined, { stepUp: false });
			tell("open", { ...ownNotices.opened, detail: `200 ${JSON.stringify(answer)}` }, visit);
		} catch (error) {
			const needs = error.kind === "step_up_required" ? (here.passkey ? ownNotices.closed : ownNotices.closedNone)
				: error.status === 401 ? ownNotices.closedOut : null;
			if (!needs) throw error;
			// The session has ended elsewhere.
			if (needs === ownNotices.closedOut && byId("badge").dataset.level !== "out") leave();
			tell("open", { ...needs, detail: `${error.status} ${error.kind}` }, visit);
		}
	}, visit);
}

function synced({ response }) {
	const data = inspect(response);
	if (!data) return own.yours;
	const { BE, BS } = data.flags;
	return BS ? passkey.synced : BE ? passkey.unsynced : passkey.bound;
}

const onPress = (node, act) => node.addEventListener("click", () => act(node));
const onSubmit = (step, act) => steps.form(step).addEventListener("submit", event => {
	event.preventDefault();
	if (!byId(step).ariaBusy) act();
});

if (here.form === "signup") onSubmit("signup", signup);
else steps.show(here.form, {});
onSubmit("signin", signin);
if (here.alone) {
	onPress(byId("by-passkey"), signinWithPasskey);
	for (const event of ["focus", "pointerenter"]) byId("by-passkey").addEventListener(event, prepare);
}
for (const event of ["focus", "click"]) steps.form("signin").elements.username.addEventListener(event, list);
onPress(steps.main("add"), add);
onPress(steps.main("verify"), () => verify("verify"));
onPress(steps.main("open"), visit);
onPress(byId("another"), () => { if (here.later) welcome(); add(); });
onPress(byId("not-now"), () => {
	offer.decline(here.session);
	here.later = true;
	show();
});

/** Signs out. The page forgets the session at once, and says so where the server does not know of it yet. */
function goodbye() {
	here.session = null;
	here.leaving = signOut({
		waits: () => steps.tell("signin", { ...notices.leaving, actions: [] }),
		done(waited) {
			if (here.session) return;
			stand.show(null);
			announce(status.signedOut);
			if (waited) steps.tell("signin", { ...notices.left, actions: [] });
		},
	});
	leave();
}

onPress(byId("signout"), goodbye);
onPress(byId("copy-token"), button => copy(here.session.accessToken, button, status));
for (const link of document.querySelectorAll("[data-form]")) onPress(link, () => { here.form = link.dataset.form; show(); });
showable();

function connection() {
	byId("notices").replaceChildren(...(isSecureContext ? [] : [notice(notices.insecure)]),
		...(navigator.onLine ? [] : [notice(notices.offline)]));
}
addEventListener("offline", connection);
addEventListener("online", () => { connection(); announce(said.online); });
connection();
startLog();
stand.show();
stepkey.onsession = changed;
here.working = true;
stepkey.refresh().then(async session => {
	if (session) await look();
}).catch(() => {}).finally(() => {
	here.working = false;
	if (stepkey.signingOut) goodbye();
	else if (here.session) show();
	else {
		stand.show(null); // also after a sign-out that was completed just now
		if (here.form === "signin") list();
	}
	settled();
});

// A sign-out in another tab is pending, or was completed.
addEventListener("storage", () => { if (!here.session) stand.showLevel(null); });

// A page that the browser kept for the back button has not heard what other tabs said.
addEventListener("pageshow", event => {
	if (!event.persisted) return;
	here.ready = here.entry = null;
	if (here.session) stepkey.refresh().catch(() => {});
});
