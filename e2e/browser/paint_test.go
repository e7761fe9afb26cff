package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// roundTrips is the longest chain of requests that waited for each other, as text: first of those that began before anything was
// painted, then of all style sheets and scripts. A request waited for those that had ended when it began.
const roundTrips = `(() => {
	const [paint] = performance.getEntriesByName("first-contentful-paint");
	const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
		.map(({ name, startTime, responseEnd }) => ({ name: new URL(name).pathname, startTime, responseEnd }));
	const longest = entries => {
		let found = [];
		for (const entry of entries.sort((a, b) => a.startTime - b.startTime)) {
			const before = entries.filter(e => e.chain && e.responseEnd <= entry.startTime).map(e => e.chain);
			entry.chain = [...before.reduce((a, b) => b.length > a.length ? b : a, []), entry.name];
			if (entry.chain.length > found.length) found = entry.chain;
		}
		return found.join(" > ");
	};
	return [
		longest(all.filter(e => e.startTime < paint.startTime).map(e => ({ ...e }))),
		longest(all.filter((e, i) => !i || /\.(?:js|css)$/.test(e.name)).map(e => ({ ...e }))),
	];
})()`

// measured are figures for docs/performance.md, which decide nothing here: requests and the bytes of their bodies on the
// wire, with an empty cache, and milliseconds until the first paint.
const measured = `(([paint]) => {
	const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
	return all.length + " requests, " + all.reduce((sum, e) => sum + e.encodedBodySize, 0) + " bytes, " + Math.round(paint.startTime) + " ms";
})(performance.getEntriesByName("first-contentful-paint"))`

// On a slow network the first thing is painted after two round trips: the page, then all its style sheets and scripts at once. No
// module waits for another. Requests are counted instead of seconds, so that a busy machine changes nothing.
func TestTwoRoundTripsBeforeAnythingIsSeen(t *testing.T) {
	p := start(t)
	p.Latency(300 * time.Millisecond)
	look := func(state string, paths ...string) {
		for _, path := range paths {
			p.Go("about:blank")
			p.call("empty the cache", func() error { _, err := chromedp.Call(p.ctx, network.ClearBrowserCache, struct{}{}); return err })
			p.Go(p.server.URL() + path)
			p.Wait("the first paint", `performance.getEntriesByName("first-contentful-paint").length`)
			p.Wait("the page", `document.readyState === "complete" && !document.querySelector(".unsettled")`)
			t.Logf("%s, %s: %s", path, state, Eval[string](p.Page, measured))
			for i, chain := range Eval[[]string](p.Page, roundTrips) {
				if strings.Count(chain, " > ") != 1 {
					t.Errorf("%s, %s: %s wait for each other: %s", path, state, []string{"requests before the first paint", "style sheets and scripts"}[i], chain)
				}
			}
		}
	}
	look("signed out", "/demo", "/account", "/sign-in", "/sign-up", "/recover", "/docs")
	p.Latency(0)
	p.load()
	p.run(enter)
	p.Latency(300 * time.Millisecond)
	look("signed in", "/demo", "/account", "/recover")
}

// The reference finds calls and codes by any words in them, folds them open for a link, and needs no script to be read.
func TestSearchInTheReference(t *testing.T) {
	p := start(t)
	p.Look(1280, "light")
	p.Go(p.server.URL() + "/docs")
	shown := func() string {
		return Eval[string](p.Page, `[...document.querySelectorAll(".operation h3, .problem h3 code")].filter(e => e.checkVisibility()).map(e => e.textContent).join(", ")`)
	}
	whole := shown()
	p.Keys("/")
	if at := Eval[string](p.Page, `document.activeElement.id`); at != "find" {
		t.Fatalf("after / the focus is at %q", at)
	}
	for _, test := range []struct{ words, found, contains string }{
		{"introspection secret", "Calls found: 1. Codes found: 0.", "POST /auth/introspect"},
		{"CHALLENGE_EXPIRED", "", "challenge_expired"},
		{"/passkeys/login verify", "", "POST /passkeys/login/verify"},
		{"no such thing", "Calls found: 0. Codes found: 0.", ""},
	} {
		Eval[bool](p.Page, `(document.getElementById("find").select(), true)`)
		p.Keys(test.words)
		p.Wait("the count", fmt.Sprintf(`(text => text.startsWith("Calls found: ") && [text, ""].includes(%q))(document.getElementById("found").textContent)`, test.found))
		p.Wait("what is found", fmt.Sprintf(`[...document.querySelectorAll(".operation, .problem")].filter(e => e.checkVisibility()).every(e => %q.split(" ").every(w => e.textContent.toLowerCase().includes(w)))`, strings.ToLower(test.words)))
		got := shown()
		if !strings.Contains(got, test.contains) || got == whole || (test.contains == "") != (got == "") {
			t.Errorf("%q finds %q", test.words, got)
		}
	}
	// A link to a call that is filtered out shows it, open.
	Eval[bool](p.Page, `(location.hash = "logIn", true)`)
	p.Wait("the call", `document.querySelector(".operation:has(#logIn)[open]") && document.getElementById("find").value === ""`)
	if got := shown(); got != whole {
		t.Errorf("afterwards %q is shown", got)
	}
	// The key is a letter like any other in a field, and where it was switched off.
	Eval[bool](p.Page, `(document.getElementById("slash").click(), document.activeElement.blur(), true)`)
	p.Keys("/")
	if at := Eval[string](p.Page, `document.activeElement.id`); at == "find" {
		t.Error("the key cannot be switched off")
	}
	if address := Eval[string](p.Page, `document.getElementById("here").textContent`); address != p.server.URL() {
		t.Errorf("the examples call %s", address)
	}
}
