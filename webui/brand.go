package webui

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	_ "image/png" // decodes the size of logos
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stepkey/stepkey/internal/content"
)

const (
	// MaxLogo is the maximum size of a logo, in bytes. Each page loads it.
	MaxLogo = 32 << 10

	// MaxStyle is the maximum size of a company's own style sheet, in bytes.
	MaxStyle = 64 << 10

	maxLinks    = 8
	maxLinkText = 40 // characters
)

// BrandOptions are how the pages look like those of a company. The zero value changes nothing.
type BrandOptions struct {
	// Accent is the colour of buttons and links on light pages, such as #1a5c48. It must have a contrast of at least
	// 4.5 with the grounds of the pages (WCAG 2.2, 1.4.3). AccentDark is that of dark pages; empty means a lighter
	// Accent.
	Accent, AccentDark string

	// Logo takes the place of Stepkey's mark and the name beside it, and of the icon of the tab: an SVG or PNG file of at
	// most MaxLogo bytes. LogoDark is the logo of dark pages; empty means Logo.
	Logo, LogoDark []byte

	// Links are shown at the foot of each page, in this order, eight at most.
	Links []Link

	// Style is a style sheet, at most MaxStyle bytes, that is loaded after all others. The policy of the pages lets it
	// load nothing from other hosts. Nothing checks its colours.
	Style []byte
}

// Link is a link with its text, at most 40 characters. The URL is absolute, https, http or mailto, or a path on the
// origin of the pages that begins with one slash.
type Link struct{ Text, URL string }

// Brand is a company's look. Make one with [NewBrand].
type Brand struct {
	colours  string
	style    []byte // the colours, then the company's own
	logo     logo
	logoDark logo
	links    []Link
}

// logo is a picture with its size in CSS pixels, which pages state so that nothing moves when it arrives.
type logo struct {
	body          []byte
	extension     string // .svg or .png
	width, height int
}

// logoHeight is the height at which logos are shown, in CSS pixels.
const logoHeight = 28

// NewBrand checks the options. An error says what is wrong with each, in words for the person who set them.
func NewBrand(options BrandOptions) (*Brand, error) {
	colours, err := brandColours(options.Accent, options.AccentDark)
	faults := []error{err}
	b := &Brand{colours: colours, links: options.Links}
	if len(options.Logo) == 0 && len(options.LogoDark) > 0 {
		faults = append(faults, errors.New("there is a logo for dark pages and none for light ones"))
	}
	b.logo, err = readLogo(options.Logo)
	faults = append(faults, err)
	b.logoDark, err = readLogo(options.LogoDark)
	faults = append(faults, err, checkLinks(options.Links), checkStyle(options.Style))
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	b.style = append([]byte(colours), options.Style...)
	return b, nil
}

// The URL paths of a brand's files, below the root of the pages.
const (
	brandStyle    = "/assets/brand.css"
	brandLogo     = "/assets/logo"
	brandLogoDark = "/assets/logo-dark"
)

// files are the files of a brand by the URL path at which they are served. It panics if they cannot be compressed,
// which does not happen in memory.
func (b *Brand) files() map[string]content.Content {
	if b == nil {
		return nil
	}
	files := map[string]content.Content{}
	for name, body := range map[string][]byte{
		brandStyle: b.style, brandLogo + b.logo.extension: b.logo.body, brandLogoDark + b.logoDark.extension: b.logoDark.body,
	} {
		if len(body) == 0 {
			continue
		}
		files[name] = content.New(contentType(name), body)
	}
	if b.logo.body != nil {
		files["/favicon.ico"] = files[brandLogo+b.logo.extension]
	}
	return files
}

// HasStyle reports whether there is a style sheet. Templates ask a nil Brand too, as all of the following.
func (b *Brand) HasStyle() bool { return b != nil && len(b.style) > 0 }

// Colours is a style sheet with the accents of light and dark pages as custom properties; empty means Stepkey's.
func (b *Brand) Colours() string {
	if b == nil {
		return ""
	}
	return b.colours
}

// Links are those at the foot of the pages.
func (b *Brand) Links() []Link {
	if b == nil {
		return nil
	}
	return b.links
}

// Logo is the address of the logo, relative to the pages; empty means that there is none.
func (b *Brand) Logo() string {
	if b == nil {
		return ""
	}
	return b.logo.address(brandLogo)
}

// LogoDark is the address of the logo for dark pages; empty means that it is the same.
func (b *Brand) LogoDark() string {
	if b == nil {
		return ""
	}
	return b.logoDark.address(brandLogoDark)
}

// LogoWidth is the width of the logo in CSS pixels.
func (b *Brand) LogoWidth() int { return b.logo.width }

// LogoDarkWidth is the width of the logo for dark pages in CSS pixels.
func (b *Brand) LogoDarkWidth() int { return b.logoDark.width }

// LogoHeight is the height of both in CSS pixels.
func (b *Brand) LogoHeight() int { return logoHeight }

func (l logo) address(path string) string {
	if l.body == nil {
		return ""
	}
	return strings.TrimPrefix(path, "/") + l.extension
}

// brandColours returns the style sheet of the accents, empty without an accent.
func brandColours(accent, accentDark string) (string, error) {
	if accent == "" && accentDark == "" {
		return "", nil
	}
	if accent == "" {
		return "", errors.New("there is an accent colour for dark pages and none for light ones")
	}
	onLight, err := readAccent(light, accent, "light")
	if err != nil {
		return "", err
	}
	if accentDark == "" {
		accentDark = dark.nearest(onLight).String()
	}
	onDark, err := readAccent(dark, accentDark, "dark")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(":root{%s}\n@media (prefers-color-scheme:dark){:root{%s}}\n", light.derive(onLight).css(), dark.derive(onDark).css()), nil
}

func readAccent(s scheme, text, pages string) (colour, error) {
	accent, err := parseColour(text)
	if err != nil {
		return colour{}, fmt.Errorf("the accent colour for %s pages is not a colour: %w", pages, err)
	}
	if got := s.readable(accent); got < textContrast {
		return colour{}, fmt.Errorf("the accent colour for %s pages has a contrast of %.1f, and text needs %.1f (WCAG 2.2): use %s, the nearest one that can be read",
			pages, got, textContrast, s.nearest(accent))
	}
	return accent, nil
}

// readLogo finds out what a picture is by its content.
func readLogo(body []byte) (logo, error) {
	if len(body) == 0 {
		return logo{}, nil
	}
	if len(body) > MaxLogo {
		return logo{}, fmt.Errorf("a logo has at most %d bytes, because each page loads it", MaxLogo)
	}
	if config, format, err := image.DecodeConfig(bytes.NewReader(body)); err == nil && format == "png" && config.Width > 0 && config.Height > 0 {
		return logo{body, ".png", scaled(float64(config.Width), float64(config.Height)), logoHeight}, nil
	}
	width, height, ok := svgSize(body)
	if !ok {
		return logo{}, errors.New("a logo is a PNG file, or an SVG file with a viewBox or with width and height in pixels")
	}
	return logo{body, ".svg", scaled(width, height), logoHeight}, nil
}

// scaled is the width of a logo at its height on the pages, at most that of a narrow phone without the rest of the header.
func scaled(width, height float64) int {
	const widest = 200
	return int(min(max(width/height*logoHeight, 1), widest))
}

// svgSize reads the size of the root element.
func svgSize(body []byte) (width, height float64, ok bool) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return 0, 0, false
		}
		root, isElement := token.(xml.StartElement)
		if !isElement {
			continue
		}
		if root.Name.Local != "svg" || root.Name.Space != "http://www.w3.org/2000/svg" {
			return 0, 0, false
		}
		return rootSize(root.Attr)
	}
}

func rootSize(attributes []xml.Attr) (width, height float64, ok bool) {
	values := map[string]string{}
	for _, a := range attributes {
		values[a.Name.Local] = a.Value
	}
	box := strings.Fields(strings.ReplaceAll(values["viewBox"], ",", " "))
	if len(box) == 4 {
		values["width"], values["height"] = box[2], box[3]
	}
	width, errWidth := strconv.ParseFloat(strings.TrimSuffix(values["width"], "px"), 64)
	height, errHeight := strconv.ParseFloat(strings.TrimSuffix(values["height"], "px"), 64)
	return width, height, cmp.Or(errWidth, errHeight) == nil && width > 0 && height > 0 && width < 1e6 && height < 1e6
}

// checkLinks refuses everything but plain links: a javascript: URL would run with the rights of the pages.
func checkLinks(links []Link) error {
	if len(links) > maxLinks {
		return fmt.Errorf("there are more than %d links for the foot of the pages", maxLinks)
	}
	for _, link := range links {
		if n := utf8.RuneCountInString(link.Text); strings.TrimSpace(link.Text) == "" || n > maxLinkText {
			return fmt.Errorf("a link at the foot of the pages has a text of 1 to %d characters", maxLinkText)
		}
		if !plainLink(link.URL) {
			return fmt.Errorf("the link %q leads to no https, http or mailto URL and to no path such as /imprint", link.Text)
		}
	}
	return nil
}

func plainLink(text string) bool {
	u, err := url.Parse(text)
	if err != nil || strings.ContainsAny(text, "\\") || u.User != nil {
		return false
	}
	switch u.Scheme {
	case "https", "http":
		return u.Hostname() != ""
	case "mailto":
		return u.Opaque != ""
	case "":
		return u.Host == "" && strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//")
	}
	return false
}

func checkStyle(style []byte) error {
	if len(style) > MaxStyle {
		return fmt.Errorf("a style sheet has at most %d bytes", MaxStyle)
	}
	if !utf8.Valid(style) {
		return errors.New("the style sheet is not UTF-8 text")
	}
	return nil
}
