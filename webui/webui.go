// Package webui is Stepkey's web page: the demo at /, the account at /account, the readable API reference at
// /docs, the pages for links in mails, with their style sheets, scripts and icons, and the client for other
// pages, /stepkey.js; all embedded in the binary.
//
// The pages are plain HTML, CSS and ES modules, and nothing is loaded from other hosts. Their words come from language
// files (internal/messages): pages are templates, executed once for each language, and scripts import their words.
// They use only the server's public HTTP API, so they have no privileges and can be left out. Scripts build
// the page only with DOM methods, because the policy sent with it forbids everything that parses strings as
// HTML or code. Icons are symbols inside the pages: an external sprite would be loaded again with each new
// icon, and would come too late on a slow connection.
//
// Everything that a page loads is below 40 kB, compressed as sent to browsers; a test checks
// that.
//
// Below /assets/ each page has its own folder or file, and shared files are beside them:
//
//	stepkey.css  the look of every page
//	messages/    the words of scripts, a folder for each language: made from the language files
//	words/       how they are said, with kinds and signs of notices: common.js for more than one page, the rest for a page each
//	text.js      words with values for their arguments, plurals, and the language in which dates and numbers are written
//	autofill.js  passkeys in the list of a username field
//	dom.js       making elements, announcing, copying
//	dates.js     moments, as the visitor's browser writes them
//	notice.js    what happened, and what can be done about it
//	wait.js      waiting for the device, with a way out
//	signout.js   signing out, also while the server is away
//	failures.js  how a StepkeyError looks: its notice, or the field it belongs to
//	demo/        /: page.js is the flow, steps.js the five steps as they look, offer.js who has refused a first passkey for
//	             now, stand.js "Where you stand", log.js "Behind the scenes": every call of /stepkey.js, taken apart and masked
//	account/     /account: page.js is the page and its sign-in, ui.js what its sections share, the rest a section or some each
//	card.js      what pages with one card share: notice, fields, forms
//	sign/        /sign-in, /sign-up, /invitation and /verify: target.js is where somebody goes afterwards, the rest the flows
//	link.js      the pages behind links in mails: /confirm-email, /reset-password, /not-me
//	recover.js   /recover and /recover-by-link, for users who have lost all passkeys
//	docs.js      /docs: search, and opening the call of a link. The page is rendered here, from the OpenAPI document that httpapi passes on
//
// A page that needs a signed-in user imports the client from "/stepkey.js" and calls refresh once, which
// continues the session of another page or tab, if there is one. It sets confirm, to explain why before the
// device asks for a passkey, and onsession, since another tab may sign out. Promises reject with a
// StepkeyError, from which explain in failures.js makes the words of a notice. The page has a p#status for
// announce in dom.js, and the symbols of the icons that it shows.
//
// The client is one module without dependencies, below 4 kB compressed; a test checks that too. Its source is
// client/stepkey.js, with client/ceremony.js, which runs ceremonies. Only the client is minified, since other
// pages load it too: `make generate` writes static/stepkey.js, and a test in tools/webscripts compares the
// two. Its contract is in its types, /stepkey.d.ts.
package webui

import (
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/stepkey/stepkey/internal/pages"
)

// policy is the Content-Security-Policy of pages. It allows only what the pages use: in particular no
// inline script or style, so that markup injected through a mistake does nothing, and no Trusted Types
// policy, so that strings cannot become markup at all. Framing is refused because a framed step-up invites
// clickjacking.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"font-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// filePolicy is that of everything else. Browsers apply it only to a file that is opened by itself, such as an image; pages
// load two dozen files, and the longer one would add a fifth to what /account weighs.
const filePolicy = "default-src 'none'; frame-ancestors 'none'"

// Options say what a service is called, which languages it speaks, and what it does not offer.
type Options struct {
	// Name is what the pages call the service: stepkey.Config.RPName. Empty means Stepkey.
	Name string
	// SignUp is who may sign up: what stepkey.Config.SignUp says, and "closed" with
	// httpapi.Options.NoSignUp. The pages offer it only where it is "open" or empty.
	SignUp string

	// SignUpEmail has the pages ask for an e-mail address at sign-up, and offer to send the link to confirm it again:
	// stepkey.Config.RequireConfirmedAddress.
	SignUpEmail bool

	// SignInByAddress has the pages say that a confirmed address signs in, too: stepkey.Config.SignInByAddress.
	SignInByAddress bool

	// NoPasskeyLogIn leaves out signing in with a passkey alone: stepkey.Config.NoPasskeyLogIn.
	NoPasskeyLogIn bool

	// NoDemo leaves out the demo; / leads to /account then.
	NoDemo bool

	// MinPasswordLength is stepkey.Config.MinPasswordLength, in characters, for hints at fields. Zero means 8.
	MinPasswordLength int
	// Languages has language files at its root, such as fr.json, which add languages and replace messages of those that are
	// built in, English and German. docs/pages.md describes the files. Nil adds none.
	Languages fs.FS
	// Language is the BCP 47 tag of the only language of the pages, such as "de". Empty or "auto" lets visitors have theirs.
	Language string
	// Brand is how the pages look. Nil means like Stepkey's own.
	Brand *Brand

	// ReturnOrigins are the origins of pages that return_to may lead to, each exactly as a browser
	// writes it: the service's own and those that it trusts not to pass for it.
	ReturnOrigins []string
}

// Handler serves all the pages, as [New] does without options.
func Handler() http.Handler {
	handler, err := New(Options{})
	if err != nil {
		panic(err) // nothing but the options can be wrong, which the tests of this package make sure
	}
	return handler
}

// New serves the pages at /demo, to which / leads, /sign-in, /sign-up, /verify, /docs, /confirm-email, /reset-password, /not-me, /recover, /recover-by-link, /invitation and
// /account, the files below /assets/, /favicon.ico, and the client with its types at /stepkey.js and /stepkey.d.ts. It
// answers GET and HEAD, other methods with 405 and other paths with a page and 404. Files are revalidated on each use by a strong
// entity tag, so a new version of the binary is seen at once and an unchanged file costs a 304. The handler is safe for
// concurrent use.
//
// A page is in the language that the query parameter ui_locales asks for (OpenID Connect Core 1.0 §3.1.2.1), which a cookie
// remembers, or in one of Accept-Language. /docs lists the calls if httpapi.Options.Pages is this handler itself, and otherwise leads to
// the OpenAPI document. The error says what is wrong with a language file.
func New(options Options) (http.Handler, error) {
	return newSite(options)
}

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == pages.Home {
		s.leadOn(w, r)
		return
	}
	f, ok := s.files[r.URL.Path]
	translated := !ok
	if translated {
		f, ok = s.pages[s.language(r).Lang()][r.URL.Path]
	}
	if !ok {
		s.writeNotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", filePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	if translated {
		h.Set("Content-Security-Policy", policy)
		s.vary(h)
		s.remember(w, r)
	}
	f.ServeHTTP(w, r)
}

// leadOn redirects from / to the demo, or to the account where there is none. The address is relative, so that it holds
// below any prefix.
func (s *site) leadOn(w http.ResponseWriter, r *http.Request) {
	page := pages.Demo
	if s.options.NoDemo {
		page = pages.Account
	}
	to := url.URL{Path: strings.TrimPrefix(page, "/"), RawQuery: r.URL.RawQuery}
	w.Header().Set("Location", to.String())
	w.WriteHeader(http.StatusFound)
}

// relative is where the page for paths where nothing is has the address of another page or file of this package: no
// fragment, no path from the root, and no URL.
var relative = regexp.MustCompile(`((?:href|src|srcset)=")((?:\./|[a-z][a-z-]*["/]))`)

// writeNotFound answers with the page for paths where nothing is. It is shown at any depth, so its links climb first.
func (s *site) writeNotFound(w http.ResponseWriter, r *http.Request) {
	up := strings.Repeat("../", max(strings.Count(r.URL.Path, "/")-1, 0))
	page := relative.ReplaceAllString(s.notFound[s.language(r).Lang()](), "${1}"+up+"${2}")
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", contentType(".html"))
	s.vary(h)
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, page) // a browser that is gone needs no page
}

// contentType does not use the system's MIME tables, because browsers do not run a script of the wrong type
// under nosniff. It panics for any other kind of file, which the first test that runs detects.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ts":
		return "text/plain; charset=utf-8"
	}
	panic("webui: no content type for " + name)
}
