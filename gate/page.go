package gate

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"

	"github.com/stepkey/stepkey/internal/messages"
	"github.com/stepkey/stepkey/internal/pages"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

// pageScript keeps a form in its tab and posts it. It does nothing on other pages.
//
//go:embed page.js
var pageScript string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pagePolicy lets a page with this style load nothing: its style and script are in it, known by their digests.
// It has no form-action, which Chromium applies to the redirects that follow a post as well: a sign-out leads to
// the service, and a form to wherever the application wants.
func pagePolicy(style string) string {
	return "default-src 'none'; style-src " + digestOf(style) + "; script-src " + digestOf(pageScript) +
		"; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
}

func digestOf(text string) string {
	digest := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'"
}

// page is the page of the gate on the origin of an application: a heading, a sentence and at most
// one thing to do. It is whole in itself, because the application owns all other paths.
type page struct {
	name          string
	languages     *messages.Set
	style, policy string
}

func newPage(name, colours string, languages *messages.Set) (*page, error) {
	style := pageStyle + colours
	p := &page{name: cmp.Or(name, "Stepkey"), languages: languages, style: style, policy: pagePolicy(style)}
	if languages != nil {
		return p, nil
	}
	var err error
	p.languages, err = messages.LoadService(nil)
	return p, err
}

// content is what a page says, by the name of its messages, and what people can do there.
type content struct {
	name   string
	Link   string // leads on
	Post   string // what a button posts to
	Whole  bool   // the link opens in the whole tab, out of a frame
	Reload bool   // has Turbo load the page itself
	Kept   *kept  // a form for the tab to keep
	Posts  bool   // the page posts the form of its tab
}

func pageOf(name string) content { return content{name: name} }

// says reports whether the page has a message of this name.
func (c content) says(key string) bool {
	switch key {
	case "act":
		return c.Link != "" || c.Post != ""
	case "lost":
		return c.Kept != nil || c.Posts
	case "send", "as", "sent":
		return c.Posts
	}
	return true
}

// view is what the template sees.
type view struct {
	content
	Lang, Direction          string
	Name, Heading, Text, Act string
	Lost, Send, As, Sent     string // of a form
	Style                    template.CSS
	Script                   template.JS
}

func (p *page) write(w http.ResponseWriter, r *http.Request, status int, c content) {
	chosen := ""
	if cookie, err := r.Cookie(pages.LanguageCookie); err == nil {
		chosen = cookie.Value
	}
	words := p.languages.Match(chosen, strings.Join(r.Header.Values("Accept-Language"), ","))
	v := view{content: c, Lang: words.Lang(), Direction: words.Direction(), Name: p.name, Style: template.CSS(p.style), Script: template.JS(pageScript)}
	for key, text := range map[string]*string{"heading": &v.Heading, "text": &v.Text, "act": &v.Act, "lost": &v.Lost, "send": &v.Send, "as": &v.As, "sent": &v.Sent} {
		if c.says(key) {
			// A test holds that each page has its messages.
			*text, _ = words.Text("gate."+c.name+"."+key, "service", p.name)
		}
	}
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, v); err != nil {
		http.Error(w, http.StatusText(status), status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A failed write means that the client is gone.
	_, _ = w.Write(body.Bytes())
}
