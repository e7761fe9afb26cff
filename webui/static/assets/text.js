// Words in the language of the page. The server makes the modules below messages/ from its language files.

const { lang } = document.documentElement;
const family = tag => tag.split("-")[0];

/** The visitor's own variant of that language, such as "en-GB", in which numbers and dates are written. */
export const locale = navigator.languages.find(tag => family(tag) === family(lang)) ?? lang;

/** The messages of one group. */
export const messages = async group => (await import(`./messages/${lang}/${group}.js`)).default;

const number = new Intl.NumberFormat(locale);
const written = value => typeof value === "number" ? number.format(value) : value;

/**
 * A message with values for its arguments, as a list of strings and of those values that are nodes. One with plurals depends on
 * `count`; where it comes from another language, it says which one.
 */
export function parts(message, values = {}) {
	const forms = typeof message === "string" ? { other: message } : message;
	const form = "count" in values ? new Intl.PluralRules(forms.lang ?? lang).select(values.count) : "other";
	return (forms[form] ?? forms.other).split(/\{(\w+)\}/).map((part, i) => i % 2 ? written(values[part]) : part);
}

/** The same as a string. */
export const t = (message, values) => parts(message, values).join("");

/** The words of a notice or dialog with values for their arguments. */
export const filled = (words, values) => Object.fromEntries(Object.entries(words).map(([name, message]) => [name, t(message, values)]));

// A choice of language keeps the rest of the address: the token of a link stands there.
for (const link of document.querySelectorAll(".languages a")) {
	link.addEventListener("click", () => {
		const address = new URL(location);
		address.searchParams.set("ui_locales", link.lang);
		link.href = address;
	});
}
