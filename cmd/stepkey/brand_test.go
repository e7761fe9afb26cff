package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBrand(t *testing.T) {
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	logo := file("logo.svg", `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"/>`)
	large := file("large.css", strings.Repeat("a{}", 1<<15))
	for name, s := range map[string]brandSettings{
		"nothing": {},
		"all": {
			Accent: "#0b57d0", AccentDark: "#a8c7fa", Logo: logo, LogoDark: logo, CSS: file("own.css", "h1{font-weight:400}"),
			FooterLinks: []string{"Imprint=https://example.com/imprint?a=b", " Privacy = /privacy"},
		},
	} {
		if _, err := s.brand(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for want, s := range map[string]brandSettings{
		"use #":                {Accent: "#ffcc00"},
		"STEPKEY_LOGO:":        {Logo: filepath.Join(folder, "none.svg")},
		"STEPKEY_LOGO_DARK:":   {Logo: logo, LogoDark: large},
		"STEPKEY_CSS:":         {CSS: large},
		"STEPKEY_FOOTER_LINKS": {FooterLinks: []string{"https://example.com"}},
		"no https, http":       {FooterLinks: []string{"Imprint=javascript:alert(1)"}},
		"PNG":                  {Logo: file("logo.gif", "GIF89a")},
	} {
		if _, err := s.brand(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
}
