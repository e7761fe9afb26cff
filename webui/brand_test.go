package webui

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The grounds that accents are checked against are those of the style sheet.
func TestSchemesAreThoseOfTheStyleSheet(t *testing.T) {
	sheet, err := static.ReadFile("static/assets/stepkey.css")
	if err != nil {
		t.Fatal(err)
	}
	lightPart, darkPart, ok := strings.Cut(string(sheet), "@media (prefers-color-scheme:dark)")
	if !ok {
		t.Fatal("stepkey.css has no dark colours")
	}
	for part, s := range map[string]scheme{lightPart: light, darkPart: dark} {
		for name, want := range map[string]colour{"paper": s.paper, "surface": s.surface, "sunken": s.sunken, "ink": s.ink, "danger": s.danger} {
			found := regexp.MustCompile(`--` + name + `:(#[0-9a-f]{3,6})`).FindStringSubmatch(part)
			if found == nil {
				t.Errorf("stepkey.css has no --%s", name)
				continue
			}
			got := found[1]
			if len(got) == 4 {
				got = "#" + strings.Repeat(got[1:2], 2) + strings.Repeat(got[2:3], 2) + strings.Repeat(got[3:4], 2)
			}
			if got != want.String() {
				t.Errorf("--%s is %s, not %s", name, got, want)
			}
		}
	}
}

// #767676 is the lightest grey that can be read on white.
func TestContrast(t *testing.T) {
	for _, test := range []struct{ a, b, want string }{
		{"#000000", "#ffffff", "21.00"}, {"#ffffff", "#ffffff", "1.00"}, {"#767676", "#ffffff", "4.54"}, {"#ffffff", "#777777", "4.48"},
	} {
		if got := fmt.Sprintf("%.2f", contrast(mustColour(test.a), mustColour(test.b))); got != test.want {
			t.Errorf("%s on %s: %s, want %s", test.a, test.b, got, test.want)
		}
	}
}

// Whatever accent is taken, everything that has its colour can be read. Any colour becomes one that is taken.
func TestEveryAccentCanBeRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		component := rapid.IntRange(0, 255)
		c := mustColour(fmt.Sprintf("#%02x%02x%02x", component.Draw(t, "r"), component.Draw(t, "g"), component.Draw(t, "b")))
		for _, s := range []scheme{light, dark} {
			a := s.derive(s.nearest(c))
			for name, pair := range map[string]struct{ got, want float64 }{
				"accent":            {leastContrast(a.accent, s.paper, s.surface, s.sunken), textContrast},
				"accent, hovered":   {leastContrast(a.hover, s.paper, s.surface, s.sunken), textContrast},
				"words on a button": {leastContrast(a.on, a.accent, a.hover, s.danger), textContrast},
				"words on soft":     {leastContrast(a.ink, a.soft), textContrast},
				"ink on soft":       {leastContrast(s.ink, a.soft), textContrast},
				"sign on soft":      {leastContrast(a.accent, a.soft), signContrast},
			} {
				if pair.got < pair.want {
					t.Errorf("%s for %v on %v: %s has %.2f, want %.1f", name, c, s.paper, name, pair.got, pair.want)
				}
			}
		}
	})
}

func TestAccentOfACompany(t *testing.T) {
	b, err := NewBrand(BrandOptions{Accent: "#0b57d0", Style: []byte("h1{font-weight:400}")})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{":root{--accent:#0b57d0;", "prefers-color-scheme:dark", "--on-accent:#ffffff", "h1{font-weight:400}"} {
		if !strings.Contains(string(b.style), want) {
			t.Errorf("the style sheet lacks %s: %s", want, b.style)
		}
	}
	if strings.Contains(b.Colours(), "h1") || !strings.Contains(b.Colours(), ":root{--accent:#0b57d0;") {
		t.Errorf("the colours alone are %s", b.Colours())
	}
}

func picture(width, height int) []byte {
	var body bytes.Buffer
	if err := png.Encode(&body, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		panic(err)
	}
	return body.Bytes()
}

const drawing = `<?xml version="1.0"?><!-- drawn --><svg xmlns="http://www.w3.org/2000/svg" %s><path d="M0 0h9v9z"/></svg>`

func TestLogo(t *testing.T) {
	for name, test := range map[string]struct {
		body      []byte
		extension string
		width     int
	}{
		"png":            {picture(200, 100), ".png", 56},
		"svg, box":       {fmt.Appendf(nil, drawing, `viewBox="0 0 120 40"`), ".svg", 84},
		"svg, commas":    {fmt.Appendf(nil, drawing, `viewBox="0,0,120,40"`), ".svg", 84},
		"svg, pixels":    {fmt.Appendf(nil, drawing, `width="120px" height="40"`), ".svg", 84},
		"very wide":      {picture(2000, 10), ".png", 200},
		"very high":      {picture(1, 2000), ".png", 1},
		"none":           {nil, "", 0},
		"svg, both":      {fmt.Appendf(nil, drawing, `width="1000" height="1000" viewBox="0 0 120 40"`), ".svg", 84},
		"svg, no prolog": {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"/>`), ".svg", 28},
	} {
		b, err := NewBrand(BrandOptions{Logo: test.body})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if b.logo.extension != test.extension || b.logo.width != test.width {
			t.Errorf("%s: %s %d wide, want %s %d", name, b.logo.extension, b.logo.width, test.extension, test.width)
		}
	}
}

func TestBadBrands(t *testing.T) {
	link := func(text, url string) BrandOptions { return BrandOptions{Links: []Link{{text, url}}} }
	for name, test := range map[string]struct {
		options BrandOptions
		want    string
	}{
		"pale accent":       {BrandOptions{Accent: "#ffcc00"}, "use #"},
		"dark on dark":      {BrandOptions{Accent: "#1a5c48", AccentDark: "#1a5c48"}, "for dark pages has a contrast"},
		"no colour":         {BrandOptions{Accent: "green"}, "#1a5c48"},
		"short":             {BrandOptions{Accent: "#abc"}, "#1a5c48"},
		"css in a colour":   {BrandOptions{Accent: "#1a5c48;}"}, "#1a5c48"},
		"only dark":         {BrandOptions{AccentDark: "#86d3b2"}, "none for light"},
		"only dark logo":    {BrandOptions{LogoDark: picture(1, 1)}, "none for light"},
		"no picture":        {BrandOptions{Logo: []byte("hello")}, "PNG"},
		"html":              {BrandOptions{Logo: []byte("<html><svg></svg></html>")}, "PNG"},
		"svg of no size":    {BrandOptions{Logo: fmt.Appendf(nil, drawing, "")}, "viewBox"},
		"svg of size zero":  {BrandOptions{Logo: fmt.Appendf(nil, drawing, `viewBox="0 0 0 0"`)}, "viewBox"},
		"svg in per cent":   {BrandOptions{Logo: fmt.Appendf(nil, drawing, `width="100%" height="100%"`)}, "viewBox"},
		"svg not a number":  {BrandOptions{Logo: fmt.Appendf(nil, drawing, `viewBox="0 0 NaN NaN"`)}, "viewBox"},
		"large":             {BrandOptions{Logo: append(picture(9, 9), make([]byte, MaxLogo)...)}, "bytes"},
		"script":            {link("Imprint", "javascript:alert(1)"), "https"},
		"data":              {link("Imprint", "data:text/html,x"), "https"},
		"relative":          {link("Imprint", "imprint"), "https"},
		"other host":        {link("Imprint", "//example.com"), "https"},
		"backslash":         {link("Imprint", `/\example.com`), "https"},
		"password":          {link("Imprint", "https://a:b@example.com"), "https"},
		"no host":           {link("Imprint", "https:///x"), "https"},
		"control":           {link("Imprint", "/\t/example.com"), "https"},
		"no text":           {link(" ", "https://example.com"), "characters"},
		"long text":         {link(strings.Repeat("x", 41), "https://example.com"), "characters"},
		"many links":        {BrandOptions{Links: make([]Link, 9)}, "8 links"},
		"large style":       {BrandOptions{Style: make([]byte, MaxStyle+1)}, "bytes"},
		"style not in utf8": {BrandOptions{Style: []byte("a{}\xff")}, "UTF-8"},
	} {
		if _, err := NewBrand(test.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	for _, url := range []string{"https://example.com/imprint", "http://example.com", "mailto:help@example.com", "/imprint", "/"} {
		if _, err := NewBrand(link("Imprint", url)); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A logo is a picture and no page: it runs nothing, even if it is opened by itself.
func TestFilesOfABrand(t *testing.T) {
	b, err := NewBrand(BrandOptions{Accent: "#0b57d0", Logo: fmt.Appendf(nil, drawing, `viewBox="0 0 40 40"`), LogoDark: picture(40, 40)})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := New(Options{Brand: b})
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"/assets/brand.css": "text/css; charset=utf-8", "/assets/logo.svg": "image/svg+xml", "/assets/logo-dark.png": "image/png", "/favicon.ico": "image/svg+xml",
	} {
		response := get(t, handler, http.MethodGet, url)
		if response.Code != http.StatusOK || response.Header().Get("Content-Type") != want || response.Header().Get("Content-Security-Policy") != filePolicy {
			t.Errorf("GET %s: %d, %v", url, response.Code, response.Header())
		}
		if code := get(t, Handler(), http.MethodGet, url).Code; url != "/favicon.ico" && code != http.StatusNotFound {
			t.Errorf("GET %s without a brand: %d", url, code)
		}
	}
}

// Every page shows the company's logo, name, colours and links.
func TestPagesOfABrand(t *testing.T) {
	b, err := NewBrand(BrandOptions{
		Accent: "#0b57d0", Logo: fmt.Appendf(nil, drawing, `viewBox="0 0 120 40"`), LogoDark: picture(40, 40),
		Links: []Link{{"Imprint <b>", "https://example.com/imprint?a=1&b=2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := New(Options{Name: "Acme & Sons", Brand: b})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range append(slices.Clone(pagePaths), "/nothing") {
		body := get(t, handler, http.MethodGet, url).Body.String()
		for _, want := range []string{
			"– Acme &amp; Sons</title>", `<link rel="stylesheet" href="assets/brand.css">`, `<link rel="icon" href="assets/logo.svg">`,
			`<img src="assets/logo.svg" alt="Acme &amp; Sons" width="84" height="28">`, `srcset="assets/logo-dark.png" width="28" height="28"`,
			`<a href="https://example.com/imprint?a=1&amp;b=2">Imprint &lt;b&gt;</a>`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("GET %s lacks %s:\n%.1500s", url, want, body)
			}
		}
		if strings.Contains(body, "Stepkey") {
			t.Errorf("GET %s names Stepkey", url)
		}
	}
	deep := get(t, handler, http.MethodGet, "/nothing/at/all").Body.String()
	for _, want := range []string{
		`href="../../assets/brand.css"`, `href="../../assets/logo.svg"`, `src="../../assets/logo.svg"`, `srcset="../../assets/logo-dark.png"`, `href="https://example.com/imprint`,
	} {
		if !strings.Contains(deep, want) {
			t.Errorf("the page below a path lacks %s:\n%s", want, deep)
		}
	}
}
