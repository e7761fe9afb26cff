// htmx 2 and 4 and Turbo 8: a refusal is resolved in place, and the request made once more. Without this script the refusal's
// own headers lead to the page for the purpose.

import { asksForPasskey, fetchSteppingUp, isOurs, meet } from "./refusal.js";

// Runs again once the need is met. Somebody who gives up stays where they are, with the page as it was.
async function resolve(problem, repeat) {
	try {
		await meet(problem);
	} catch {
		return;
	}
	repeat();
}

// Submits a form that was confirmed before. Turbo reads the question while requestSubmit runs.
function submitConfirmed(form, submitter) {
	const question = "data-turbo-confirm";
	const asking = [form, submitter].filter(node => node?.hasAttribute(question)).map(node => [node, node.getAttribute(question)]);
	for (const [node] of asking) node.removeAttribute(question);
	// A field may be named requestSubmit.
	HTMLFormElement.prototype.requestSubmit.call(form, submitter);
	for (const [node, text] of asking) node.setAttribute(question, text);
}

// A request is repeated once. A second refusal is for the page to show.
const repeated = new WeakSet();

export function listen() {
	// htmx 4 lets each request bring its own fetch.
	document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
		if (ctx) ctx.fetch ??= fetchSteppingUp;
	});

	document.addEventListener("htmx:beforeOnLoad", event => {
		const { xhr, requestConfig, target, etc = {} } = event.detail;
		const { elt, verb, path, triggeringEvent } = requestConfig ?? {};
		if (!elt || !isOurs(xhr.responseURL) || !asksForPasskey(xhr.status, name => xhr.getResponseHeader(name))) return;
		if (repeated.delete(elt)) return;
		event.preventDefault();
		resolve(JSON.parse(xhr.responseText), () => {
			repeated.add(elt);
			// It was confirmed before.
			elt.addEventListener("htmx:confirm", confirm => {
				confirm.preventDefault();
				confirm.detail.issueRequest(true);
			}, { once: true });
			elt.addEventListener("htmx:afterOnLoad", () => repeated.delete(elt), { once: true });
			window.htmx.ajax(verb, path, {
				source: elt, event: triggeringEvent, target,
				values: etc.values, headers: etc.headers, swap: etc.swapOverride, select: etc.select,
			});
		});
	});

	const submitters = new WeakMap();
	document.addEventListener("turbo:submit-start", ({ detail: { formSubmission } }) => {
		submitters.set(formSubmission.formElement, formSubmission.submitter);
	});
	document.addEventListener("turbo:before-fetch-response", event => {
		const { target, detail: { fetchResponse: { response } } } = event;
		const isForm = target instanceof HTMLFormElement;
		if (!isForm && target.localName !== "turbo-frame") return;
		if (!isOurs(response.url) || !asksForPasskey(response.status, name => response.headers.get(name))) {
			repeated.delete(target);
			return;
		}
		if (repeated.delete(target)) return;
		event.preventDefault();
		response.clone().json().then(problem => resolve(problem, () => {
			repeated.add(target);
			if (isForm) submitConfirmed(target, submitters.get(target) ?? null);
			else target.reload();
		}));
	});
}
