package messages

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

// Service has the words of the service's pages and mails.
//
//go:embed *.json
var Service embed.FS

// base is the language that has every message.
const base = "en"

// Set is the languages that are available. It is safe for concurrent use.
type Set struct {
	catalogs []*Catalog // the default language first
	matcher  language.Matcher
}

// service is the languages of Service alone, read once for the pages, the mails and the gate of a process.
var service = sync.OnceValues(func() (*Set, error) { return Load(Service) })

// LoadService returns the languages of Service, and with them those of own, which adds languages and replaces messages.
// It may be nil. The error is that of Load.
func LoadService(own fs.FS) (*Set, error) {
	if own != nil {
		return Load(Service, own)
	}
	shared, err := service()
	if err != nil {
		return nil, err
	}
	return &Set{slices.Clone(shared.catalogs), shared.matcher}, nil
}

// Load reads the language files at the root of each file system; a later one adds languages and replaces messages.
// The first has all messages in en.json. An error names the file, the message, and what to do.
func Load(sources ...fs.FS) (*Set, error) {
	english := map[string]message{}
	found := map[language.Tag]map[string]message{}
	for i, source := range sources {
		names, err := fs.Glob(source, "*.json")
		if err != nil {
			return nil, err
		}
		// The base comes first, because the others are checked against it.
		slices.SortStableFunc(names, func(a, b string) int { return order(a) - order(b) })
		for _, name := range names {
			tag, err := language.Parse(strings.TrimSuffix(name, path.Ext(name)))
			if err != nil {
				return nil, fmt.Errorf("%s: the name of a language file is a language tag, such as de.json or pt-BR.json", name)
			}
			file, err := readFile(source, name)
			if err != nil {
				return nil, err
			}
			isBase := i == 0 && tag == language.English
			if !isBase {
				if err := checkFile(name, tag, file, english); err != nil {
					return nil, err
				}
			}
			if found[tag] == nil {
				found[tag] = map[string]message{}
			}
			for key, m := range file {
				found[tag][key] = m
			}
			if isBase {
				for key, m := range file {
					english[key] = m
				}
			}
		}
	}
	if len(english) == 0 {
		return nil, errors.New("messages: there is no " + base + ".json")
	}
	return newSet(found), nil
}

func order(name string) int {
	if name == base+".json" {
		return 0
	}
	return 1
}

func newSet(found map[language.Tag]map[string]message) *Set {
	english := found[language.English]
	s := &Set{}
	for tag, own := range found {
		all := make(map[string]message, len(english))
		for key, m := range english {
			if translated, ok := own[key]; ok {
				m = translated
			}
			all[key] = m
		}
		s.catalogs = append(s.catalogs, &Catalog{tag: tag, messages: all, own: own})
	}
	slices.SortFunc(s.catalogs, func(a, b *Catalog) int { return strings.Compare(a.tag.String(), b.tag.String()) })
	s.prefer(base)
	return s
}

// Prefer makes the language with the given tag the one for visitors whose languages are all unknown. The error lists
// the languages that are available.
func (s *Set) Prefer(tag string) error {
	if !s.prefer(tag) {
		return fmt.Errorf("the language is none of %s", strings.Join(s.Tags(), ", "))
	}
	return nil
}

func (s *Set) prefer(tag string) bool {
	i := slices.IndexFunc(s.catalogs, func(c *Catalog) bool { return strings.EqualFold(c.tag.String(), tag) })
	if i < 0 {
		return false
	}
	preferred := s.catalogs[i]
	s.catalogs = append([]*Catalog{preferred}, slices.Delete(s.catalogs, i, i+1)...)
	tags := make([]language.Tag, len(s.catalogs))
	for i, c := range s.catalogs {
		tags[i] = c.tag
	}
	s.matcher = language.NewMatcher(tags)
	return true
}

// Only leaves the language with the given tag and no other.
func (s *Set) Only(tag string) error {
	if err := s.Prefer(tag); err != nil {
		return err
	}
	s.catalogs = s.catalogs[:1]
	s.matcher = language.NewMatcher([]language.Tag{s.catalogs[0].tag})
	return nil
}

// Tags are the BCP 47 tags of the languages, the default first.
func (s *Set) Tags() []string {
	tags := make([]string, len(s.catalogs))
	for i, c := range s.catalogs {
		tags[i] = c.tag.String()
	}
	return tags
}

// Catalogs are the languages, the default first.
func (s *Set) Catalogs() []*Catalog { return slices.Clone(s.catalogs) }

// Match returns the best language for preferences in the form of the header Accept-Language (RFC 9110 §12.5.4), in
// descending order of weight: an explicit choice first, then the browser's. A preference that cannot be read counts as
// empty. Without any match it is the default.
func (s *Set) Match(preferences ...string) *Catalog {
	for _, preference := range preferences {
		if c, ok := s.Find(preference); ok {
			return c
		}
	}
	return s.catalogs[0]
}

// Find returns the best language for one preference, and whether there is one.
func (s *Set) Find(preference string) (*Catalog, bool) {
	if len(preference) > maxPreference {
		return nil, false
	}
	tags, _, err := language.ParseAcceptLanguage(preference)
	if err != nil || len(tags) == 0 {
		return nil, false
	}
	_, i, confidence := s.matcher.Match(tags...)
	if confidence == language.No {
		return nil, false
	}
	return s.catalogs[i], true
}
