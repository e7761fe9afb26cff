package messages

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"

	"github.com/go-json-experiment/json"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// message is a text, or one for each plural category.
type message struct {
	text   string
	plural map[plural.Form]string // nil if the file has a string
}

// counts reports whether the file has an object of categories.
func (m message) counts() bool { return m.plural != nil }

// form is the text for a category that the message has, and for any if it does not count.
func (m message) form(category plural.Form) string {
	if !m.counts() {
		return m.text
	}
	return m.plural[category]
}

// script is the form in which scripts receive a message.
func (m message) script() any {
	if !m.counts() {
		return m.text
	}
	forms := map[string]any{}
	for name, form := range categories {
		if text, ok := m.plural[form]; ok {
			forms[name] = text
		}
	}
	return forms
}

// placeholder is an argument in a message.
var placeholder = regexp.MustCompile(`\{[a-z][A-Za-z]*\}`)

// arguments are the arguments of all forms, sorted, each once.
func (m message) arguments() []string {
	names := placeholder.FindAllString(m.text, -1)
	for _, text := range m.plural {
		names = append(names, placeholder.FindAllString(text, -1)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// categories are the names of CLDR.
var categories = map[string]plural.Form{
	"zero": plural.Zero, "one": plural.One, "two": plural.Two, "few": plural.Few, "many": plural.Many, "other": plural.Other,
}

func readFile(source fs.FS, name string) (map[string]message, error) {
	body, err := fs.ReadFile(source, name)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(body, &tree); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	flat := map[string]message{}
	if err := flatten(name, "", tree, flat); err != nil {
		return nil, err
	}
	return flat, nil
}

func flatten(file, prefix string, tree map[string]any, into map[string]message) error {
	for key, value := range tree {
		key = prefix + key
		switch value := value.(type) {
		case string:
			into[key] = message{text: value}
		case map[string]any:
			if _, ok := value["other"].(string); !ok {
				if err := flatten(file, key+".", value, into); err != nil {
					return err
				}
				continue
			}
			m, err := readForms(file, key, value)
			if err != nil {
				return err
			}
			into[key] = m
		default:
			return fmt.Errorf("%s: %s is neither a string nor an object", file, key)
		}
	}
	return nil
}

func readForms(file, key string, value map[string]any) (message, error) {
	m := message{plural: map[plural.Form]string{}}
	for name, text := range value {
		form, known := categories[name]
		words, isText := text.(string)
		if !known || !isText {
			return message{}, fmt.Errorf("%s: %s has %q beside the plural categories zero, one, two, few, many and other", file, key, name)
		}
		m.plural[form] = words
	}
	return m, nil
}

// enough is the number up to which every category of a language occurs; CLDR's rules look at the last two digits.
const enough = 200

// checkFile compares a file with the base: it has no key, no argument and no plural that the base does not have,
// and for plurals all categories of its language.
func checkFile(name string, tag language.Tag, file, english map[string]message) error {
	for _, key := range sortedKeys(file) {
		m := file[key]
		model, ok := english[key]
		if !ok {
			return fmt.Errorf("%s: there is no message %q; see %s.json for those that exist", name, key, base)
		}
		if m.counts() != model.counts() {
			return fmt.Errorf("%s: %s must have the form that it has in %s.json: a string, or an object of plural categories", name, key, base)
		}
		for _, argument := range m.arguments() {
			if !slices.Contains(model.arguments(), argument) {
				return fmt.Errorf("%s: %s has the unknown argument %s", name, key, argument)
			}
		}
		if !m.counts() {
			continue
		}
		for count := range enough {
			if form := cardinal(tag, count); m.plural[form] == "" {
				return fmt.Errorf("%s: %s lacks the plural category %s, which the language needs for %d", name, key, nameOf(form), count)
			}
		}
	}
	return nil
}

func nameOf(form plural.Form) string {
	for name, f := range categories {
		if f == form {
			return name
		}
	}
	return "other"
}

func sortedKeys(m map[string]message) []string { return slices.Sorted(maps.Keys(m)) }
