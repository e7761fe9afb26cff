// Moments, in the form that the visitor's browser prefers.

const midnight = days => new Date().setHours(0, 0, 0, 0) + days * 86400000;
const format = (date, options) => new Intl.DateTimeFormat(undefined, options).format(date);

/** How a day is called that is near; empty for others. */
function near(date) {
	if (date >= midnight(2) || date < midnight(-1)) return "";
	return date >= midnight(1) ? "tomorrow" : date >= midnight(0) ? "today" : "yesterday";
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
