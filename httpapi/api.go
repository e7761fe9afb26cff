package httpapi

import (
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/internal/pages"
	"github.com/stepkey/stepkey/token"
)

// Options change what surrounds the API.
type Options struct {
	// Pages serves the HTML pages and their assets: webui.Handler(). nil means no
	// pages; then an application has its own, and /account, /docs and the well-known
	// addresses that lead to the account page are 404. The types of problems are
	// still names below /docs, because clients may compare them.
	Pages http.Handler

	// Prefix is the path below which the handler is mounted, such as "/auth-service",
	// for the links in its answers. The default is what [http.StripPrefix] removed
	// from the path of each request. Set it where a proxy removes the prefix, or where
	// the well-known addresses are mounted at the root as well. Links in mails follow
	// [stepkey.Config.PublicURL] instead, which then has the same path.
	Prefix string

	// NoSignUp leaves out POST /auth/signup, for an application that imports its users.
	// Routes that an option leaves out answer 404 and are missing from /openapi.json. The pages of
	// webui still offer it.
	NoSignUp bool

	// NoEmail leaves out everything that needs a mailer: the address of an account,
	// passwords reset by e-mail, recovery by e-mail, and the pages that links in mails
	// lead to.
	NoEmail bool

	// NoDemo leaves out /users/profile and /users/histories, the examples of what an
	// application protects at each level, and the demo page, which calls them: / leads
	// to the account page instead.
	NoDemo bool

	// CORSOrigins are the origins of pages elsewhere that may call the API, each
	// exactly as a browser writes it. Like the pages of [stepkey.Config.Origins],
	// they may keep a session in the cookie, so list only pages that you trust like
	// your own; [stepkey.CheckPageOrigin] says what is wrong with one. The default is
	// none. An origin of stepkey.Config.AppOrigins does not belong here: it is no
	// page's.
	CORSOrigins []string

	// IntrospectionSecret is the bearer token of services that may introspect
	// tokens (RFC 7662). Without it nobody may.
	IntrospectionSecret string

	// ClientIP returns the address that a request comes from, or the zero Addr. The
	// default is the connection's peer. Behind a proxy that is the proxy's; see
	// [BehindProxies].
	ClientIP func(*http.Request) netip.Addr

	// HSTS tells browsers to come back over https only. Set it where the service
	// is reached over https.
	HSTS bool

	// RequestTimeout bounds the time from the end of a request's headers to the
	// decision about it; a slower one is answered with 503. The default is
	// [DefaultRequestTimeout]. Pass the same to [NewServer].
	RequestTimeout time.Duration

	// Stopping is closed when the service is about to stop. From then on /readyz
	// answers 503 and every answer closes its connection, so that a proxy sends its
	// next requests elsewhere. nil means that it never stops.
	Stopping <-chan struct{}

	// Log takes one line for each request, and what went wrong inside. nil means
	// no log.
	Log *slog.Logger
}

// api holds what the handlers share.
type api struct {
	service       *stepkey.Service
	guard         *guard.Guard
	log           *slog.Logger
	clientIP      func(*http.Request) netip.Addr
	pageOrigins   []string
	cookies       cookies
	stopping      <-chan struct{}
	introspection [sha256.Size]byte // digest of the secret; zero for none

	pages   http.Handler // nil for none
	without parts

	description *description
}

// parts are those that an application leaves out.
type parts struct{ signUp, email, demo bool }

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
	a := &api{service: service, log: options.Log, clientIP: options.ClientIP, stopping: options.Stopping, pages: options.Pages}
	a.without = parts{signUp: options.NoSignUp, email: options.NoEmail, demo: options.NoDemo}
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
	for _, route := range routes {
		for _, path := range route.paths {
			mux.Handle(path, route.methods)
		}
	}
	a.mountPages(mux)
	mux.Handle("/", http.HandlerFunc(notFound))

	var handler http.Handler = mux
	handler = allowOrigins(options.CORSOrigins, handler)
	handler = recoverPanics(options.Log, handler)
	handler = closeConnections(options.Stopping, handler)
	handler = secureHeaders(options.HSTS, handler)
	handler = logRequests(options.Log, handler)
	return limitTime(options.RequestTimeout, withRequestID(escaped(options.Prefix), handler))
}

// pagePaths are the pages that share no path with the API.
func (a *api) pagePaths() []string {
	if a.pages == nil {
		return nil
	}
	paths := []string{pages.Docs, pages.Recover, pages.RecoverByLink}
	if !a.without.demo {
		paths = append(paths, pages.Demo)
	}
	if !a.without.email {
		paths = append(paths, pages.ConfirmEmail, pages.ResetPassword, pages.NotMe)
	}
	return paths
}

// mountPages gives the pages their own paths, so that everything else that is not
// there is answered by the API.
func (a *api) mountPages(mux *http.ServeMux) {
	if a.pages == nil {
		return
	}
	for _, path := range a.pagePaths() {
		if path == pages.Demo {
			path = "/{$}" // a pattern that ends in / would match everything
		}
		mux.Handle(path, a.pages)
	}
	if a.without.demo {
		// The pages link to /, to sign in.
		mux.Handle("/{$}", a.answer(redirectTo(pages.Account)))
	}
	for _, path := range []string{"/favicon.ico", "/assets/", "/stepkey.js", "/stepkey.d.ts"} {
		mux.Handle(path, a.pages)
	}
}

func notFound(w http.ResponseWriter, r *http.Request) { writeProblem(w, r, problemNotFound) }

// refuse answers for the guard.
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
