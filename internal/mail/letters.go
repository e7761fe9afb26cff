package mail

import (
	_ "embed"
	"fmt"
	html "html/template"
	"strings"
	text "text/template"
	"time"

	"github.com/stepkey/stepkey/internal/messages"
)

// Letter has the facts for a mail. Times are shown in UTC.
type Letter struct {
	// Language is the tag of the reader's language. One that is not available, and an empty one, stand for the
	// default.
	Language string

	// Service is the name of the sending service, and Home its URL.
	Service, Home string

	Username string
	At       time.Time
	Device   string // as package useragent describes it; may be empty
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

// Letters writes every kind of mail in every language. It is safe for concurrent use. Make
// one with [New].
type Letters struct {
	languages *messages.Set
	kinds     map[Kind]wording
	text      *text.Template
	html      *html.Template
}

//go:embed letter.txt.tmpl
var textLayout string

//go:embed letter.html.tmpl
var htmlLayout string

// New makes Letters in those languages, which must not change afterwards. It writes each mail once, so that a message
// that cannot be filled in is detected at the start and not when somebody waits for the mail.
func New(languages *messages.Set) (*Letters, error) {
	l := &Letters{languages: languages, kinds: wordings()}
	var err error
	if l.text, err = text.New("text").Parse(textLayout); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	if l.html, err = html.New("html").Parse(htmlLayout); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	for _, tag := range languages.Tags() {
		for kind := range l.kinds {
			if _, err := l.Render(kind, Letter{Language: tag, Times: 2, Until: time.Unix(0, 0)}); err != nil {
				return nil, fmt.Errorf("%w (in %s)", err, tag)
			}
		}
	}
	return l, nil
}

// page is the data of the layouts: finished texts.
type page struct {
	Lang, Dir string

	Subject, Before, Link, Or, URL, Service string

	Lines, After []string
	Facts        []fact
}

type fact struct{ Name, Value string }

// Render writes the mail of that kind. It returns an error for an unknown kind.
func (l *Letters) Render(kind Kind, letter Letter) (Text, error) {
	w, ok := l.kinds[kind]
	if !ok {
		return Text{}, fmt.Errorf("mail: there is no mail %q", kind)
	}
	filled, err := w.fill(kind, letter, l.languages.Match(letter.Language))
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

// fill writes the parts of a mail.
func (w wording) fill(kind Kind, letter Letter, c *messages.Catalog) (page, error) {
	s, err := newSpeaker(kind, letter, c)
	if err != nil {
		return page{}, err
	}
	lines := w.lines
	if w.until != "" && !letter.Until.IsZero() {
		lines = append(lines[:len(lines):len(lines)], w.until)
	}
	p := page{
		Lang: c.Lang(), Dir: c.Direction(), Service: letter.Service, URL: w.url(letter),
		Lines: s.all(lines), Before: s.say(w.before), Link: s.say(w.link), Or: s.say(".open"), After: s.all(w.after),
	}
	p.Subject = oneLine(s.say(".subject", "subject", s.say("subject")))
	if w.facts {
		p.Facts = s.facts(letter)
	}
	return p, s.err
}

// oneLine joins words into one line, for the subject, which is a header.
func oneLine(words string) string { return strings.Join(strings.Fields(words), " ") }
