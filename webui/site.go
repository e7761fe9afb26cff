package webui

import (
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/stepkey/stepkey/internal/content"
	"github.com/stepkey/stepkey/internal/messages"
	"github.com/stepkey/stepkey/internal/pages"
)

// static is served as it is, but for its pages, which are templates.
//
//go:embed static
var static embed.FS

// layout defines what pages share.
//
//go:embed layout.html
var layout string

// notFound is the page at every other path. Its links are relative to the root of the pages.
//
//go:embed notfound.html
var notFound string

// idle matches the parts of a script that no browser needs: lines of comments, and indentation. They would be a tenth of a page's weight. No
// other line of our scripts begins like a comment, and no text in them has several lines.
var idle = regexp.MustCompile(`(?m)^\s*(?://|/?\*).*\n|^\t+`)

// site is all that is served.
type site struct {
	options   Options
	languages *messages.Set
	files     map[string]content.Content            // by path, the same in every language
	pages     map[string]map[string]content.Content // by language and path
	notFound  map[string]func() string              // by language
	reference func() (*reference, error)            // nil without an OpenAPI document
}

func newSite(options Options) (*site, error) {
	options.Name = cmp.Or(options.Name, "Stepkey")
	options.SignUp = cmp.Or(options.SignUp, "open")
	options.MinPasswordLength = cmp.Or(options.MinPasswordLength, 8)
	languages, err := options.languages()
	if err != nil {
		return nil, err
	}
	s := &site{options: options, languages: languages, files: map[string]content.Content{}, pages: map[string]map[string]content.Content{}, notFound: map[string]func() string{}}
	for _, c := range languages.Catalogs() {
		s.pages[c.Lang()] = map[string]content.Content{}
		if s.notFound[c.Lang()], err = s.renderer(notFound, c); err != nil {
			return nil, err
		}
		s.addMessages(c)
	}
	if err := fs.WalkDir(static, "static", s.add); err != nil {
		return nil, err
	}
	s.files["/favicon.ico"] = s.files["/assets/favicon.svg"]
	maps.Copy(s.files, options.Brand.files())
	return s, nil
}

// languages reads the language files.
func (o Options) languages() (*messages.Set, error) {
	set, err := messages.LoadService(o.Languages)
	if err != nil {
		return nil, fmt.Errorf("Options.Languages: %w", err)
	}
	if o.Language == "" || o.Language == "auto" {
		return set, nil
	}
	if err := set.Only(o.Language); err != nil {
		return nil, fmt.Errorf("Options.Language is %q: %w", o.Language, err)
	}
	return set, nil
}

// add is called for each embedded file.
func (s *site) add(name string, entry fs.DirEntry, err error) error {
	if err != nil || entry.IsDir() {
		return err
	}
	body, err := static.ReadFile(name)
	if err != nil {
		return err
	}
	served := strings.TrimPrefix(name, "static")
	if path.Ext(name) != ".html" {
		s.files[served] = content.Later(contentType(name), func() []byte {
			if path.Ext(name) == ".js" {
				return idle.ReplaceAll(body, nil)
			}
			return body
		})
		return nil
	}
	address := strings.TrimSuffix(served, ".html")
	if !s.options.serves(address) {
		return nil
	}
	return s.addPage(address, body)
}

// addPage adds a page in each language.
func (s *site) addPage(address string, body []byte) error {
	for _, c := range s.languages.Catalogs() {
		page, err := s.renderer(string(body), c)
		if err != nil {
			return fmt.Errorf("%s: %w", address, err)
		}
		rendered := content.Later(contentType(".html"), func() []byte { return []byte(page()) })
		s.pages[c.Lang()][address] = rendered
		if address == pages.Recover {
			s.pages[c.Lang()][pages.RecoverByLink] = rendered
		}
	}
	return nil
}

// serves reports whether the service has what a page is for.
func (o Options) serves(page string) bool {
	switch page {
	case pages.Demo:
		return !o.NoDemo
	case pages.SignUp:
		return o.SignUp == "open"
	case pages.Invitation:
		return o.SignUp != "closed"
	}
	return true
}

// view is what templates see.
type view struct {
	Lang, Direction string
	Name, SignUp    string
	Languages       []choice // empty where there is nothing to choose
	Brand           *Brand
	Demo            bool   // whether there is one
	ReturnOrigins   string // separated by spaces
	SignUpEmail     bool
	SignInByAddress bool
	PasskeyLogIn    bool // whether a passkey alone signs in

	reference func() (*reference, error)
}

// Reference is nil without an OpenAPI document.
func (v view) Reference() (*reference, error) {
	if v.reference == nil {
		return nil, nil
	}
	return v.reference()
}

// choice is a language to choose.
type choice struct {
	Lang, Name string
	Current    bool
}

// renderer returns a function that renders a page in one language, once and when it is first requested: to render all pages
// would take half the time of a start. Messages of the options are tried at once, because they may be wrong; a test renders the built-in ones.
func (s *site) renderer(page string, c *messages.Catalog) (func() string, error) {
	rendered := sync.OnceValues(func() (string, error) { return s.render(page, c) })
	if s.options.Languages != nil {
		if _, err := rendered(); err != nil {
			return nil, err
		}
	}
	return func() string {
		text, err := rendered()
		if err != nil {
			panic(err)
		}
		return text
	}, nil
}

// render executes a page in one language. {{t "key" "argument" value}} is a message; the arguments service and minimum
// need not be named.
func (s *site) render(page string, c *messages.Catalog) (string, error) {
	text := func(key string, arguments ...any) (string, error) {
		return c.Text(key, append(arguments, "service", s.options.Name, "minimum", s.options.MinPasswordLength)...)
	}
	t, err := template.New("page").Funcs(template.FuncMap{"t": text, "inline": inline, "paragraphs": paragraphs, "steps": steps}).Parse(layout)
	if err != nil {
		return "", err
	}
	if t, err = t.Parse(page); err != nil {
		return "", err
	}
	var out strings.Builder
	err = t.Execute(&out, view{
		c.Lang(), c.Direction(), s.options.Name, s.options.SignUp, s.choices(c), s.options.Brand, !s.options.NoDemo,
		strings.Join(s.options.ReturnOrigins, " "), s.options.SignUpEmail, s.options.SignInByAddress, !s.options.NoPasskeyLogIn, s.reference,
	})
	return out.String(), err
}

func (s *site) choices(current *messages.Catalog) []choice {
	var all []choice
	for _, c := range s.languages.Catalogs() {
		all = append(all, choice{c.Lang(), c.Name(), c == current})
	}
	if len(all) == 1 {
		return nil
	}
	return all
}

// addMessages adds the modules by which scripts import their words. The language is in their path, so that a script
// always gets the one of its page.
func (s *site) addMessages(c *messages.Catalog) {
	fixed := strings.NewReplacer("{service}", s.options.Name, "{minimum}", strconv.Itoa(s.options.MinPasswordLength))
	for group, words := range c.Tree("scripts") {
		name := "/assets/messages/" + c.Lang() + "/" + group + ".js"
		s.files[name] = content.Later(contentType(name), func() []byte {
			object, err := json.Marshal(filled(words, fixed), json.Deterministic(true))
			if err != nil {
				panic(err) // JSON can express trees of texts
			}
			return []byte("export default " + string(object) + ";\n")
		})
	}
}

// filled replaces arguments that never change, in all messages of a tree.
func filled(words any, fixed *strings.Replacer) any {
	if text, ok := words.(string); ok {
		return fixed.Replace(text)
	}
	tree, below := map[string]any{}, words.(map[string]any)
	for name, inner := range below {
		tree[name] = filled(inner, fixed)
	}
	return tree
}
