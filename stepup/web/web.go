// Package web is what a browser gets from package stepup: the page that asks for a passkey, the list of passkeys that an app
// puts into a page of its own, and the script and style sheet that both use. It decides nothing: the data says which state is
// shown and which texts fill it.
//
// Every word is in words.json, and in German in words.de.json: those of the templates under "page", those of the script under
// "script". The script is built from client/ by tools/webscripts (`make generate`), once for each language, with what it
// shares with /stepkey.js, and a test compares the two.
// Neither page holds inline script or style, and the script builds what it shows with DOM methods alone, so that the strictest
// Content-Security-Policy and Trusted Types allow them.
package web

import (
	"crypto/sha256"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/stepkey/stepkey/internal/content"
)

//go:embed verify.html manage.html words.json words.de.json stepup.js stepup.de.js stepup.css
var files embed.FS

// State is what the page for a purpose shows.
type State string

// The states.
const (
	StateVerify         State = "verify"         // has a passkey that works: asks for it
	StateEnrol          State = "enrol"          // has none and may add one now
	StateOffer          State = "offer"          // has none, may add one or go on without
	StateWaits          State = "waits"          // all passkeys wait until VerifyPage.UsableFrom
	StateReauthenticate State = "reauthenticate" // must sign in again first: VerifyPage.Links
	StateCrossSite      State = "cross_site"     // the form came from another site and was not kept
	StateAgain          State = "again"          // was refused again right after a verification
	StateNothing        State = "nothing"        // lacks factors of the app alone: VerifyPage.Links
)

// VerifyPage is the page for a purpose. All texts are plain text.
type VerifyPage struct {
	State   State
	Service string // the name of the app, as people know it
	Title   string // of the purpose, the heading
	Reason  string // why now, such as what Pages.Expired returns; may be empty

	// Account and Device name who verifies and where, so that nobody verifies for an account that somebody else has
	// signed in to. Device may be empty.
	Account, Device string

	// Purpose and Next are the parameters of the request. For a page that answers a POST, Next is the page that the form
	// was on: the script goes there when the browser's button leads back to a form that has been sent. The script checks
	// Next again.
	Purpose, Next string

	// Form is the sealed form that the page keeps, Action the sealed action; they may be empty.
	Form, Action string

	// Auto lets the script go on by itself after the verification. It must be false unless the request for the page came
	// from a page of the same origin: others could have sent the person here.
	Auto bool

	Fields        []Field   // what an action will do
	UsableFrom    time.Time // with StateWaits
	Links         []Link    // with StateReauthenticate and StateNothing
	RecoveryCodes bool      // there are some: offers to use one
	Back          string    // a path of the app; empty shows no link
	Nonce         string    // of the app's policy; may be empty
}

// Field is a field of an action with its label.
type Field struct{ Label, Value string }

// Link leads to a page of the app.
type Link struct{ Label, URL string }

// Adds reports whether the page begins with adding a passkey.
func (p VerifyPage) Adds() bool { return p.State == StateEnrol || p.State == StateOffer }

// MayAdd reports whether the page may get to adding a passkey, at once or after a recovery code.
func (p VerifyPage) MayAdd() bool { return p.Adds() || p.RecoveryCodes }

// MayVerify reports whether the page may get to a verification.
func (p VerifyPage) MayVerify() bool { return !p.Stops() }

// Offers reports whether the page lets people go on without a passkey.
func (p VerifyPage) Offers() bool { return p.State == StateOffer }

// Again reports whether the page explains why it is shown once more.
func (p VerifyPage) Again() bool { return p.State == StateAgain }

// Stops reports whether a passkey cannot help now.
func (p VerifyPage) Stops() bool {
	switch p.State {
	case StateWaits, StateReauthenticate, StateCrossSite, StateNothing:
		return true
	}
	return false
}

// LeadOf returns the key of the sentence for a step, "add" or "verify", or for a state without steps.
func (p VerifyPage) LeadOf(step string) string {
	switch {
	case step == "add" && p.State == StateOffer:
		return "offerLead"
	case step == "add":
		return "enrolLead"
	case step == "verify" && p.Adds():
		return "thenVerify"
	case p.State == StateAgain:
		return "againLead"
	case step == "verify":
		return "verifyLead"
	case p.State == StateCrossSite:
		return "crossSiteLead"
	}
	return string(p.State) + "Lead"
}

// ManagePage is the list of passkeys, as a fragment of a page of the app.
type ManagePage struct {
	Service   string // the name of the app; names the file of recovery codes
	Account   string
	Passkeys  []Passkey
	CodesLeft int // recovery codes that were not used
	Nonce     string
}

// Passkey is a row of the list.
type Passkey struct {
	ID, Name   string
	Provider   string // may be empty
	CreatedAt  time.Time
	LastUsedAt time.Time // zero if never
	UsableFrom time.Time // zero unless it waits
	Synced     bool
}

// WasUsedOrWaits reports whether the row has more to say than that the passkey was never used.
func (p Passkey) WasUsedOrWaits() bool { return !p.LastUsedAt.IsZero() || !p.UsableFrom.IsZero() }

// Asset is the script or the style sheet.
type Asset struct {
	content.Content
	URL       string // with the version, so that it may be cached for good
	Version   string // the value of the parameter v
	Integrity string // for the attribute of that name
}

// Pages draws the pages. The script finds the handlers beside itself, so it has to be served from the folder that they are
// in. Pages is safe for concurrent use.
type Pages struct {
	templates     *template.Template
	language      string
	words         map[string]string
	script, style Asset
}

// The languages, as BCP 47 tags.
const (
	English = "en"
	German  = "de"
)

// Speaks reports whether there are words in the language.
func Speaks(language string) bool { return language == English || language == German }

// New returns the pages of an app in whose browsers the package is mounted at path, such as "/_stepkey/". The language is one
// that [Speaks] accepts; New panics for any other, and when the embedded files are broken, which the tests of this package
// rule out.
func New(path, language string) *Pages {
	infix := ""
	if language != English {
		infix = "." + language
	}
	var words struct {
		Page map[string]string `json:"page"`
	}
	if err := json.Unmarshal(read("words"+infix+".json"), &words); err != nil {
		panic(err)
	}
	p := &Pages{language: language, words: words.Page}
	p.templates = template.Must(template.New("").Option("missingkey=error").Funcs(template.FuncMap{
		"day":    func(t time.Time) string { return t.Format(p.words["day"]) },
		"moment": func(t time.Time) string { return t.Format(p.words["moment"]) },
	}).ParseFS(files, "*.html"))
	p.script = newAsset(path, "stepup.js", read("stepup"+infix+".js"), "text/javascript; charset=utf-8")
	p.style = newAsset(path, "stepup.css", read("stepup.css"), "text/css; charset=utf-8")
	return p
}

// Language is the language of the pages, as a BCP 47 tag.
func (p *Pages) Language() string { return p.language }

func read(name string) []byte {
	body, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return body
}

func newAsset(path, name string, body []byte, contentType string) Asset {
	short, long := sha256.Sum256(body), sha512.Sum384(body)
	version := base64.RawURLEncoding.EncodeToString(short[:12])
	return Asset{
		Content: content.New(contentType, body), Version: version, URL: path + name + "?v=" + version,
		Integrity: "sha384-" + base64.StdEncoding.EncodeToString(long[:]),
	}
}

// Script returns stepup.js.
func (p *Pages) Script() Asset { return p.script }

// Style returns stepup.css.
func (p *Pages) Style() Asset { return p.style }

// Policy returns the Content-Security-Policy of the page that Verify writes. It has no form-action, which Chromium applies to
// the redirect that answers the form posted again, wherever that leads. The app decides what its own page allows
// (VerifyBody).
func (p *Pages) Policy() string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
		"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
}

// Expired says that a verification is older than a purpose allows.
func (p *Pages) Expired(allowed time.Duration) string {
	return fmt.Sprintf(p.words["expired"], p.span(allowed))
}

func (p *Pages) span(d time.Duration) string {
	n, unit := int(d/time.Minute), "minute"
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		n, unit = int(d/time.Hour), "hour"
	case d < time.Minute:
		n, unit = int(d/time.Second), "second"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf(p.words[unit], n)
}

// Verify writes the whole page.
func (p *Pages) Verify(w io.Writer, page VerifyPage) error {
	return p.templates.ExecuteTemplate(w, "document", view[VerifyPage]{p, page.inUTC(), page.Nonce})
}

// VerifyBody returns the page's main element with the links to script and style, for a page that the app draws around it.
func (p *Pages) VerifyBody(page VerifyPage) (template.HTML, error) {
	return p.fragment("verify", view[VerifyPage]{p, page.inUTC(), page.Nonce})
}

// Manage returns the list of passkeys with the links to script and style.
func (p *Pages) Manage(page ManagePage) (template.HTML, error) {
	return p.fragment("manage", view[ManagePage]{p, page, page.Nonce})
}

func (p *Pages) fragment(name string, data any) (template.HTML, error) {
	var text strings.Builder
	err := p.templates.ExecuteTemplate(&text, name, data)
	return template.HTML(text.String()), err // by html/template
}

func (p VerifyPage) inUTC() VerifyPage {
	if !p.UsableFrom.IsZero() {
		p.UsableFrom = p.UsableFrom.UTC()
	}
	return p
}

// view is what a template sees.
type view[P any] struct {
	*Pages
	Page  P
	Nonce string
}

// Word returns a text of words.json.
func (v view[P]) Word(key string) (string, error) {
	text, ok := v.words[key]
	if !ok {
		return "", fmt.Errorf("web: words.json has no %q", key)
	}
	return text, nil
}

// CodesLeft says how many recovery codes there are.
func (v view[P]) CodesLeft(n int) string { return fmt.Sprintf(v.words["codesLeft"], n) }

// Row is the data of a row.
func (v view[P]) Row(k Passkey) view[Passkey] { return view[Passkey]{v.Pages, k, ""} }

// BlankRow is the row from which the script makes others.
func (v view[P]) BlankRow() view[Passkey] { return v.Row(Passkey{}) }

// CurrentVersion returns Version.
func (a Asset) CurrentVersion() string { return a.Version }
