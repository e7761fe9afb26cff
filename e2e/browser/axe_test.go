package browser

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// axe-core finds mistakes in how pages speak to assistive technology. It is fetched from npm once, by version and digest,
// into the cache of the user who runs the tests; it is neither part of the project nor ever served.
const (
	axeURL       = "https://registry.npmjs.org/axe-core/-/axe-core-4.14.1.tgz"
	axeIntegrity = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// axe returns the source of axe-core.
func axe(t *testing.T) string {
	t.Helper()
	return fromNPM(t, axeURL, axeIntegrity, "package/axe.min.js")
}

// fromNPM returns a file of a package, which is fetched once.
func fromNPM(t *testing.T, url, integrity, name string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(cache, "stepkey", filepath.Base(url))
	archive, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		archive, err = fetch(url)
	}
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha512.Sum512(archive); base64.StdEncoding.EncodeToString(sum[:]) != integrity {
		t.Fatalf("%s is not what it was when it was chosen", url)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, archive, 0o600)); err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if err != nil {
			t.Fatal(err)
		}
		if header.Name == name {
			source, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			return string(source)
		}
	}
}

func fetch(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}

// accessible runs axe over the page as it is, light and dark, on a small phone and on a desk.
func (p *tab) accessible(source, state string) {
	p.t.Helper()
	for _, width := range []int64{320, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			p.Look(width, scheme)
			Eval[bool](p.Page, "(() => { if (!window.axe) { "+source+"\n } return true; })()")
			found := Eval[[]string](p.Page, `axe.run(document, { resultTypes: ["violations"] }).then(r =>
				r.violations.flatMap(v => v.nodes.map(n => v.id + " " + n.target + ": " + n.failureSummary)))`)
			for _, violation := range found {
				p.t.Errorf("%s, %d px, %s: %s", state, width, scheme, violation)
			}
		}
	}
}

// No page is in a state that axe objects to.
func TestAccessible(t *testing.T) {
	source := axe(t)
	p := start(t)
	p.expect("403 /users/histories", "401 /auth/login", "400 /auth/signup")
	device := p.Authenticator(true)
	p.accessible(source, "start")
	p.Type("new-name", "mira")
	p.Type("new-password", "short")
	p.Press("signup", "Create account")
	p.See("signup", "Use at least 8 characters.")
	p.accessible(source, "field error")
	p.Type("new-password", password)
	p.Press("signup", "Create account")
	p.Current("signin")
	p.accessible(source, "sign-in")
	p.Type("password", "something else")
	p.Press("signin", "Sign in")
	p.See("signin", "Username or password is not right.")
	p.accessible(source, "wrong password")
	p.Type("password", password)
	p.Press("signin", "Sign in")
	p.Current("add")
	p.accessible(source, "add")
	device.Present(false)
	p.Press("add", "Add a passkey")
	p.See("add", "Follow your device")
	p.accessible(source, "waiting")
	p.Press("add", "Stop")
	p.See("add", "Add a passkey")
	device.Present(true)
	device.Verified(false)
	p.Press("add", "Add a passkey")
	p.See("add", "No passkey was made.")
	p.accessible(source, "cancelled")
	device.Verified(true)
	p.Press("add", "Try again")
	p.Current("open")
	p.accessible(source, "added")
	p.act(`await stepkey.signIn(` + credentials + `)`)
	p.Current("verify")
	p.Press("open", "Open the page")
	p.See("open", "This page needs full level.")
	p.accessible(source, "refused")
	p.Press("verify", "Verify with a passkey")
	p.Current("open")
	p.Press("log", "Device\nnavigator.credentials.get()")
	p.Press("open", "Open the page")
	p.See("open", "The server saw full level")
	p.accessible(source, "open")
	device.Present(false)
	p.Press("top", "Sign out")
	p.Current("signin")
	p.accessible(source, "sign-in with a passkey")
	p.Press("signin", "Sign in with a passkey")
	p.See("signin", "Follow your device")
	p.accessible(source, "waiting at sign-in")
	device.Verified(false) // or a list that begins would be answered as soon as somebody is there
	p.Press("signin", "Stop")
	device.Present(true)
	p.Press("signin", "Sign in with a passkey")
	p.See("signin", "No passkey was used.")
	p.accessible(source, "no passkey at sign-in")
	p.Wait("the list to be closed", closed)
	device.Verified(true)
	p.Press("signin", "Try again")
	p.See("claims", "a passkey alone")
	p.accessible(source, "a passkey alone")
	device.Remove()
	p.Press("top", "Sign out")
	p.Press("signin", "Create an account")
	p.signIn("noor")
	p.Press("add", "Not now")
	p.Current("open")
	p.accessible(source, "not now")
	for _, page := range []string{"/docs", "/confirm-email", "/confirm-email#token", "/reset-password", "/reset-password#token", "/not-me#token", "/recover", "/recover-by-link", "/recover-by-link#token"} {
		p.Go("about:blank")
		p.Go(p.server.URL() + page)
		if page == "/docs" {
			Eval[bool](p.Page, `(document.querySelectorAll(".operation").forEach(call => { call.open = true; }), true)`)
		}
		p.accessible(source, page)
	}
}
