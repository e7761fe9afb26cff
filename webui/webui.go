// Package webui is Stepkey's web page: the demo at /, the account at /account, the readable API reference at
// /docs, the pages for links in mails, with their style sheets, scripts and icons, and the client for other
// pages, /stepkey.js; all embedded in the binary.
//
// The pages are plain HTML, CSS and ES modules, served unchanged, and nothing is loaded from other hosts.
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
//	words/       the English of all scripts: common.js for more than one page, the rest for a page each
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
//	link.js      the pages behind links in mails: /confirm-email, /reset-password, /not-me, /invitation
//	recover.js   /recover and /recover-by-link, for users who have lost all passkeys
//	docs.js      /docs, rendered from /openapi.json
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
	"cmp"
	"embed"
	"io"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"

	"github.com/stepkey/stepkey/internal/content"
	"github.com/stepkey/stepkey/internal/pages"
)

//go:embed static
var static embed.FS

// notFound is the page at every other path. Its links are relative to the root of the pages.
//
//go:embed notfound.html
var notFound string

// policy is the Content-Security-Policy of every file. It allows only what the pages use: in particular no
// inline script or style, so that markup injected through a mistake does nothing, and no Trusted Types
// policy, so that strings cannot become markup at all. Framing is refused because a framed step-up invites
// clickjacking.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"font-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// Options leave out of the pages what a service does not offer.
type Options struct {
	// SignUp is who may sign up: what stepkey.Config.SignUp says, and "closed" with
	// httpapi.Options.NoSignUp. The pages offer it only where it is "open" or empty.
	SignUp string
}

// Handler serves all the pages, as [New] does without options.
func Handler() http.Handler { return New(Options{}) }

// New serves the pages at /, /docs, /confirm-email, /reset-password, /not-me, /recover, /recover-by-link, /invitation and
// /account, the files below /assets/, /favicon.ico, and the client with its types at /stepkey.js and /stepkey.d.ts. It
// answers GET and HEAD, other methods with 405 and other paths with a page and 404. Files are revalidated on each use by a strong
// entity tag, so a new version of the binary is seen at once and an unchanged file costs a 304. The handler is safe for
// concurrent use.
func New(options Options) http.Handler {
	files := load(options)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		if !ok {
			writeNotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		f.ServeHTTP(w, r)
	})
}

// writeNotFound answers with the page for paths where nothing is. It is shown at any depth, so its links climb first.
func writeNotFound(w http.ResponseWriter, r *http.Request) {
	up := strings.Repeat("../", max(strings.Count(r.URL.Path, "/")-1, 0))
	page := strings.NewReplacer(`href="./"`, `href="./`+up+`"`, `href="#`, `href="#`, `href="`, `href="`+up).Replace(notFound)
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", contentType(".html"))
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, page) // a browser that is gone needs no page
}

// load reads the embedded files, by the URL path at which they are served. It panics if the embedded tree is
// broken, which the tests of this package rule out.
func load(options Options) map[string]content.Content {
	files := map[string]content.Content{}
	err := fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		if path.Ext(name) == ".html" {
			body = options.cut(body)
		}
		files[strings.TrimPrefix(name, "static")], err = content.New(contentType(name), body)
		return err
	})
	if err != nil {
		panic(err)
	}
	for _, page := range []string{
		pages.Docs, pages.Account, pages.ConfirmEmail, pages.ResetPassword, pages.NotMe, pages.Recover, pages.Invitation,
	} {
		files[page] = files[page+".html"]
		delete(files, page+".html")
	}
	files[pages.Demo] = files["/index.html"]
	delete(files, "/index.html")
	files[pages.RecoverByLink] = files[pages.Recover]
	if options.SignUp == "closed" {
		delete(files, pages.Invitation)
	}
	files["/favicon.ico"] = files["/assets/favicon.svg"]
	return files
}

// section is a part of a page that is served only where sign-up is as it says.
var section = regexp.MustCompile(`(?s)<!--if (\w+)-->(.*?)<!--end-->`)

// cut returns a page without the sections for other services.
func (o Options) cut(page []byte) []byte {
	return section.ReplaceAllFunc(page, func(found []byte) []byte {
		parts := section.FindSubmatch(found)
		if string(parts[1]) != cmp.Or(o.SignUp, "open") {
			return nil
		}
		return parts[2]
	})
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
	case ".ts":
		return "text/plain; charset=utf-8"
	}
	panic("webui: no content type for " + name)
}
