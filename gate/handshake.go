package gate

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/gate/rules"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/internal/keptform"
	"github.com/stepkey/stepkey/internal/messages"
	"github.com/stepkey/stepkey/internal/pages"
	"github.com/stepkey/stepkey/internal/returnpath"
)

// PagesPrefix begins the paths that belong to Stepkey on the origin of an application. They
// never reach the application.
const PagesPrefix = "/_stepkey"

// Paths of a [Handshake].
const (
	StartPath   = PagesPrefix + "/start"
	FinishPath  = PagesPrefix + "/finish"
	SignOutPath = PagesPrefix + "/sign-out"
)

// startLifetime is how long somebody may take to sign in before the browser's secret is
// forgotten, in seconds.
const startLifetime = 600

// HandshakeOptions configure a [Handshake]. All but Name, Colours and Languages are required.
type HandshakeOptions struct {
	Browsers Browsers

	// Rules has the applications. It is called for each request.
	Rules func() *rules.File

	// TrustsPeer is that of Options.
	TrustsPeer func(remoteAddr string) bool

	// Portal is the URL of the service's pages, without a slash at the end.
	Portal string

	// Key seals the forms that wait in browsers. All instances need the same one.
	Key [32]byte

	// Clock is that of the sessions.
	Clock func() time.Time

	// Name is what people call the service. The default is "Stepkey".
	Name string

	// Colours is a style sheet that follows the one of the pages, such as webui.Brand.Colours. The
	// default is Stepkey's colours.
	Colours string

	// Languages are those of the service's own pages. The default is the built-in ones.
	Languages *messages.Set

	Log *slog.Logger
}

// Handshake answers the paths of Stepkey on the origins of applications. It gives a browser
// that is signed in to the service a session at an application, on any domain:
//
// StartPath gives the browser a secret and sends it to the service. There its user signs in or
// verifies a passkey where that is needed, and gets a code that is bound to the secret, the
// origin and the session. FinishPath takes the code and the secret, sets the cookie of the
// session and leads to the path that was asked for. A code alone, or one in another browser, is
// worth nothing, so nobody can be signed in as somebody else (RFC 9700 §4.7).
//
// SignOutPath ends the session with a POST, everywhere.
type Handshake struct {
	HandshakeOptions
	page *page
	mux  *http.ServeMux
}

// NewHandshake returns a Handshake, safe for concurrent use.
func NewHandshake(options HandshakeOptions) (*Handshake, error) {
	p, err := newPage(options.Name, options.Colours, options.Languages)
	if err != nil {
		return nil, err
	}
	h := &Handshake{HandshakeOptions: options, page: p, mux: http.NewServeMux()}
	h.mux.HandleFunc("GET "+StartPath, h.at(h.start))
	h.mux.HandleFunc("GET "+FinishPath, h.at(h.finish))
	h.mux.HandleFunc("GET "+SignOutPath, h.at(h.askSignOut))
	h.mux.HandleFunc("POST "+SignOutPath, h.at(h.signOut))
	h.mux.HandleFunc("POST "+HoldPath, h.at(h.hold))
	h.mux.HandleFunc("GET "+FormPath, h.at(h.showForm))
	h.mux.HandleFunc("POST "+FormPath, h.at(h.release))
	return h, nil
}

// Handles reports whether a request is one for h rather than for the service's own pages, which
// may be below the same prefix.
func (h *Handshake) Handles(r *http.Request) bool {
	return slices.Contains([]string{StartPath, FinishPath, SignOutPath, HoldPath, FormPath}, r.URL.Path)
}

// ServeHTTP implements http.Handler.
func (h *Handshake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the query has a code
	h.mux.ServeHTTP(w, r)
}

// at finds the application that a request is for, and refuses one for any other origin.
func (h *Handshake) at(answer func(w http.ResponseWriter, r *http.Request, origin string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		place, err := placeOf(r, h.TrustsPeer)
		if err != nil {
			refuse(w, r, guard.Refusal{Status: http.StatusBadRequest, Cause: err})
			return
		}
		if !h.Rules().Has(place.origin) {
			refuse(w, r, guard.Refusal{Status: http.StatusForbidden})
			return
		}
		answer(w, r, place.origin)
	}
}

// start sends the browser to the service.
func (h *Handshake) start(w http.ResponseWriter, r *http.Request, origin string) {
	secret := h.browserSecret(w, r, cookiesAt(origin))
	digest := sha256.Sum256([]byte(secret))
	query := url.Values{"origin": {origin}, "nonce": {base64.RawURLEncoding.EncodeToString(digest[:])}, "to": {returnTo(r)}}
	asked := r.URL.Query()
	if need := asked.Get("need"); slices.Contains([]rules.Factor{rules.SignIn, rules.Password, rules.Passkey, rules.Hardware}, rules.Factor(need)) {
		query.Set("need", need)
	}
	if age, err := strconv.ParseUint(asked.Get("max_age"), 10, 31); err == nil {
		query.Set("max_age", strconv.FormatUint(age, 10))
	}
	redirect(w, h.Portal+pages.Continue+"?"+query.Encode())
}

// browserSecret returns the secret of a browser, for a while longer. It stays if there is one
// already: several tabs may be on their way, and forms may wait.
func (h *Handshake) browserSecret(w http.ResponseWriter, r *http.Request, cookies cookies) string {
	secret, ok := cookies.start(r)
	if !ok || len(secret) != secretLength {
		secret = newSecret()
	}
	cookies.set(w, cookies.startName, secret, startLifetime)
	return secret
}

// finish gives the browser its session. Both secrets are needed, so a link that somebody else
// made leads nowhere.
func (h *Handshake) finish(w http.ResponseWriter, r *http.Request, origin string) {
	cookies := cookiesAt(origin)
	secret, ok := cookies.start(r)
	if !ok {
		h.startAgain(w, r)
		return
	}
	cookie, err := h.Browsers.StartBrowserSession(r.Context(), r.URL.Query().Get("code"), secret, origin)
	if errors.Is(err, stepkey.ErrUnauthorized) {
		h.startAgain(w, r)
		return
	}
	if err != nil {
		h.unavailable(w, r, err)
		return
	}
	cookies.set(w, cookies.sessionName, cookie, 0)
	redirect(w, origin+returnTo(r))
}

// startAgain asks before it begins anew: a redirect could go in circles.
func (h *Handshake) startAgain(w http.ResponseWriter, r *http.Request) {
	p := pageOf("expired")
	p.Link = StartPath + "?" + url.Values{"to": {returnTo(r)}}.Encode()
	h.page.write(w, r, http.StatusBadRequest, p)
}

func (h *Handshake) askSignOut(w http.ResponseWriter, r *http.Request, _ string) {
	p := pageOf("signOut")
	p.Post = SignOutPath
	h.page.write(w, r, http.StatusOK, p)
}

// signOut ends the session everywhere. A page of another origin cannot do that to somebody.
func (h *Handshake) signOut(w http.ResponseWriter, r *http.Request, origin string) {
	if !keptform.IsSameOrigin(r.Header, []string{origin}) {
		h.page.write(w, r, http.StatusForbidden, pageOf("crossSite"))
		return
	}
	cookies := cookiesAt(origin)
	if cookie, ok := cookies.session(r); ok {
		if err := h.Browsers.EndBrowserSession(r.Context(), cookie, origin); err != nil {
			h.unavailable(w, r, err)
			return
		}
	}
	cookies.set(w, cookies.sessionName, "", -1)
	redirect(w, origin+"/")
}

func (h *Handshake) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	h.Log.ErrorContext(r.Context(), "The gate could not answer", "error", err)
	h.page.write(w, r, http.StatusServiceUnavailable, pageOf("away"))
}

// returnTo is the path that a request names in its query, or / if no page may return there.
func returnTo(r *http.Request) string {
	to := r.URL.Query().Get("to")
	if to == FormPath || returnpath.Allowed(to) && !isPagesPath(to) {
		return to
	}
	return "/"
}

// redirect answers with an absolute address, because Traefik resolves others against ours.
func redirect(w http.ResponseWriter, address string) {
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}

// secretLength is that of newSecret, in characters.
const secretLength = 43

// newSecret returns 256 random bits (crypto/rand never fails).
func newSecret() string {
	var secret [32]byte
	rand.Read(secret[:])
	return base64.RawURLEncoding.EncodeToString(secret[:])
}

// isPagesPath reports whether a decoded path is Stepkey's own.
func isPagesPath(path string) bool {
	return path == PagesPrefix || strings.HasPrefix(path, PagesPrefix+"/")
}
