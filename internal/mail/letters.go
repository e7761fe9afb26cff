package mail

import (
	_ "embed"
	"fmt"
	html "html/template"
	"strings"
	text "text/template"
	"time"
)

// Letter has the facts for a mail. Times are shown in UTC.
type Letter struct {
	// Service is the name of the sending service, and Home its URL.
	Service, Home string

	Username string
	At       time.Time
	Device   string // may be empty
	Network  string // may be empty; never a whole address
	Address  string // the new address, if it was changed

	// Times is how often the event happened since the last mail about it. At, Device and
	// Network are those of the last one.
	Times int

	// Until is when a wait ends, or when something stops being possible.
	Until time.Time

	// The links, for those mails that have one.
	ConfirmURL, ResetURL, RecoverURL, FreezeURL, InvitationURL string

	// ResetPage is the page for requesting a link for a new password. It contains
	// no token.
	ResetPage string
}

// Text is a finished mail.
type Text struct{ Subject, Text, HTML string }

// Letters has the parsed templates of every kind of mail. It is safe for
// concurrent use. Make one with [New].
type Letters struct {
	kinds map[Kind]prepared
	text  *text.Template
	html  *html.Template
}

type prepared struct {
	wording
	words *text.Template // subject, line0…, before, link, after0…
}

//go:embed letter.txt.tmpl
var textLayout string

//go:embed letter.html.tmpl
var htmlLayout string

// New parses all templates, so that a broken one is detected at the start.
func New() (*Letters, error) {
	l := &Letters{kinds: map[Kind]prepared{}}
	var err error
	if l.text, err = text.New("text").Parse(textLayout); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	if l.html, err = html.New("html").Parse(htmlLayout); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	for kind, w := range words() {
		p := prepared{w, text.New(string(kind))}
		for name, words := range w.named() {
			if _, err := p.words.New(name).Parse(words); err != nil {
				return nil, fmt.Errorf("mail: %s: %w", kind, err)
			}
		}
		l.kinds[kind] = p
	}
	return l, nil
}

// named returns the texts of w by the names of their templates.
func (w wording) named() map[string]string {
	names := map[string]string{"subject": w.subject, "before": w.before, "link": w.link}
	for i, line := range w.lines {
		names[fmt.Sprint("line", i)] = line
	}
	for i, line := range w.after {
		names[fmt.Sprint("after", i)] = line
	}
	return names
}

// page is the data of the layouts: finished texts.
type page struct {
	Subject, Before, Link, Or, URL, Service string

	Lines, After []string
	Facts        []fact
}

type fact struct{ Name, Value string }

// Render writes the mail of that kind. It returns an error for an unknown kind.
func (l *Letters) Render(kind Kind, letter Letter) (Text, error) {
	p, ok := l.kinds[kind]
	if !ok {
		return Text{}, fmt.Errorf("mail: there is no mail %q", kind)
	}
	filled, err := p.fill(letter)
	if err != nil {
		return Text{}, err
	}
	var plain, rich strings.Builder
	if err := l.text.Execute(&plain, filled); err != nil {
		return Text{}, fmt.Errorf("mail: %w", err)
	}
	if err := l.html.Execute(&rich, filled); err != nil {
		return Text{}, fmt.Errorf("mail: %w", err)
	}
	return Text{Subject: filled.Subject, Text: plain.String(), HTML: rich.String()}, nil
}

func (p prepared) fill(letter Letter) (page, error) {
	said := map[string]string{}
	for name := range p.named() {
		var words strings.Builder
		if err := p.words.ExecuteTemplate(&words, name, letter); err != nil {
			return page{}, fmt.Errorf("mail: %w", err)
		}
		said[name] = words.String()
	}
	filled := page{
		Subject: oneLine(letter.Service + ": " + said["subject"]),
		Before:  said["before"], Link: said["link"], Or: orOpen, URL: p.url(letter), Service: letter.Service,
	}
	for i := range p.lines {
		filled.Lines = append(filled.Lines, said[fmt.Sprint("line", i)])
	}
	for i := range p.after {
		filled.After = append(filled.After, said[fmt.Sprint("after", i)])
	}
	if p.facts {
		filled.Facts = letter.facts()
	}
	return filled, nil
}

func (l Letter) facts() []fact {
	var known []fact
	for _, f := range []fact{
		{factWhen, l.At.UTC().Format("2 January 2006, 15:04 UTC")}, {factDevice, l.Device}, {factNetwork, l.Network},
	} {
		if f.Value != "" {
			known = append(known, f)
		}
	}
	if l.Times > 1 {
		known = append(known, fact{factTimes, fmt.Sprintf(times, l.Times)})
	}
	return known
}

// oneLine joins words into one line, for the subject, which is a header.
func oneLine(words string) string { return strings.Join(strings.Fields(words), " ") }
