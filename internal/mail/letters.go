package mail

import (
	_ "embed"
	"fmt"
	html "html/template"
	"strings"
	text "text/template"
	"time"
)

// Letter is what a mail is made of. Times are shown in UTC.
type Letter struct {
	// Service is who writes, and Home its address.
	Service, Home string

	Username string
	At       time.Time
	Device   string // may be empty
	Network  string // may be empty; never a whole address
	Address  string // the new one, where one was changed

	// Times is how often it happened since the last mail about it. At, Device and Network
	// are those of the last time.
	Times int

	// Until is when a wait is over, or from when something is possible no more.
	Until time.Time

	// ConfirmURL, ResetURL, RecoverURL and FreezeURL are the links for those mails that have one.
	ConfirmURL, ResetURL, RecoverURL, FreezeURL string

	// ResetPage is where a link for a new password is asked for. It carries none.
	ResetPage string
}

// Text is a mail as it is read.
type Text struct{ Subject, Text, HTML string }

// Letters holds the words of every kind, ready to be filled in. It is safe for
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

// New parses everything, so that what is wrong with a template is seen at the start.
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

// named gives each text of w a name to be executed by.
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

// page is what the layouts show: words, no templates any more.
type page struct {
	Subject, Before, Link, Or, URL, Service string

	Lines, After []string
	Facts        []fact
}

type fact struct{ Name, Value string }

// Render writes the mail of that kind. One that has no words is an error.
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

// oneLine is for the subject, which is a header.
func oneLine(words string) string { return strings.Join(strings.Fields(words), " ") }
