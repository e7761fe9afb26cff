package browser

import (
	"strings"
	"testing"
)

// managers puts an object of a password manager's own in the place of what the browser answers: `half` makes it from the real
// one.
const managers = `
	const { create, get } = CredentialsContainer.prototype;
	window.half = made => made;
	navigator.credentials.create = async options => half(await create.call(navigator.credentials, options));
	navigator.credentials.get = async options => half(await get.call(navigator.credentials, options));
	window.fields = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
	window.copy = (made, change = bytes => bytes) => {
		const response = {};
		for (const name of fields) if (made.response[name]) response[name] = change(made.response[name]);
		return { id: made.id, rawId: change(made.rawId), type: made.type, response };
	};
	window.throwing = (object, ...names) => {
		for (const name of names) Object.defineProperty(object, name, { get() { throw new TypeError("Illegal invocation"); } });
		return object;
	};
	window.failing = (object, ...names) => {
		for (const name of names) object[name] = () => { throw new TypeError("Illegal invocation"); };
		return object;
	};
	window.methods = ["getTransports", "getAuthenticatorData", "getPublicKey", "getPublicKeyAlgorithm"];`

// Members that a manager leaves out, gets wrong or forbids to read matter only if the server needs them.
func TestPasswordManagersWithHalfNativeObjects(t *testing.T) {
	for what, half := range map[string]string{
		"plain objects": `copy(made)`,
		"members that throw": `throwing({ ...copy(made), response: throwing(copy(made).response, ...methods) },
			"authenticatorAttachment", "getClientExtensionResults", "toJSON")`,
		"methods that throw": `failing({ ...copy(made), response: failing(copy(made).response, ...methods) }, "getClientExtensionResults", "toJSON")`,
		"the browser's prototypes": `Object.setPrototypeOf(Object.defineProperties({}, Object.getOwnPropertyDescriptors({ ...copy(made), id: made.id,
			response: Object.setPrototypeOf(copy(made).response, Object.getPrototypeOf(made.response)) })), PublicKeyCredential.prototype)`,
		"no id":                  `throwing({ ...copy(made) }, "type") && (({ rawId, response }) => ({ rawId, response }))(copy(made))`,
		"no raw id":              `(({ id, type, response }) => throwing({ id, type, response }, "rawId"))(copy(made))`,
		"an id that throws":      `throwing({ ...copy(made) }, "toJSON") && (({ rawId, response }) => throwing({ rawId, response }, "id", "type"))(copy(made))`,
		"parts of longer arrays": `copy(made, bytes => { const long = new Uint8Array(bytes.byteLength + 20); long.set(new Uint8Array(bytes), 10); return long.subarray(10, -10); })`,
		"transports in a set":    `(it => { it.response.getTransports = () => new Set(["internal"]); return it; })(copy(made))`,
		"transports of null":     `(it => { it.response.getTransports = () => null; return it; })(copy(made))`,
		"transports promised":    `(it => { it.response.getTransports = async () => ["internal"]; return it; })(copy(made))`,
		"user handle of null":    `(it => { if (!it.response.userHandle) it.response.userHandle = null; return it; })(copy(made))`,
	} {
		t.Run(what, func(t *testing.T) {
			p := client(t)
			p.Authenticator(true)
			p.run(enter + managers + `window.half = made => (` + half + `);`)
			p.want(`const { credential } = await s.registerPasskey(); return [typeof credential.id, credential.type, credential.response.attestationObject.length > 0]`, `["string","public-key",true]`)
			p.want(`return (await s.stepUp()).authLevel`, "full")
			p.want(`await s.signOut(); return (await s.signInWithPasskey()).authLevel`, "full")
			p.want(`await s.signOut(); return (await s.signInWithPasskey({ mediation: "conditional" })).authLevel`, "full")
		})
	}
}

// Nothing is read but what the server uses, and for pages whether the device is another one.
func TestClientReadsOnlyWhatIsUsed(t *testing.T) {
	p := client(t)
	p.Authenticator(true)
	p.run(enter + managers + `window.seen = new Set();
		const watched = object => new Proxy(object, { get(target, name) {
			seen.add(name);
			const value = target[name];
			return name === "response" ? watched(value) : typeof value === "function" ? value.bind(target) : value;
		} });
		window.half = watched;`)
	p.want(`await s.registerPasskey(); await s.stepUp(); await s.signOut(); await s.signInWithPasskey(); return [...seen].sort()`,
		`["attestationObject","authenticatorAttachment","authenticatorData","clientDataJSON","getTransports","rawId","response","signature","then","userHandle"]`)
}

// A device that yields nothing was cancelled by the person, in every ceremony; and the next one works.
func TestNoAnswerIsACancellation(t *testing.T) {
	for _, nothing := range []string{"null", "undefined"} {
		t.Run(nothing, func(t *testing.T) {
			p := client(t)
			p.expect("403 /users/histories")
			p.Authenticator(true)
			p.run(enter + managers + `window.nothing = () => ` + nothing + `; window.all = made => made; half = nothing;`)
			const cancelled = "error cancelled: No passkey was used."
			p.want(`return s.registerPasskey()`, cancelled)
			p.run(`half = all; await s.registerPasskey({ options: undefined }).catch(() => {}); await s.signIn(` + credentials + `); half = nothing;`)
			p.want(`return s.stepUp()`, cancelled)
			p.want(`return s.stepUp({ action: { name: "payout", parameters: { amount: "5" } } })`, cancelled)
			p.want(`return s.fetch("/users/histories")`, cancelled)
			p.want(`await s.signOut(); return s.signInWithPasskey()`, cancelled)
			p.want(`return s.signInWithPasskey({ mediation: "conditional" })`, "null")
			p.want(`half = all; return (await s.signInWithPasskey()).authLevel`, "full")
		})
	}
}

// A page says the same.
func TestNoAnswerIsACancellationOnThePage(t *testing.T) {
	p := start(t)
	p.Before(`navigator.credentials.create = async () => null;`)
	p.Go(p.server.URL())
	p.signIn("mira")
	p.Press("add", "Add a passkey")
	p.See("add", "No passkey was made.")
}

// Whatever a manager rejects with, or throws, comes as an error of the client's.
func TestEveryFailureOfAManagerIsOneOfTheClients(t *testing.T) {
	p := client(t)
	p.Authenticator(true)
	p.run(enter)
	for _, failure := range []string{`undefined`, `null`, `"a text"`, `new Error("a text")`, `({})`} {
		for _, how := range []string{`() => Promise.reject(` + failure + `)`, `() => { throw ` + failure + `; }`} {
			p.run(`navigator.credentials.create = navigator.credentials.get = ` + how)
			for _, call := range []string{`s.registerPasskey()`, `s.signInWithPasskey()`} {
				if got := p.run(`return ` + call); got != "error internal: Something broke on our side." {
					t.Errorf("%s with %s yields %s", call, how, got)
				}
			}
			p.want(`return s.signInWithPasskey({ mediation: "conditional" })`, "null")
		}
	}
	// Nor do the static methods matter that a manager replaces.
	for _, broken := range []string{`() => undefined`, `() => { throw new Error("a text"); }`, `() => Promise.reject(undefined)`, `undefined`} {
		p.run(`delete navigator.credentials.create; delete navigator.credentials.get;
			for (const name of ["isConditionalMediationAvailable", "getClientCapabilities", "signalUnknownCredential", "signalAllAcceptedCredentials", "signalCurrentUserDetails"]) PublicKeyCredential[name] = ` + broken)
		p.want(`return s.signInWithPasskey({ mediation: "conditional" })`, "null")
		p.want(`return s.signInWithPasskey({ uiMode: "immediate" })`, "null")
		p.want(`return s.syncPasskeys({ rpId: "localhost", userHandle: "AA", username: "mira", passkeys: [] })`, "")
	}
}

// press gives the page the activation that a browser wants to see before it offers a passkey at once.
func (p *tab) press() {
	p.t.Helper()
	p.Keys("x")
	p.Wait("user activation", `navigator.userActivation.isActive`)
}

// In a browser that has it, a passkey that is at hand is offered at once; where there is none, the page goes on.
func TestClientSignsInImmediately(t *testing.T) {
	const immediately = `return (await s.signInWithPasskey({ uiMode: "immediate" }))?.authLevel ?? "none"`
	p := client(t)
	p.expect("401 /passkeys/login/verify")
	if has := p.run(`return (await PublicKeyCredential.getClientCapabilities()).immediateGet`); has != "true" {
		t.Fatalf("this Chromium has no immediateGet: %s; use version 149 or later", has)
	}
	device := p.Authenticator(true)
	p.press()
	p.want(immediately, "none")
	p.made("POST /passkeys/login/options", "get")

	p.run(enter + `await s.registerPasskey(); await s.signOut(); calls.splice(0);`)
	p.press()
	p.want(immediately, "full")
	p.made("POST /passkeys/login/options", "get", "POST /passkeys/login/verify")
	p.run(`await s.signOut(); calls.splice(0); window.ahead = await s.call("POST", "/passkeys/login/options", {}); calls.splice(0);
		s.on = ({ request, ceremony, uiMode }) => { calls.push(request ? request.method + " " + new URL(request.url).pathname : ceremony + " " + uiMode); };`)
	p.press()
	p.want(`return (await s.signInWithPasskey({ uiMode: "immediate", options: ahead })).claims.username`, "mira")
	p.made("get immediate", "POST /passkeys/login/verify")
	p.run(`await s.signOut();`)

	// It takes the place of the list, which the page may begin again after that.
	device.Present(false)
	p.run(`window.list = s.signInWithPasskey({ mediation: "conditional" }); while (!calls.includes("get undefined")) await new Promise(done => later(done, 10));`)
	p.press()
	p.run(`const stop = new AbortController(); window.stopped = s.signInWithPasskey({ uiMode: "immediate", signal: stop.signal }); window.stop = stop;`)
	p.want(`return list`, "null")
	p.want(`stop.abort(); return stopped`, "null")
	device.Present(true)

	// The person says no.
	device.Verified(false)
	p.press()
	p.want(immediately, "none")
	device.Verified(true)

	// The server refuses the passkey that was picked: that is not "none".
	p.want(`await s.signInWithPasskey(); const { passkeys } = await s.call("GET", "/passkeys"); await s.call("DELETE", "/passkeys/" + passkeys[0].id + "?last=true"); await s.signOut(); return passkeys.length`, "1")
	p.press()
	if got := p.run(immediately); !strings.HasPrefix(got, "error passkey_unknown") {
		t.Errorf("a passkey that the server does not know: %s", got)
	}
}

// Without a press, and where the browser never answers, there is no session either.
func TestClientSignsInImmediatelyOrGoesOn(t *testing.T) {
	p := client(t)
	p.Authenticator(true)
	p.run(enter + `await s.registerPasskey(); await s.signOut();`)
	p.load()
	p.want(`return [navigator.userActivation.isActive, await s.signInWithPasskey({ uiMode: "immediate" })]`, `[false,null]`)
	p.want(`navigator.credentials.get = () => new Promise(() => {}); window.setTimeout = (run, ms, ...rest) => later(run, ms > 300000 ? 1 : ms, ...rest);
		return s.signInWithPasskey({ uiMode: "immediate" })`, "null")
}

// Where the browser does not have it, nothing is asked, of the server or of the device.
func TestClientWithoutImmediateMode(t *testing.T) {
	for what, browser := range map[string]string{
		"says no":              `PublicKeyCredential.getClientCapabilities = async () => ({ immediateGet: false, conditionalGet: true })`,
		"does not say":         `PublicKeyCredential.getClientCapabilities = async () => ({})`,
		"cannot say":           `delete PublicKeyCredential.getClientCapabilities`,
		"has no passkeys":      `delete window.PublicKeyCredential`,
		"fails":                `PublicKeyCredential.getClientCapabilities = async () => { throw new TypeError(); }`,
		"refuses the new word": `delete PublicKeyCredential.getClientCapabilities; navigator.credentials.get = async ({ uiMode }) => { if (uiMode) throw new TypeError(); return null; }`,
	} {
		t.Run(what, func(t *testing.T) {
			p := client(t)
			p.Authenticator(true)
			p.press()
			p.want(browser+`; return s.signInWithPasskey({ uiMode: "immediate" })`, "null")
			p.made()
		})
	}
}
