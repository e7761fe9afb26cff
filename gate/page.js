(() => {
const main = document.querySelector("main"), name = "stepkey-form";
const SENT = "sent"; // in place of a form: the back button leads here again
const find = id => document.getElementById(id);

// Storage of the tab, so that no other tab posts the form. Where it is forbidden, nothing is kept.
const storage = work => { try { return work(sessionStorage); } catch { return null; } };

function end(text) {
	find("text").textContent = text;
	find("on").hidden = false;
	find("on").focus();
}

const lost = () => end(main.dataset.lost);

// Posts what the service released, as the page of the application would have. The form may have fields called "submit" or "action".
function post({ action, enctype, fields }) {
	const form = document.createElement("form");
	form.method = "post";
	form.enctype = enctype;
	form.action = action;
	form.hidden = true;
	for (const [field, value] of fields) {
		const area = document.createElement("textarea"); // keeps line breaks
		area.name = field;
		area.value = value;
		form.append(area);
	}
	document.body.append(form);
	HTMLFormElement.prototype.submit.call(form);
}

async function send(kept) {
	find("send").hidden = true;
	storage(tab => tab.removeItem(name));
	try {
		const answer = await fetch("form", { method: "POST", body: kept });
		if (!answer.ok) return lost();
		const form = await answer.json();
		storage(tab => tab.setItem(name, SENT));
		post(form);
	} catch {
		lost();
	}
}

if (main.dataset.sealed) {
	const { sealed, user } = main.dataset;
	if (storage(tab => (tab.setItem(name, JSON.stringify({ sealed, user })), true))) location.replace(find("on").href);
	else lost();
	return;
}
addEventListener("pageshow", event => event.persisted && location.reload());
const kept = storage(tab => tab.getItem(name));
if (!kept) return lost();
if (kept === SENT) return end(main.dataset.sent);
// A user who was signed in posted it. Without one, somebody else may have signed in since, and decides.
if (JSON.parse(kept).user) return void send(kept);
find("text").textContent = main.dataset.as;
find("send").hidden = false;
find("send").focus();
find("send").addEventListener("click", () => send(kept));
})();
