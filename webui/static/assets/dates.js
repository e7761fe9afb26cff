// Moments, as the visitor's language and country write them.

import { locale } from "./text.js";

const midnight = days => new Date().setHours(0, 0, 0, 0) + days * 86400000;
const format = (date, options) => new Intl.DateTimeFormat(locale, options).format(date);
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });

/** How a day is called that is near, as in "tomorrow"; empty for others. */
function near(date) {
	if (date >= midnight(2) || date < midnight(-1)) return "";
	return relative.format(date >= midnight(1) ? 1 : date >= midnight(0) ? 0 : -1, "day");
}

/** A moment, as in "tomorrow, 11:17" and "3 Sep 2026, 11:17". */
export function moment(text) {
	const date = new Date(text), day = near(date);
	return day ? `${day}, ${format(date, { timeStyle: "short" })}` : format(date, { dateStyle: "medium", timeStyle: "short" });
}

/** A day of the past, with the time of day where it is near. */
export function past(date) {
	return near(date) ? moment(date) : format(date, { dateStyle: "medium" });
}

/** All of a moment. */
export const whole = date => format(date, { dateStyle: "full", timeStyle: "medium" });

/** A day. */
export const day = text => format(new Date(text), { dateStyle: "medium" });

/** The time of day, from seconds since 1970. */
export const clock = (seconds, exact) => format(seconds * 1000, { timeStyle: exact ? "medium" : "short" });
