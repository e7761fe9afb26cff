// The English of the demo, beside what common.js has for every page. What never changes is in index.html.

/** What says more, by the step of the demo. */
export const busyIn = { signup: "Creating your account…", signin: "Signing in…", open: "Opening…" };

export const stairs = {
	out: "You are signed out. Two steps up: password, full.",
	password: "You are at password level. One step up: full.",
	full: "You are at full level, the highest step.",
	recovery: "You are at recovery level. It can add a passkey, no more.",
};

export const stand = {
	out: "No token yet. Sign in to get one.",
	ended: "Your session ended. Sign in again.",
};

/** What claims mean, in the order they are shown; what is not named here comes after. */
export const claims = {
	sub: "your account",
	authLevel: "",
	amr: "",
	auth_time: "the newest proof",
	exp: "when it ends",
	iat: "when it was made",
	password_time: "when you typed the password",
	passkey_time: "when you verified the passkey",
};

/** What a token rests on, by the methods of RFC 8176: "pop" is a passkey, "otp" a code or link that works once. */
export function factors(amr) {
	const [password, key, once] = ["pwd", "pop", "otp"].map(method => amr.includes(method));
	if (once) return password ? "a password, then a recovery code or link" : "a recovery link alone";
	if (key) return password ? "a password, then a passkey" : "a passkey alone";
	return "a password, nothing more";
}

export function left(seconds) {
	const s = Math.round(seconds), min = `${Math.floor(s / 60)} min`;
	return s >= 300 ? `${min} left` : s >= 60 ? `${min} ${s % 60} s left` : `${s} s left`;
}

export const log = {
	server: "Server",
	device: "Device",
	asked: "What the page asked",
	answered: "What the server answered",
	decoded: "What the device answered, decoded",
	sent: "sent",
	asking: "waiting for you",
	create: "made",
	get: "signed",
	lost: "no answer",
	stopped: "stopped",
	closed: "not used",
};

const challenge = "A random number, good for one answer. The device signs it; an old answer is worth nothing.";
const bound = "The passkey is bound to this name. A look-alike site gets no answer at all.";

/** Notes on the calls, by the end of a path in their JSON. */
export const notes = {
	"body.password": "The password goes to the server and nowhere else, nor into this log.",
	authorization: "The access token says who asks. It is kept in memory alone.",
	accessToken: "Signed by the server. What it says is shown above.",
	challenge,
	"publicKey.challenge": challenge,
	"publicKey.rpId": bound,
	"rp.id": bound,
	pubKeyCredParams: "Signatures the server accepts, in order of preference.",
	excludeCredentials: "Passkeys you have. A device that holds one makes no second.",
	userVerification: "The device must check you. What it sees never leaves it.",
	"clientDataJSON.challenge": "The same number comes back, now signed.",
	"clientDataJSON.origin": "The browser writes the address. A page cannot forge it.",
	flags: "UP: was someone there? UV: did the device check who? BE, BS: can it sync, does it?",
	signature: "Made with the private half of the key. The server holds the other.",
	code: "The reason, in a word that programs can rely on.",
};
