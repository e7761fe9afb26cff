// Package browser drives Stepkey's page in a real Chromium, through the Chrome DevTools Protocol and its virtual
// authenticator. The tests of this package are the proof that the whole path works; the command screenshots below it
// draws every state of the page for a person to look at.
//
// Presses and keys are real input events at the place where a person would press, so what is covered, hidden or out of
// the tab order cannot be reached here either.
package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/stepkey/stepkey/internal/patience"
)

// TB is the part of testing.TB used here, so that a command can drive pages too. Fatalf must not return.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Executable is the path of an installed Chromium or Chrome, or empty.
func Executable() string {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// Launch starts a headless Chromium with an empty profile in dir, and with more options where the test needs some, and
// returns the context that Open takes. The browser ends when cancel is called, which waits for that.
func Launch(dir string, more ...chromedp.ExecAllocatorOption) (ctx context.Context, cancel context.CancelFunc, err error) {
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(Executable()),
		chromedp.UserDataDir(dir),
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-features", "Translate,BackForwardCache"),
	)
	allocator, end := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, _ = chromedp.NewContext(allocator)
	cancel = func() {
		_ = chromedp.Cancel(ctx) // the browser is thrown away, however it ends
		end()
	}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		cancel()
		return nil, nil, err
	}
	return ctx, cancel, nil
}

// WithBackForwardCache is an option of Launch for tests of what a page does that the browser kept for its back button. All others go
// without: with that cache, Chromium 156 now and then runs no script of a page with a Cross-Origin-Opener-Policy, as Stepkey's have,
// that somebody comes to from another one, and answers no DevTools about it; without, that was not seen.
var WithBackForwardCache = chromedp.Flag("disable-features", "Translate")

// Page is a tab with its own authenticator. Its methods end the test when they cannot do what they
// say. They are for one goroutine.
type Page struct {
	tb  TB
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	events     []string
}

// Open opens a tab in a profile of its own, without cookies, storage or cache.
func Open(tb TB, ctx context.Context) (*Page, context.CancelFunc) {
	tb.Helper()
	return open(tb, ctx, chromedp.WithNewBrowserContext())
}

// Beside opens another tab in the profile of p.
func (p *Page) Beside() (*Page, context.CancelFunc) {
	p.tb.Helper()
	return open(p.tb, p.ctx)
}

func open(tb TB, ctx context.Context, options ...chromedp.ContextOption) (*Page, context.CancelFunc) {
	tb.Helper()
	p := &Page{tb: tb}
	tab, cancel := chromedp.NewContext(ctx, append(options, chromedp.WithListener(p.listen))...)
	p.ctx = tab
	p.do("open a tab", chromedp.Navigate("about:blank"))
	p.call("enable the log", func() error { _, err := chromedp.Call(tab, log.Enable, struct{}{}); return err })
	// A page in the background has no focus, and asking a device needs it.
	p.call("focus", func() error {
		_, err := chromedp.Call(tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return err
	})
	return p, cancel
}

// listen keeps what the browser holds against the page: exceptions, console errors, and its own log, in which
// violations of the Content-Security-Policy and of Trusted Types appear. It keeps besides what authenticators report.
func (p *Page) listen(event any) {
	var text string
	switch e := event.(type) {
	case *webauthn.EventCredentialAdded:
		p.happened("added")
		return
	case *webauthn.EventCredentialAsserted:
		p.happened("asserted")
		return
	case *webauthn.EventCredentialUpdated:
		p.happened("updated")
		return
	case *webauthn.EventCredentialDeleted:
		p.happened("deleted")
		return
	case *runtime.EventExceptionThrown:
		text = "exception: " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeError && e.Type != runtime.ConsoleAPICalledTypeWarning {
			return
		}
		args, _ := json.Marshal(e.Args)
		text = fmt.Sprintf("console %s: %s", e.Type, args)
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError && e.Entry.Level != log.EntryLevelWarning {
			return
		}
		text = fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = append(p.complaints, text)
}

// Complaints returns what the browser held against the page so far. A refusal by the server that the test expects is
// left out: each of allowed is the status and path of one, such as "403 /users/histories".
func (p *Page) Complaints(allowed ...string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.complaints), func(text string) bool {
		return slices.ContainsFunc(allowed, func(refusal string) bool {
			status, path, _ := strings.Cut(refusal, " ")
			return strings.HasPrefix(text, "network error: Failed to load resource: the server responded with a status of "+status) &&
				strings.HasSuffix(text, path)
		})
	})
}

// Go loads an address and waits until the page is loaded.
func (p *Page) Go(url string) {
	p.tb.Helper()
	p.call("open "+url, func() error {
		err := chromedp.Do(p.ctx, chromedp.Navigate(url))
		if err != nil && strings.Contains(err.Error(), "net::ERR_ABORTED") {
			// Another page was on its way, as after a press of the back button.
			err = chromedp.Do(p.ctx, chromedp.Navigate(url))
		}
		return err
	})
}

// Look sets the size of the window in CSS pixels and the colour scheme, "light" or "dark".
func (p *Page) Look(width int64, scheme string) {
	p.tb.Helper()
	p.do("set the size", chromedp.EmulateViewport(width, 900))
	p.call("set the colours", func() error {
		_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	})
}

// Media sets the medium, "screen" or "print", and a feature of it.
func (p *Page) Media(medium, feature, value string) {
	p.tb.Helper()
	p.call("set the medium", func() error {
		_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: medium, Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
		})
		return err
	})
}

// Offline takes the tab off the network, or back to it.
func (p *Page) Offline(yes bool) {
	p.tb.Helper()
	p.call("go offline", func() error {
		command := cdp.Command[network.OverrideNetworkStateParams, cdp.Empty]{Method: "Network.emulateNetworkConditions"}
		_, err := chromedp.Call(p.ctx, command, network.OverrideNetworkStateParams{Offline: yes, DownloadThroughput: -1, UploadThroughput: -1})
		return err
	})
}

// Latency has every answer of the network arrive that much later. Zero is the network as it is.
func (p *Page) Latency(latency time.Duration) {
	p.tb.Helper()
	p.call("slow down", func() error {
		command := cdp.Command[network.OverrideNetworkStateParams, cdp.Empty]{Method: "Network.emulateNetworkConditions"}
		_, err := chromedp.Call(p.ctx, command, network.OverrideNetworkStateParams{
			Latency: float64(latency.Milliseconds()), DownloadThroughput: -1, UploadThroughput: -1,
		})
		return err
	})
}

// told are the roles by which a screen reader leads through a page. The text between is read along.
var told = []string{
	"alert", "banner", "button", "contentinfo", "dialog", "form", "heading", "link", "list", "main", "navigation", "region",
	"status", "textbox",
}

// Heard is the page as the browser gives it to a screen reader, in that order: roles and names, and the states that hold.
func (p *Page) Heard() (lines []string) {
	p.tb.Helper()
	tree, err := chromedp.Call(p.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		p.tb.Fatalf("get the accessibility tree: %v", err)
	}
	nodes := map[accessibility.NodeID]*accessibility.Node{}
	for _, node := range tree.Nodes {
		nodes[node.NodeID] = node
	}
	var read func(id accessibility.NodeID)
	read = func(id accessibility.NodeID) {
		node := nodes[id]
		if node == nil {
			return
		}
		if role := text(node.Role); !node.Ignored && slices.Contains(told, role) {
			line := strings.TrimSpace(role + " " + text(node.Name))
			for _, property := range node.Properties {
				switch property.Name {
				case "busy", "disabled", "pressed", "invalid", "modal":
					if text(property.Value) != "false" {
						line += ", " + string(property.Name)
					}
				}
			}
			lines = append(lines, line)
		}
		for _, child := range node.ChildIDs {
			read(child)
		}
	}
	read(tree.Nodes[0].NodeID)
	return lines
}

// text is the value of a node or property, a string or a truth, in words.
func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var value any
	if err := json.Unmarshal(v.Value, &value); err != nil {
		return ""
	}
	return fmt.Sprint(value)
}

// Picture is a PNG of the whole page.
func (p *Page) Picture() []byte {
	p.tb.Helper()
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.tb.Fatalf("take a picture: %v", err)
	}
	return png
}

// View is a PNG of what a window of that size shows, from the top.
func (p *Page) View(width, height int64) []byte {
	p.tb.Helper()
	Eval[bool](p, `(scrollTo({ top: 0, behavior: "instant" }), true)`)
	p.do("set the size", chromedp.EmulateViewport(width, height))
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.tb.Fatalf("take a picture: %v", err)
	}
	return png
}

// Before runs a script in every document of the tab before the page's own.
func (p *Page) Before(script string) {
	p.tb.Helper()
	p.call("add a script", func() error {
		_, err := chromedp.Call(p.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	})
}

// Eval evaluates an expression, awaiting a promise, and decodes its JSON.
func Eval[T any](p *Page, expression string) T {
	p.tb.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.tb.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// Wait waits until an expression is true. The browser may be on its way to another page, which takes the answer with it.
func (p *Page) Wait(what, expression string) {
	p.tb.Helper()
	for end := time.Now().Add(patience.Long); ; time.Sleep(20 * time.Millisecond) {
		there, err := p.holds(expression)
		if err == nil && there {
			return
		}
		if time.Now().After(end) {
			p.tb.Fatalf("waited in vain for %s: %v; the page says:\n%s", what, err, p.text())
		}
	}
}

// text is what the page says, if it answers.
func (p *Page) text() string {
	ctx, cancel := context.WithTimeout(p.ctx, answerTime)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// answerTime is how long a page may take to say whether something is so. One that leaves for another page may take the question
// with it, and would never answer.
const answerTime = 10 * time.Second

// holds reports whether an expression is true. It is not if the page does not answer.
func (p *Page) holds(expression string) (bool, error) {
	ctx, cancel := context.WithTimeout(p.ctx, answerTime)
	defer cancel()
	holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")", chromedp.EvalAwaitPromise))
	if errors.Is(err, context.DeadlineExceeded) {
		return false, nil
	}
	return holds, err
}

// See waits until a text is visible in the element with the id. That of an element that is not shown would count as its innerText.
func (p *Page) See(id, text string) {
	p.tb.Helper()
	p.Wait(fmt.Sprintf("%q in #%s", text, id), fmt.Sprintf(`(at => at?.checkVisibility() && at.innerText.includes(%q))(document.getElementById(%q))`, text, id))
}

// Current waits until the step with the id is the current one.
func (p *Page) Current(id string) {
	p.tb.Helper()
	p.Wait("step "+id, fmt.Sprintf(`document.querySelector("#%s[aria-current=step]")`, id))
}

// Press presses the visible button with the words in the element with the id, with the mouse.
func (p *Page) Press(id, words string) {
	p.tb.Helper()
	p.press(fmt.Sprintf("button %q in #%s", words, id),
		fmt.Sprintf(`[...document.querySelectorAll("#%[1]s :is(button, summary)")].find(b => b.checkVisibility() && b.innerText.trim().startsWith(%[2]q))`, id, words))
}

// Follow presses the first element that a selector finds once it is visible, with the mouse.
func (p *Page) Follow(selector string) {
	p.tb.Helper()
	p.press(selector, fmt.Sprintf(`[document.querySelector(%q)].find(at => at?.checkVisibility())`, selector))
}

func (p *Page) press(what, element string) {
	p.tb.Helper()
	p.Wait(what, element)
	at := Eval[[]float64](p, `(() => { const b = `+element+`; b.scrollIntoView({block: "center", behavior: "instant"}); const r = b.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
	p.click(at)
}

// Back goes back in the history as the browser's button does.
func (p *Page) Back() {
	p.tb.Helper()
	Eval[bool](p, `(setTimeout(() => history.back()), true)`)
}

// click presses what is at a place in the window.
func (p *Page) click(at []float64) {
	p.tb.Helper()
	p.do("press", chromedp.MouseClickXY(at[0], at[1]))
}

// Type replaces what a field holds by typing, once the field is there to be typed in.
func (p *Page) Type(id, text string) {
	p.tb.Helper()
	p.Wait("the field "+id, fmt.Sprintf(`(i => { i?.focus(); i?.select(); return i && document.activeElement === i; })(document.getElementById(%q))`, id))
	p.Keys("\b" + text)
}

// Keys sends keys to what has the focus; "\t" and "\r" are Tab and Enter.
func (p *Page) Keys(keys string) {
	p.tb.Helper()
	p.do("type", chromedp.KeyEvent(keys))
}

// Cookies are the names of the cookies that the browser holds for the page.
func (p *Page) Cookies() (names []string) {
	p.tb.Helper()
	held, err := chromedp.Call(p.ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		p.tb.Fatalf("get cookies: %v", err)
	}
	for _, cookie := range held.Cookies {
		names = append(names, cookie.Name)
	}
	return names
}

func (p *Page) do(what string, action chromedp.Action[chromedp.Void]) {
	p.tb.Helper()
	p.call(what, func() error { return chromedp.Do(p.ctx, action) })
}

func (p *Page) call(what string, run func() error) {
	p.tb.Helper()
	if err := run(); err != nil {
		p.tb.Fatalf("%s: %v", what, err)
	}
}
