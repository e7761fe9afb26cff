package messages

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// Catalog is the messages of one language. It is safe for concurrent use.
type Catalog struct {
	tag      language.Tag
	messages map[string]message // with English where the language has none
	own      map[string]message // only its own
}

// Lang is the BCP 47 tag, for the attribute lang.
func (c *Catalog) Lang() string { return c.tag.String() }

// Name is what the language calls itself, or its tag where its file does not say.
func (c *Catalog) Name() string {
	if name, ok := c.own["language"]; ok {
		return name.form(plural.Other)
	}
	return c.Lang()
}

// Direction is "rtl" for languages that are written from right to left, and "ltr" for the others.
func (c *Catalog) Direction() string {
	script, _ := c.tag.Script()
	switch script.String() {
	case "Adlm", "Arab", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi":
		return "rtl"
	}
	return "ltr"
}

// Text returns the message with the given key. Arguments are pairs of name and value. A key that does not exist is a
// mistake in the program, and an error: templates stop at it, and tests run every template.
func (c *Catalog) Text(key string, arguments ...any) (string, error) {
	m, ok := c.messages[key]
	if !ok {
		return "", fmt.Errorf("messages: there is no %q", key)
	}
	if len(arguments)%2 != 0 {
		return "", fmt.Errorf("messages: %q has an argument without a value", key)
	}
	values := make([]string, 0, len(arguments))
	form := plural.Other
	for i := 0; i < len(arguments); i += 2 {
		name := fmt.Sprint(arguments[i])
		if count, ok := arguments[i+1].(int); ok && name == "count" {
			form = c.form(key, count)
		}
		values = append(values, "{"+name+"}", fmt.Sprint(arguments[i+1]))
	}
	template := m.form(form)
	for _, name := range placeholder.FindAllString(template, -1) {
		if !slices.Contains(values, name) {
			return "", fmt.Errorf("messages: %q needs %s", key, name)
		}
	}
	return strings.NewReplacer(values...).Replace(template), nil
}

// form is the plural category of count, if the message has it. A message that is not in this language has the
// categories of English.
func (c *Catalog) form(key string, count int) plural.Form {
	tag := c.tag
	if _, ok := c.own[key]; !ok {
		tag = language.English
	}
	form := cardinal(tag, count)
	if _, ok := c.messages[key].plural[form]; !ok {
		return plural.Other
	}
	return form
}

func cardinal(tag language.Tag, count int) plural.Form {
	return plural.Cardinal.MatchPlural(tag, max(count, -count), 0, 0, 0, 0)
}

// Tree returns the messages below prefix as the nested object that scripts receive: strings, and objects of plural
// categories under their CLDR names. Plurals that fall back on English say so under "lang", since they follow its rules.
func (c *Catalog) Tree(prefix string) map[string]any {
	tree := map[string]any{}
	for key, m := range c.messages {
		below, ok := strings.CutPrefix(key, prefix+".")
		if !ok {
			continue
		}
		names := strings.Split(below, ".")
		node := tree
		for _, name := range names[:len(names)-1] {
			next, ok := node[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				node[name] = next
			}
			node = next
		}
		script := m.script()
		if forms, counts := script.(map[string]any); counts {
			if _, ok := c.own[key]; !ok {
				forms["lang"] = base
			}
		}
		node[names[len(names)-1]] = script
	}
	return tree
}

// Missing are the keys that have no message in this language, sorted.
func (c *Catalog) Missing() []string {
	var missing []string
	for _, key := range sortedKeys(c.messages) {
		if _, ok := c.own[key]; !ok {
			missing = append(missing, strconv.Quote(key))
		}
	}
	return missing
}
