package httpapi

import (
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/internal/pages"
	"github.com/stepkey/stepkey/token"
)

// Options configure the handler.
type Options struct {
	// Pages serves the HTML pages and their assets: webui.Handler(). Nil means no
	// pages, for an application that has its own; then /account, /docs and the
	// well-known addresses that lead to the account page are 404. Problem types
	// still name paths below /docs, because clients may compare them.
	Pages http.Handler

	// Prefix is the path below which the handler is mounted, such as "/auth-service",
	// for the links in its answers. The default is what [http.StripPrefix] removed
	// from the path of each request. Set it if a proxy removes the prefix, or if the
	// well-known addresses are also mounted at the root. Links in mails use
	// [stepkey.Config.PublicURL] instead, which must then have the same path.
	Prefix string

	// NoSignUp leaves out POST /auth/signup, for an application that imports its users, as
	// [stepkey.SignUpClosed] does. Routes that an option leaves out answer 404 and are missing
	// from /openapi.json; this one's code is sign_up_closed. Tell the pages as well: webui.Options.
	NoSignUp bool

	// NoEmail leaves out everything that needs a mailer: the address of an account,
	// passwords reset by e-mail, recovery by e-mail, and the pages that links in mails
	// lead to.
	NoEmail bool

	// NoDemo leaves out /users/profile and /users/histories, which are examples of
	// routes protected at each level, and the demo page, which calls them. / then
	// leads to the account page.
	NoDemo bool

	// BehindGate reports whether an origin is that of an application behind package gate, whose
	// users the pages sign in. It is called for each request. Nil leaves out the route and the page
	// that lead back to such an application.
	BehindGate func(origin string) bool

	// CORSOrigins are the origins of pages on other origins that may call the API,
	// each exactly as a browser writes it. Like the pages of
	// [stepkey.Config.Origins], they may keep a session in the cookie, so list only
	// pages that you trust like your own. [stepkey.CheckPageOrigin] checks an origin.
	// The default is none. Do not list origins of stepkey.Config.AppOrigins: they
	// belong to apps, not to pages.
	CORSOrigins []string

	// IntrospectionSecret is the bearer token of services that may introspect
	// tokens (RFC 7662). Without it, introspection is off.
	IntrospectionSecret string

	// ClientIP returns the address that a request comes from, or the zero Addr. The
	// default is the address of the connection's peer. Behind a proxy that is the
	// proxy's address; see [BehindProxies].
	ClientIP func(*http.Request) netip.Addr

	// Country returns the country of an address as a code of two letters (ISO 3166-1), or "" if it is
	// not known. Lists of events and sessions name it in place of a network. It is called with the
	// first address of a network, never with that of a client, and by several goroutines. Nil means
	// that no country is known.
	Country func(netip.Addr) string

	// HSTS tells browsers to use https only. Set it if the service is reached over
	// https.
	HSTS bool

	// RequestTimeout bounds the time from the end of a request's headers to the
	// decision about it; a slower one is answered with 503. The default is
	// [DefaultRequestTimeout]. Pass the same to [NewServer].
	RequestTimeout time.Duration

	// Stopping is closed when the service is about to stop. From then on /readyz
	// answers 503 and every answer closes its connection, so that a proxy sends its
	// next requests elsewhere. Nil means that it never stops.
	Stopping <-chan struct{}

	// Log receives one line for each request, and internal errors. Nil means no
	// log.
	Log *slog.Logger
}

// api holds what the handlers share.
type api struct {
	service       *stepkey.Service
	guard         *guard.Guard
	log           *slog.Logger
	clientIP      func(*http.Request) netip.Addr
	country       func(netip.Addr) string  // or nil
	behindGate    func(origin string) bool // or nil
	pageOrigins   []string
	cookies       cookies
	stopping      <-chan struct{}
	introspection [sha256.Size]byte // digest of the secret; zero for none

	pages   http.Handler // or nil
	without parts

	description *description
}

// parts are the parts of the API that an application can leave out.
type parts struct{ signUp, email, demo, confirmation bool }

// New returns the handler. It is safe for concurrent use. It panics if one of
// Options.CORSOrigins is not the origin of a page, such as `*` or null.
func New(service *stepkey.Service, options Options) http.Handler {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.RequestTimeout <= 0 {
		options.RequestTimeout = DefaultRequestTimeout
	}
	if options.ClientIP == nil {
		options.ClientIP = peerIP
	}
	a := &api{service: service, log: options.Log, clientIP: options.ClientIP, country: options.Country, behindGate: options.BehindGate, stopping: options.Stopping, pages: options.Pages}
	a.without = parts{signUp: options.NoSignUp || service.SignUpMode() == stepkey.SignUpClosed, email: options.NoEmail, demo: options.NoDemo, confirmation: options.NoEmail || !service.RequiresConfirmedAddress()}
	a.cookies = cookiesFor(service.Origins())
	a.pageOrigins = append(a.pageOrigins, service.Origins()...)
	a.pageOrigins = append(a.pageOrigins, options.CORSOrigins...)
	if options.IntrospectionSecret != "" {
		a.introspection = sha256.Sum256([]byte(options.IntrospectionSecret))
	}
	a.guard = guard.New(service.Verifier(), guard.Options{Refuse: refuse, Clock: service.Now, Ended: service, Spender: service})

	mux := http.NewServeMux()
	routes := a.routes()
	a.description = describe(a.served(routes))
	a.describePages()
	for _, route := range routes {
		for _, path := range route.paths {
			mux.Handle(path, route.methods)
		}
	}
	if a.without.signUp {
		mux.Handle(signUpPath, http.HandlerFunc(signUpClosed))
	}
	if a.without.confirmation {
		mux.Handle(confirmationPath, http.HandlerFunc(confirmationOff))
	}
	a.mountPages(mux)
	mux.Handle("/", http.HandlerFunc(a.notFound))

	var handler http.Handler = mux
	handler = allowOrigins(options.CORSOrigins, handler)
	handler = recoverPanics(options.Log, handler)
	handler = closeConnections(options.Stopping, handler)
	return &entrance{
		prefix: escaped(options.Prefix), timeout: options.RequestTimeout, headers: secureHeaders(options.HSTS), log: options.Log, next: handler,
	}
}

// pagePaths returns the paths of the pages that the API does not use.
func (a *api) pagePaths() []string {
	if a.pages == nil {
		return nil
	}
	paths := []string{pages.Docs, pages.Recover, pages.RecoverByLink, pages.SignIn, pages.Verify}
	if a.behindGate != nil {
		paths = append(paths, pages.Continue)
	}
	if !a.without.demo {
		paths = append(paths, pages.Home, pages.Demo)
	}
	if !a.without.signUp {
		paths = append(paths, pages.Invitation)
	}
	if !a.without.signUp && a.service.SignUpMode() == stepkey.SignUpOpen {
		paths = append(paths, pages.SignUp)
	}
	if !a.without.email {
		paths = append(paths, pages.ConfirmEmail, pages.ResetPassword, pages.NotMe)
	}
	return paths
}

// describePages gives the description to pages that show it, as those of webui do.
func (a *api) describePages() {
	readers, ok := a.pages.(interface {
		WithDocument(document func() []byte) (http.Handler, error)
	})
	if !ok {
		return
	}
	described, err := readers.WithDocument(a.description.root.Body)
	if err != nil {
		panic(err) // the page is embedded
	}
	a.pages = described
}

// mountPages mounts the pages at their own paths, so that the API answers for
// every other unknown path.
func (a *api) mountPages(mux *http.ServeMux) {
	if a.pages == nil {
		return
	}
	for _, path := range a.pagePaths() {
		if path == pages.Home {
			path = "/{$}" // a pattern that ends in / would match everything
		}
		mux.Handle(path, a.pages)
	}
	if a.without.demo {
		// The pages lead from / to the demo.
		mux.Handle("/{$}", a.answer(redirectTo(pages.Account)))
	}
	for _, path := range []string{"/favicon.ico", "/assets/", "/stepkey.js", "/stepkey.d.ts"} {
		mux.Handle(path, a.pages)
	}
}

// signUpClosed answers in place of the route, in no document, so that clients that were made for an
// open sign-up read why there is none.
func signUpClosed(w http.ResponseWriter, r *http.Request) { writeProblem(w, r, problemSignUpClosed) }

// notFound answers a person, whose browser asks for HTML, with a page, and everybody else with a problem document.
func (a *api) notFound(w http.ResponseWriter, r *http.Request) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if a.pages != nil && reads && strings.Contains(r.Header.Get("Accept"), "text/html") {
		// A page that is left out has a path that the pages know. The last element goes, the depth stays.
		missing := r.Clone(r.Context())
		missing.URL.Path = r.URL.Path[:strings.LastIndex(r.URL.Path, "/")+1] + "404"
		a.pages.ServeHTTP(w, missing)
		return
	}
	writeProblem(w, r, problemNotFound)
}

// refuse writes the guard's refusals as problem documents.
func refuse(w http.ResponseWriter, r *http.Request, refusal guard.Refusal) {
	noteCause(r, refusal.Cause)
	if refusal.Status == http.StatusServiceUnavailable {
		writeProblem(w, r, problemUnavailable)
		return
	}
	if refusal.StepUp() && refusal.Level == token.LevelPassword {
		// A token that does not meet level password is at level recovery.
		p := problemRecoveryOnly
		p.status, p.challenge = refusal.Status, refusal.Challenge()
		writeProblem(w, r, p)
		return
	}
	if refusal.StepUp() {
		writeProblem(w, r, stepUpProblem(refusal))
		return
	}
	p := problemUnauthorized
	p.challenge = refusal.Challenge()
	writeProblem(w, r, p)
}
