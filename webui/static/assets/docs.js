// /docs: the OpenAPI document, readable. The problems below the calls are in docs.html, so that links to them always work.

import { byId, el, settled } from "./dom.js";
import { notice } from "./notice.js";
import { words } from "./words/docs.js";

const methods = ["get", "post", "put", "patch", "delete"];

async function load() {
	try {
		const response = await fetch("openapi.json");
		if (!response.ok) throw new Error(String(response.status));
		draw(await response.json());
	} catch {
		byId("operations").replaceChildren(notice(words.failed));
	} finally {
		byId("operations").removeAttribute("aria-busy");
		settled();
	}
	// The target of the address was not there when the browser looked for it.
	if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

/** Lists the operations by their tag, in the order of the document, here and in the table of contents. */
function draw(api) {
	const groups = new Map();
	for (const operation of operations(api)) {
		const tag = operation.tags?.[0] ?? "";
		groups.set(tag, [...groups.get(tag) ?? [], operation]);
	}
	for (const [tag, list] of groups) {
		const group = `group-${slug(tag)}`, title = el("h2", { id: group }, tag);
		const about = api.tags?.find(({ name }) => name === tag)?.description;
		byId("operations").append(el("section", { "aria-labelledby": group }, ...(tag ? [title] : []), ...prose(about),
			...list.map(operation => article(operation, api))));
		const links = list.map(({ id, method, path }) => el("li", {}, el("a", { href: `#${id}` }, `${method.toUpperCase()} `, ...breakable(path))));
		byId("toc-problems").before(...(tag ? [el("li", { class: "group" }, tag)] : []), ...links);
	}
}

function operations(api) {
	return Object.entries(api.paths ?? {}).flatMap(([path, item]) =>
		methods.filter(method => item[method]).map(method => ({
			...item[method], method, path,
			id: item[method].operationId ?? slug(`${method}${path}`),
			parameters: [...item.parameters ?? [], ...item[method].parameters ?? []],
		})));
}

function article(operation, api) {
	const { id, method, path, summary, description, parameters, requestBody, responses = {} } = operation;
	const title = el("h3", {}, el("span", { class: `who method ${method}` }, method.toUpperCase()), el("code", {}, path));
	const box = el("article", { class: "card operation", id, "aria-label": `${method.toUpperCase()} ${path}` }, title);
	if (summary) box.append(el("p", {}, ...inline(summary)));
	box.append(...prose(description).map(p => { p.className = "fine"; return p; }));
	box.append(el("p", { class: "fine" }, `${words.needs}: `, ...inline(needs(operation, api))));
	const asked = parameters.map(parameter => resolve(parameter, api));
	if (asked.length) {
		const list = asked.map(({ name, schema, required, description }) => [name, { description, ...resolve(schema, api) }, required]);
		box.append(el("h4", {}, words.parameters), fields(list, api, 0));
	}
	const body = schemaOf(resolve(requestBody, api), api);
	if (body) box.append(el("h4", {}, words.asks), members(body, api, 0));
	const answers = Object.entries(responses).map(([status, response]) => answer(status, resolve(response, api), api));
	if (answers.length) box.append(el("h4", {}, words.answers), el("ul", { class: "answers", role: "list" }, ...answers));
	return box;
}

function needs({ security }, api) {
	const wanted = security ?? api.security ?? [];
	if (!wanted.length || wanted.some(entry => !Object.keys(entry).length)) return words.anyone;
	return wanted.map(entry => Object.entries(entry).map(([name, scopes]) => {
		const scheme = api.components?.securitySchemes?.[name];
		return [scheme?.description ?? name, ...scopes].join(" ");
	}).join(", ")).join("; ");
}

/** One status: for a success its meaning and members, for a refusal its problems, which are explained in their list. */
function answer(status, response, api) {
	const codes = problems(response, api).map(code => el("a", { href: `#${code}` }, el("code", {}, code)));
	if (codes.length) return el("li", {}, el("code", {}, status), el("div", {}, ...codes.flatMap((link, i) => i ? [", ", link] : [link])));
	const schema = schemaOf(response, api);
	return el("li", {}, el("code", {}, status), el("div", {}, ...prose(response.description), ...(schema ? [members(schema, api, 0)] : [])));
}

/** The codes of a response's examples. Only what this page explains is linked. */
function problems(response, api) {
	const codes = Object.values(response.content ?? {}).flatMap(({ example, examples = {} }) =>
		[example, ...Object.values(examples).map(one => resolve(one, api).value)].map(one => one?.code));
	return [...new Set(codes)].filter(code => code && document.getElementById(code)?.classList.contains("problem"));
}

function schemaOf(carrier, api) {
	return resolve(Object.values(carrier?.content ?? {})[0]?.schema, api);
}

/** The members of an object, or the sort of anything else. Deep nesting and recursion end at the fourth level. */
function members(schema, api, depth) {
	const flat = flatten(schema, api);
	if (!flat.properties || depth > 3) return el("p", { class: "fine" }, ...inline([sort(flat, api), flat.description].filter(Boolean).join(". ")));
	const required = new Set(flat.required ?? []);
	return fields(Object.entries(flat.properties).map(([name, inner]) => [name, inner, required.has(name)]), api, depth);
}

function fields(list, api, depth) {
	return el("dl", { class: depth ? "fields nested" : "fields" }, ...list.flatMap(([name, inner, required]) => {
		const schema = flatten(inner, api), item = schema.items ? flatten(schema.items, api) : schema;
		const facts = [sort(schema, api), required ? "" : words.optional].filter(Boolean).join(", ");
		const nested = item.properties && depth < 3 ? [members(item, api, depth + 1)] : [];
		return [el("dt", {}, el("code", {}, name), el("span", { class: "fine" }, facts)),
			el("dd", {}, el("span", {}, ...inline(schema.description ?? "")), ...nested)];
	}));
}

/** A schema with its reference and its allOf parts folded in. */
function flatten(schema, api) {
	const own = resolve(schema, api) ?? {};
	return (own.allOf ?? []).map(part => flatten(part, api)).reduce((sum, part) => ({
		...sum, ...part, ...own,
		properties: { ...part.properties, ...sum.properties },
		required: [...sum.required ?? [], ...part.required ?? []],
	}), own);
}

function sort(schema, api) {
	if (schema.const !== undefined) return JSON.stringify(schema.const);
	if (schema.enum) return schema.enum.map(value => JSON.stringify(value)).join(" | ");
	const type = [schema.type ?? (schema.properties ? "object" : "")].flat().join(" | ");
	if (schema.items) return `array of ${sort(flatten(schema.items, api), api) || "any"}`;
	return schema.format ? `${type} (${schema.format})` : type;
}

/** Follows a local $ref; members beside it win, as OpenAPI 3.1 allows. */
function resolve(value, api) {
	if (!value?.$ref) return value;
	const target = value.$ref.split("/").slice(1).reduce((at, key) => at?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], api);
	const { $ref, ...own } = value;
	return { ...resolve(target, api), ...own };
}

/** Paragraphs, with `code` between backquotes and **strong** words: the little Markdown that descriptions use. */
function prose(text) {
	return (text ?? "").split(/\n{2,}/).filter(Boolean).map(part => el("p", {}, ...inline(part)));
}

function inline(text) {
	return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map(part => {
		if (part.startsWith("`") && part.length > 2) return el("code", {}, part.slice(1, -1));
		return part.startsWith("**") && part.length > 4 ? el("strong", {}, part.slice(2, -2)) : part;
	});
}

/** A path that may go on in the next line after a slash. */
const breakable = path => path.split(/(?<=\/)/).flatMap((part, i) => i > 1 ? [el("wbr"), part] : [part]);

const slug = text => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");

await load();
