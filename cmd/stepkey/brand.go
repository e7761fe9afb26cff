package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/stepkey/stepkey/webui"
)

// brandSettings are how the pages look like those of a company.
type brandSettings struct {
	Accent      string   `env:"STEPKEY_ACCENT" help:"Colour of buttons and links, such as #1a5c48. It needs a contrast of at least 4.5 with the pages. Default: Stepkey's green."`
	AccentDark  string   `name:"accent-dark" env:"STEPKEY_ACCENT_DARK" help:"That colour on dark pages. Default: a lighter STEPKEY_ACCENT."`
	Logo        string   `env:"STEPKEY_LOGO" help:"SVG or PNG file with the logo for the head of the pages, at most 32 KiB. Default: Stepkey's mark beside RP_NAME."`
	LogoDark    string   `name:"logo-dark" env:"STEPKEY_LOGO_DARK" help:"The logo for dark pages. Default: STEPKEY_LOGO."`
	FooterLinks []string `name:"footer-links" env:"STEPKEY_FOOTER_LINKS" sep:"," help:"Links at the foot of the pages, such as Imprint=https://example.com/imprint,Privacy=/privacy. Default: none."`
	CSS         string   `name:"css" env:"STEPKEY_CSS" help:"Style sheet that the pages load after their own, at most 64 KiB. Its colours are not checked."`
}

// brand reads the files and checks everything, so that pages that nobody can read never start. It returns nil if
// nothing is set.
func (s brandSettings) brand() (*webui.Brand, error) {
	options := webui.BrandOptions{Accent: s.Accent, AccentDark: s.AccentDark}
	var faults []error
	for setting, file := range map[string]struct {
		path string
		max  int
		into *[]byte
	}{
		"STEPKEY_LOGO":      {s.Logo, webui.MaxLogo, &options.Logo},
		"STEPKEY_LOGO_DARK": {s.LogoDark, webui.MaxLogo, &options.LogoDark},
		"STEPKEY_CSS":       {s.CSS, webui.MaxStyle, &options.Style},
	} {
		body, err := readSmall(file.path, file.max)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", setting, err))
		}
		*file.into = body
	}
	for _, text := range trimAll(s.FooterLinks) {
		name, url, ok := strings.Cut(text, "=")
		if !ok {
			faults = append(faults, errors.New("STEPKEY_FOOTER_LINKS is a list of TEXT=URL, separated by commas"))
			continue
		}
		options.Links = append(options.Links, webui.Link{Text: strings.TrimSpace(name), URL: strings.TrimSpace(url)})
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	brand, err := webui.NewBrand(options)
	if err != nil {
		return nil, fmt.Errorf("the look of the pages cannot be used: %w", err)
	}
	return brand, nil
}

// readSmall reads a file of at most limit bytes. An empty path is an empty file.
func readSmall(path string, limit int) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > int64(limit) {
		return nil, fmt.Errorf("the file is larger than %d bytes", limit)
	}
	return os.ReadFile(path)
}
