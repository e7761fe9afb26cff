// Helpers for building the page. Nothing here parses HTML: the page's policy forbids it.

export const byId = id => document.getElementById(id);

export function el(name, attributes, ...children) {
	const node = document.createElement(name);
	for (const key in attributes) node.setAttribute(key, attributes[key]);
	node.append(...children);
	return node;
}

/** A symbol from the end of the page. Icons are decoration: words stand beside each. */
export function icon(name) {
	const [svg, use] = ["svg", "use"].map(tag => document.createElementNS("http://www.w3.org/2000/svg", tag));
	svg.setAttribute("class", "icon");
	svg.setAttribute("aria-hidden", "true");
	use.setAttribute("href", `#i-${name}`);
	svg.append(use);
	return svg;
}

/** `look` names classes beside btn. */
export function press(text, look, act) {
	const button = el("button", { type: "button", class: `btn ${look}` }, text);
	button.addEventListener("click", act);
	return button;
}

let saying;

/** Says a line to screen readers, a moment after the change, which would swallow it. */
export function announce(text) {
	clearTimeout(saying);
	byId("status").textContent = "";
	saying = setTimeout(() => { byId("status").textContent = text; }, 100);
}

/** Has the buttons beside password fields show what was typed, and hide it again. */
export function showable(root = document) {
	for (const button of root.querySelectorAll(".secret button")) {
		button.addEventListener("click", () => {
			const input = button.previousElementSibling, hidden = input.type === "password";
			input.type = hidden ? "text" : "password";
			button.ariaPressed = hidden;
		});
	}
}

/** Shows what was kept back until it is known how the page begins, so that nothing jumps. */
export function settled() {
	for (const node of document.querySelectorAll(".unsettled")) node.classList.remove("unsettled");
}

/** Copies, and says on the button with one of two words whether that worked: a browser may forbid it. */
export async function copy(text, button, { copied, uncopied }) {
	const words = [...button.childNodes];
	let said = copied;
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		said = uncopied;
	}
	button.replaceChildren(said);
	announce(said);
	setTimeout(() => button.replaceChildren(...words), said === copied ? 2000 : 6000);
}
