package mail

import (
	"fmt"
	"strings"

	"github.com/stepkey/stepkey/internal/messages"
)

// speaker says the messages of one mail in one language. After an error it says nothing more.
type speaker struct {
	catalog   *messages.Catalog
	kind      Kind
	arguments []any // those that every message may have
	err       error
}

func newSpeaker(kind Kind, l Letter, c *messages.Catalog) (*speaker, error) {
	until, err := moment(c, l.Until)
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	return &speaker{catalog: c, kind: kind, arguments: []any{
		"service", l.Service, "username", l.Username, "address", l.Address, "until", until,
		"resetPage", l.ResetPage, "recoverPage", l.RecoverURL,
	}}, nil
}

// say returns the message under a key of [wording].
func (s *speaker) say(key string, further ...any) string {
	if s.err != nil {
		return ""
	}
	full := "mail" + key
	if !strings.HasPrefix(key, ".") {
		full = "mail." + string(s.kind) + "." + key
	}
	words, err := s.catalog.Text(full, append(further, s.arguments...)...)
	if err != nil {
		s.err = fmt.Errorf("mail: %s: %w", s.kind, err)
	}
	return words
}

func (s *speaker) all(keys []string) []string {
	var said []string
	for _, key := range keys {
		said = append(said, s.say(key))
	}
	return said
}

// facts says when, on which device and in which network it was, as far as that is known.
func (s *speaker) facts(l Letter) []fact {
	at, err := moment(s.catalog, l.At)
	if err != nil {
		s.err = err
		return nil
	}
	client, err := device(s.catalog, l.Device)
	if err != nil {
		s.err = err
		return nil
	}
	known := []fact{{s.say(".facts.when"), at}}
	if client != "" {
		known = append(known, fact{s.say(".facts.device"), client})
	}
	if l.Network != "" {
		known = append(known, fact{s.say(".facts.network"), l.Network})
	}
	if l.Times > 1 {
		known = append(known, fact{s.say(".facts.times"), s.say(".facts.count", "count", l.Times)})
	}
	return known
}
