package webui

import (
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/stepkey/stepkey/internal/content"
	"github.com/stepkey/stepkey/internal/pages"
)

// deepest is the level below which members of members are not listed.
const deepest = 3

// WithDocument returns the same pages with an API reference that lists the calls of an OpenAPI document, each with an example for
// curl. httpapi calls it with the document that it serves, which is asked for when the page is. A document that cannot be read makes
// that request panic.
func (s *site) WithDocument(document func() []byte) (http.Handler, error) {
	source, err := static.ReadFile("static" + pages.Docs + ".html")
	if err != nil {
		return nil, err
	}
	described := *s
	described.reference = sync.OnceValues(func() (*reference, error) { return newReference(document(), explained(source)) })
	described.pages = map[string]map[string]content.Content{}
	for lang, all := range s.pages {
		described.pages[lang] = maps.Clone(all)
	}
	return &described, described.addPage(pages.Docs, source)
}

// explained returns the problem codes that the page explains, which are the only ones it can link to.
func explained(page []byte) map[string]bool {
	codes := map[string]bool{}
	for _, match := range regexp.MustCompile(`<li class="problem" id="(\w+)"`).FindAllSubmatch(page, -1) {
		codes[string(match[1])] = true
	}
	return codes
}

// reference is what docs.html lists.
type reference struct {
	Groups []callGroup
}

// callGroup has the calls with one tag, in the order of the document.
type callGroup struct {
	ID, Name, About string
	Calls           []call
}

type call struct {
	ID, Method, Path     string
	Summary, Description string
	Needs, Curl          string
	Parameters           []field
	Body                 *shape
	Answers              []answer
}

// answer is a status with its meaning: problems, or what a success contains.
type answer struct {
	Status, Text string
	Codes        []string
	Body         *shape
}

// shape is a JSON value: an object with members, or facts about anything else.
type shape struct {
	Facts, Text string
	Members     []field
}

// field is a member of an object, or a parameter.
type field struct {
	Name, Facts, Text string
	Members           []field
}

func newReference(document []byte, explained map[string]bool) (*reference, error) {
	api, err := parseAPI(document)
	if err != nil {
		return nil, err
	}
	r := &reference{}
	for _, tag := range api.Tags {
		r.Groups = append(r.Groups, callGroup{ID: "group-" + slug(tag.Name), Name: tag.Name, About: tag.Description})
	}
	for _, item := range api.Paths {
		for _, entry := range item.value {
			if !slices.Contains(methods, entry.name) {
				continue
			}
			o, err := api.operation(item.name, entry)
			if err != nil {
				return nil, err
			}
			i := slices.IndexFunc(r.Groups, func(g callGroup) bool { return slices.Contains(o.Tags, g.Name) })
			if i < 0 {
				return nil, fmt.Errorf("%s %s has none of the tags that are listed", o.method, o.path)
			}
			r.Groups[i].Calls = append(r.Groups[i].Calls, api.call(o, explained))
		}
	}
	r.Groups = slices.DeleteFunc(r.Groups, func(g callGroup) bool { return len(g.Calls) == 0 })
	return r, nil
}

// call describes an operation.
func (d *apiDocument) call(o operation, explained map[string]bool) call {
	c := call{
		ID: o.ID, Method: o.method, Path: o.path, Summary: o.Summary, Description: o.Description,
		Needs: d.needs(o), Curl: d.curl(o), Body: d.shape(o.RequestBody.schema()),
	}
	for _, p := range o.Parameters {
		s := d.resolve(&p.Schema)
		f := field{Name: p.Name, Facts: d.facts(s), Text: p.Description}
		if !p.Required {
			f.Facts += ", optional"
		}
		c.Parameters = append(c.Parameters, f)
	}
	for _, r := range o.Responses {
		content := d.response(r.value)
		a := answer{Status: r.name, Text: content.Description, Codes: d.codes(content, explained)}
		if len(a.Codes) == 0 {
			a.Body = d.shape(content.schema())
		}
		c.Answers = append(c.Answers, a)
	}
	return c
}

// needs names what authorises a call.
func (d *apiDocument) needs(o operation) string {
	var ways []string
	for _, way := range o.Security {
		if len(way) == 0 {
			return "Anyone"
		}
		for name := range way {
			ways = append(ways, d.Components.SecuritySchemes[name].Description)
		}
	}
	if len(ways) == 0 {
		return "Anyone"
	}
	return strings.Join(ways, "; ")
}

// codes returns the problem codes among the examples of a response.
func (d *apiDocument) codes(b body, explained map[string]bool) []string {
	var codes []string
	for _, media := range b.Content {
		for _, e := range media.value.Examples {
			code := d.code(e.value)
			if explained[code] && !slices.Contains(codes, code) {
				codes = append(codes, code)
			}
		}
		if code := problemCode(media.value.Example); explained[code] && !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return codes
}

func (d *apiDocument) shape(s *schema) *shape {
	if s == nil {
		return nil
	}
	s = d.resolve(s)
	return &shape{Facts: d.facts(s), Text: s.Description, Members: d.members(s, 0)}
}

// members lists the members of an object, or of the objects in an array, to the third level.
func (d *apiDocument) members(s *schema, depth int) []field {
	if s.Items != nil {
		s = d.resolve(s.Items)
	}
	if depth > deepest {
		return nil
	}
	var fields []field
	for _, p := range s.Properties {
		inner := d.resolve(&p.value)
		f := field{Name: p.name, Facts: d.facts(inner), Text: inner.Description, Members: d.members(inner, depth+1)}
		if !slices.Contains(s.Required, p.name) {
			f.Facts += ", optional"
		}
		fields = append(fields, f)
	}
	return fields
}

// facts is the type of a value, or the values it can have.
func (d *apiDocument) facts(s *schema) string {
	if len(s.Const) > 0 {
		return string(s.Const)
	}
	if len(s.Enum) > 0 {
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = string(v)
		}
		return strings.Join(values, " | ")
	}
	if s.Items != nil {
		return "array of " + d.facts(d.resolve(s.Items))
	}
	facts := strings.Join(s.Type, " | ")
	if s.Format != "" {
		facts += " (" + s.Format + ")"
	}
	return facts
}

var (
	notInSlug = regexp.MustCompile(`[^a-z0-9]+`)
	coded     = regexp.MustCompile("`([^`]+)`")
	stressed  = regexp.MustCompile(`\*\*([^*]+)\*\*`)
)

func slug(text string) string {
	return strings.Trim(notInSlug.ReplaceAllString(strings.ToLower(text), "-"), "-")
}

// inline turns the little Markdown of descriptions, `code` and **strong** words, into HTML.
func inline(text string) template.HTML {
	escaped := coded.ReplaceAllString(template.HTMLEscapeString(text), "<code>$1</code>")
	return template.HTML(stressed.ReplaceAllString(escaped, "<strong>$1</strong>")) // #nosec G203 -- escaped above
}

// paragraphs splits a description.
func paragraphs(text string) []template.HTML {
	var all []template.HTML
	for part := range strings.SplitSeq(text, "\n\n") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, inline(part))
		}
	}
	return all
}

// steps splits a path after its slashes, where it may go on in the next line.
func steps(address string) []string {
	return strings.SplitAfter(address, "/")
}
