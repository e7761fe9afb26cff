// /docs: search, and opening what the address names. The page has the calls and the problems itself.

const byId = id => document.getElementById(id);
const field = byId("find"), found = byId("found");
const entries = [...document.querySelectorAll(".operation, .problem")].map(node => {
	const id = node.id || node.querySelector("[id]").id;
	return { node, link: document.querySelector(`#toc a[href="#${id}"]`)?.parentNode, text: node.textContent.toLowerCase() };
});
const sections = document.querySelectorAll("section");

/** Shows what contains all words. A name in a heading counts as much as a word below it. */
function filter() {
	const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
	const count = { operation: 0, problem: 0 };
	for (const { node, link, text } of entries) {
		const fits = words.every(word => text.includes(word));
		node.hidden = !fits;
		if (link) link.hidden = !fits;
		if (fits) count[node.classList.contains("problem") ? "problem" : "operation"]++;
	}
	for (const section of sections) section.hidden = !section.querySelector(".operation:not([hidden]), .problem:not([hidden])");
	found.textContent = words.length ? found.dataset.words.replace("{calls}", count.operation).replace("{codes}", count.problem) : "";
}

/** Opens the call of the address. Browsers that do so themselves have done it by now. */
function reveal() {
	const target = byId(decodeURIComponent(location.hash.slice(1)));
	const call = target?.closest("details");
	if (!target?.closest("section")) return;
	if (target.closest("[hidden]")) {
		field.value = "";
		filter();
	}
	if (call) call.open = true;
	target.scrollIntoView();
}

let soon;
field.addEventListener("input", () => {
	clearTimeout(soon);
	soon = setTimeout(filter, 150);
});
addEventListener("keydown", event => {
	if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !byId("slash").checked) return;
	if (event.target.matches("input:not([type=checkbox])")) return;
	event.preventDefault();
	field.focus();
	field.select();
});
addEventListener("hashchange", reveal);

byId("here").textContent = new URL(".", location).href.slice(0, -1);
// The browser may have kept what was typed before a reload.
if (field.value) filter();
if (location.hash) reveal();
