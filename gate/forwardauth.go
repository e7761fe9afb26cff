package gate

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/stepkey/stepkey/gate/rules"
	"github.com/stepkey/stepkey/guard"
)

// Paths of the handler. The first answers a proxy; nginx sends refused requests on to the
// second.
const (
	ForwardAuthPath = "/forward-auth"
	RefusedPath     = "/forward-auth/refused"
)

// Options configure a handler. All fields but Handshake are required.
type Options struct {
	// Rules returns the rules that count now. It is called for each request.
	Rules func() *rules.File

	Sessions Sessions

	// TrustsPeer reports whether the peer of a connection is a proxy whose headers are
	// believed. All others are refused.
	TrustsPeer func(remoteAddr string) bool

	// Handshake is where people are sent to sign in or verify a passkey. Nil refuses their
	// requests like those of programs.
	Handshake *Handshake

	// Clock is that of the sessions.
	Clock func() time.Time

	Log *slog.Logger
}

// NewForwardAuth returns the handler of [ForwardAuthPath] and [RefusedPath]. It reads no
// body.
func NewForwardAuth(options Options) http.Handler {
	h := &forwardAuth{options}
	mux := http.NewServeMux()
	mux.HandleFunc(ForwardAuthPath, h.answer)
	mux.HandleFunc(RefusedPath, h.refused)
	return mux
}

type forwardAuth struct{ Options }

func (h *forwardAuth) answer(w http.ResponseWriter, r *http.Request) {
	request, j := h.ask(r)
	if j.passes {
		allow(w, r, j.who)
		return
	}
	// nginx turns every other status than 401 and 403 into 500, and asks RefusedPath for the
	// answer.
	if r.URL.Query().Get("proxy") == "nginx" {
		if j.refusal.Status != http.StatusUnauthorized {
			j.refusal.Status = http.StatusForbidden
		}
		refuse(w, r, j.refusal)
		return
	}
	h.refuse(w, r, request, j)
}

// refused writes the answer that nginx shows. It never writes 200: nothing has been
// served. If the request would pass by now, the client tries again.
func (h *forwardAuth) refused(w http.ResponseWriter, r *http.Request) {
	request, j := h.ask(r)
	if j.passes {
		j = refusedWith(guard.Refusal{Status: http.StatusServiceUnavailable})
	}
	h.refuse(w, r, request, j)
}

// ask judges the request that a proxy asks about.
func (h *forwardAuth) ask(r *http.Request) (rules.Request, judgement) {
	if !h.TrustsPeer(r.RemoteAddr) {
		return rules.Request{}, refusedWith(guard.Refusal{Status: http.StatusForbidden})
	}
	request, err := readRequest(r)
	if err != nil {
		return rules.Request{}, refusedWith(guard.Refusal{Status: http.StatusBadRequest})
	}
	return request, h.judge(r, request)
}

// The values of headers that all allowed requests share. Nothing may write to them.
var (
	noStore = []string{"no-store"}
	empty   = []string{"0"}
)

// allow is the one place that answers 200. It always writes every header: for one that is
// missing some proxies would pass on the client's.
//
// Cookie is for the application in place of the client's: with the cookie of the session in
// its hands, an application could act as its user, here and at every path of its own.
func allow(w http.ResponseWriter, r *http.Request, who Visitor) {
	header := w.Header()
	identify(header, who)
	header["Cookie"] = []string{appCookies(r.Header)}
	header["Cache-Control"] = noStore
	header["Content-Length"] = empty // nginx keeps the connection only if nothing follows
	w.WriteHeader(http.StatusOK)
}
