package browser

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/patience"
)

// Below a prefix the pages find their scripts, the API and each other. Nothing is at the root.
func TestPagesBelowAPrefix(t *testing.T) {
	const prefix = "/auth-service"
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://localhost:" + port
	p := start(t, "RP_ORIGIN="+origin)
	p.expect("400 " + prefix + "/passkeys/authenticate/options")
	service, err := url.Parse(p.server.URL())
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, httputil.NewSingleHostReverseProxy(service)))
	proxy := &http.Server{Handler: mux, ReadHeaderTimeout: patience.Long}
	go proxy.Serve(listener)
	t.Cleanup(func() { proxy.Close() })

	p.Authenticator(true)
	p.Go(origin + prefix + "/")
	p.addPasskey("mira")
	p.See("badge", "Full level")
	p.Press("open", "Open the page")
	p.See("open", `200 {"success":true}`)

	p.Go(origin + prefix + "/account")
	p.See("passkeys", "Added today")
	p.Go(origin + prefix + "/docs")
	p.Wait("the calls", `document.querySelectorAll(".operation").length > 20`)
	for _, link := range Eval[[]string](p.Page, `[...document.querySelectorAll("a[href]")].map(a => a.href)`) {
		if strings.HasPrefix(link, origin) && !strings.HasPrefix(link, origin+prefix+"/") {
			t.Errorf("/docs links to %s", link)
		}
	}
}
