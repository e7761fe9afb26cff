// Where a page may go on.

const longest = 2048;

// Returns next if it is a path of this site: one leading slash, no second one and no backslash after it, no control
// characters. Browsers take "//host" and "/\host" for another site, and drop tabs and line breaks before they look. Anything
// else is null.
export function localPath(next) {
	const plain = typeof next === "string" && next.length <= longest && /^\/(?![/\\])[^\u0000-\u001f\u007f]*$/.test(next);
	return plain && new URL(next, location.origin).origin === location.origin ? next : null;
}

// The path with the fragment of the page, which browsers keep through the redirect to it, or the root of the site.
export const withFragment = (next, hash) => (localPath(next) ?? "/").replace(/#.*/, "") + hash;
