// Package stepkeytest lets an application's own tests use its pages as a person with a passkey
// does, with real ceremonies: [Client] is a small browser with an authenticator.
package stepkeytest

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// Client is a browser of one person at one application that uses package stepup. It keeps
// cookies, follows redirects, and verifies its passkey when a page asks for it. It fails the test
// where a person would be stuck. A Client must not be used by several goroutines at once.
type Client struct {
	t       testing.TB
	base    string
	path    string // of the Kit
	http    *http.Client
	device  *authenticator.Authenticator
	refuses bool
}

// NewClient returns a browser for the application at url, such as that of an httptest.Server. The
// application's Config.Origins has to list url, which names localhost and not 127.0.0.1.
func NewClient(t testing.TB, url string) *Client {
	t.Helper()
	if strings.Contains(url, "//127.0.0.1") || strings.Contains(url, "//[") {
		t.Fatalf("stepkeytest: passkeys belong to a name and not to an address: use http://localhost:PORT instead of %s", url)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{
		t: t, base: strings.TrimSuffix(url, "/"), path: "/_stepkey/", device: authenticator.New(authenticator.Config{}),
		http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// At tells the client the Config.Path of the application, if it is not the default, and returns
// the client.
func (c *Client) At(path string) *Client {
	c.path = path
	return c
}

// Refuse has the person decline to use the passkey from now on: Get and PostForm then return the
// answer that asks for it.
func (c *Client) Refuse() { c.refuses = true }

// NewDevice replaces the device by one without a passkey.
func (c *Client) NewDevice() { c.device = authenticator.New(authenticator.Config{}) }

// Enrol adds a passkey for the person who is signed in.
func (c *Client) Enrol() {
	c.t.Helper()
	var begun struct{ Options json.RawMessage }
	c.mustCall("add/begin", struct{}{}, &begun)
	response, err := c.device.Create(c.base, begun.Options)
	if err != nil {
		c.t.Fatalf("stepkeytest: the device makes no passkey: %v", err)
	}
	c.mustCall("add/finish", map[string]any{"response": json.RawMessage(response)}, nil)
}

// Get opens a page, verifies the passkey if it takes one, and returns the last answer. The caller
// need not close its body.
func (c *Client) Get(path string) *http.Response {
	c.t.Helper()
	return c.follow(c.navigate(http.MethodGet, path, nil, ""))
}

// PostForm posts a form as a page of the application does, verifies the passkey if that takes one,
// and returns the answer to the post. The caller need not close its body.
func (c *Client) PostForm(path string, form url.Values) *http.Response {
	c.t.Helper()
	return c.follow(c.navigate(http.MethodPost, path, strings.NewReader(asBrowsersDo.Replace(form.Encode())), "application/x-www-form-urlencoded"))
}

// asBrowsersDo turns the escapes of net/url into those of browsers (URL Standard,
// application/x-www-form-urlencoded).
var asBrowsersDo = strings.NewReplacer("~", "%7E", "%2A", "*")

// Body returns the body of an answer.
func (c *Client) Body(answer *http.Response) string {
	c.t.Helper()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return string(body)
}

// Call posts JSON to a path of the application as a script of its pages does.
func (c *Client) Call(path string, body any) *http.Response {
	c.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	r := c.request(http.MethodPost, path, bytes.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "*/*")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	r.Header.Set("Origin", c.base)
	return c.do(r)
}

// Do sends a request with the cookies of the client, as it is.
func (c *Client) Do(r *http.Request) *http.Response {
	c.t.Helper()
	return c.do(r)
}

// Verify verifies the passkey for a purpose, as the script does that the application's pages
// load.
func (c *Client) Verify(purpose string) {
	c.t.Helper()
	c.verify(map[string]any{"purpose": purpose}, "")
}

func (c *Client) request(method, path string, body io.Reader) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Safari/537.36")
	r.Header.Set("Referer", c.base+"/")
	return r
}

func (c *Client) navigate(method, path string, body io.Reader, contentType string) *http.Response {
	c.t.Helper()
	r := c.request(method, path, body)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	if method == http.MethodPost {
		r.Header.Set("Origin", c.base)
		r.Header.Set("Content-Type", contentType)
	}
	return c.do(r)
}

func (c *Client) do(r *http.Request) *http.Response {
	c.t.Helper()
	answer, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := answer.Body.Close(); err != nil {
		c.t.Fatal(err)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer
}

// maxSteps bounds redirects and verifications of one call: more of them are a loop.
const maxSteps = 10

// follow does what a browser and a person do with an answer until one is a page of the
// application.
func (c *Client) follow(answer *http.Response) *http.Response {
	c.t.Helper()
	for range maxSteps {
		if to := answer.Header.Get("Location"); to != "" && answer.StatusCode >= 300 && answer.StatusCode < 400 {
			answer = c.navigate(http.MethodGet, c.local(answer, to), nil, "")
			continue
		}
		page, asks := c.pageOf(answer)
		if !asks || c.refuses || !page.verifies() {
			return answer
		}
		released := c.verify(map[string]any{"purpose": page["purpose"], "action": page["action"]}, page["form"])
		if released == nil {
			answer = c.navigate(http.MethodGet, page["next"], nil, "")
			continue
		}
		answer = c.navigate(http.MethodPost, released.Action, strings.NewReader(released.encode()), released.Enctype)
	}
	c.t.Fatal("stepkeytest: the application redirects or asks for a passkey again and again")
	return nil
}

// local is the path that an answer redirects to.
func (c *Client) local(answer *http.Response, to string) string {
	c.t.Helper()
	u, err := answer.Request.URL.Parse(to)
	if err != nil || u.Scheme+"://"+u.Host != c.base {
		c.t.Fatalf("stepkeytest: the application redirects to %s", to)
	}
	return u.RequestURI()
}

// verifyPage is the data of a page that asks for a passkey.
type verifyPage map[string]string

var (
	mainElement   = regexp.MustCompile(`<main id="stepkey"[^>]*>`)
	dataAttribute = regexp.MustCompile(`data-([a-z]+)="([^"]*)"`)
)

func (c *Client) pageOf(answer *http.Response) (verifyPage, bool) {
	c.t.Helper()
	element := mainElement.FindString(c.Body(answer))
	if element == "" {
		return nil, false
	}
	page := verifyPage{}
	for _, attribute := range dataAttribute.FindAllStringSubmatch(element, -1) {
		page[attribute[1]] = html.UnescapeString(attribute[2])
	}
	return page, true
}

// verifies reports whether a passkey helps on the page.
func (p verifyPage) verifies() bool { return p["state"] == "verify" || p["state"] == "again" }

// releasedForm is a form that the page kept.
type releasedForm struct {
	Action, Enctype string
	Fields          [][2]string
}

func (f *releasedForm) encode() string {
	pairs := make([]string, len(f.Fields))
	for i, field := range f.Fields {
		pairs[i] = asBrowsersDo.Replace(url.QueryEscape(field[0]) + "=" + url.QueryEscape(field[1]))
	}
	return strings.Join(pairs, "&")
}

func (c *Client) verify(begin map[string]any, form string) *releasedForm {
	c.t.Helper()
	var begun struct{ Options json.RawMessage }
	c.mustCall("begin", begin, &begun)
	response, err := c.device.Get(c.base, begun.Options)
	if err != nil {
		c.t.Fatalf("stepkeytest: the device has no passkey for this: %v", err)
	}
	var finished struct{ Form *releasedForm }
	c.mustCall("finish", map[string]any{"purpose": begin["purpose"], "form": form, "response": json.RawMessage(response)}, &finished)
	return finished.Form
}

// mustCall calls the Kit and reads its answer into result.
func (c *Client) mustCall(name string, body, result any) {
	c.t.Helper()
	answer := c.Call(c.path+name, body)
	text := c.Body(answer)
	if answer.StatusCode != http.StatusOK {
		c.t.Fatalf("stepkeytest: %s%s answers %d: %s", c.path, name, answer.StatusCode, text)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), result); err != nil {
		c.t.Fatalf("stepkeytest: %s%s answers %s: %v", c.path, name, text, err)
	}
}

// SetCookie gives the client a cookie of the application, such as one that was copied from another
// browser.
func (c *Client) SetCookie(cookie *http.Cookie) {
	c.t.Helper()
	u, err := url.Parse(c.base)
	if err != nil {
		c.t.Fatal(err)
	}
	c.http.Jar.SetCookies(u, []*http.Cookie{cookie})
}
