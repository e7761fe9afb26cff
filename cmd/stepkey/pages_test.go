package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every page is below 40 kB with all that it loads: what its HTML and its modules name, and what they fetch before anybody does
// anything. /docs has the calls of the OpenAPI document in its HTML.
func TestPagesAreLight(t *testing.T) {
	const limit = 40_000 // bytes of bodies, as sent to browsers
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	start(t)
	for _, page := range []string{"/demo", "/sign-in", "/sign-up", "/verify", "/account", "/docs", "/recover", "/recover-by-link", "/reset-password", "/confirm-email", "/not-me"} {
		weight, loaded := 0, []string{}
		var load func(address string)
		load = func(address string) {
			if slices.Contains(loaded, address) {
				return
			}
			loaded = append(loaded, address)
			text, sent := compressed(t, "http://localhost:"+port+address)
			weight += sent
			for _, match := range loads.FindAllStringSubmatch(text, -1) {
				// Imports are relative to the module, all else to the page.
				name := path.Join("/", match[1]+match[3])
				if match[2] != "" {
					name = path.Join(path.Dir(address), match[2])
				}
				load(name)
			}
		}
		load(page)
		t.Logf("%s: %d bytes in %d files", page, weight, len(loaded))
		if weight >= limit {
			t.Errorf("%s weighs %d bytes, want less than %d: %v", page, weight, limit, loaded)
		}
	}
}

// loads finds files in HTML, imports of modules, and calls of fetch.
var loads = regexp.MustCompile(`(?:src|href)="(assets/[^"]+|stepkey\.js)"|(?m:(?:from |import\(?)"(\.[^"]+)")|\bfetch\("([^"]+)"`)

// compressed gets a file as browsers do, and returns its text and how many bytes came.
func compressed(t *testing.T, address string) (text string, sent int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 || response.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%s: %d, %v, %v", address, response.StatusCode, response.Header, err)
	}
	reader, err := gzip.NewReader(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain), len(body)
}

// A mistake in a language file stops the start, and the error says where it is.
func TestBadLanguageFiles(t *testing.T) {
	for content, want := range map[string]string{
		`{"pages": {"skip": "Aller au contenu"}}`:    "",
		`{"pages": {"skpi": "Aller au contenu"}}`:    `STEPKEY_MESSAGES: fr.json: there is no message "pages.skpi"; see en.json`,
		`{"pages": {"title": "{page} chez {site}"}}`: "STEPKEY_MESSAGES: fr.json: pages.title has the unknown argument {site}",
		`{"pages": `: "STEPKEY_MESSAGES: fr.json: ",
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "fr.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		said := ""
		if _, err := (settings{Messages: folder}).pages(nil); err != nil {
			said = settingNames.Replace(err.Error())
		}
		if (said == "") != (want == "") || !strings.HasPrefix(said, want) {
			t.Errorf("%s: %q, want %q", content, said, want)
		}
	}
}
