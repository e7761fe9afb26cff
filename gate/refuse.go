package gate

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stepkey/stepkey/gate/rules"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/internal/requestkind"
	"github.com/stepkey/stepkey/internal/returnpath"
	"github.com/stepkey/stepkey/token"
)

// refuse answers a request that does not pass, in the form in which its sender can go on: a
// page for people, a status for scripts. Nothing is answered with 200, which a service worker
// could keep, and no script is redirected, which would follow into a page.
func (o Options) refuse(w http.ResponseWriter, r *http.Request, request rules.Request, j judgement) {
	if o.Handshake == nil || request.Origin == "" {
		refuse(w, r, j.refusal)
		return
	}
	identify(w.Header(), Visitor{})
	w.Header().Set("Cache-Control", "no-store")
	// A shared cache must not answer others with this, whatever it thinks of no-store.
	w.Header().Add("Vary", "Cookie, Authorization, Sec-Fetch-Dest, Sec-Fetch-Mode, HX-Request, X-Turbo-Request-Id")
	kind := requestkind.Of(request.Method, r.Header)
	if len(j.missing) == 0 {
		o.refuseForGood(w, r, j, kind)
		return
	}
	query := startQuery(request, r, j.missing, kind)
	start := request.Origin + StartPath + "?" + query.Encode()
	switch kind {
	case requestkind.DocumentGet:
		redirect(w, start)
	case requestkind.DocumentPost:
		o.refusePost(w, r, request, j, query)
	case requestkind.Framed:
		p := pageOf("framed")
		p.Link, p.Whole = start, true
		o.Handshake.page.write(w, r, j.refusal.Status, p)
	case requestkind.TurboGet, requestkind.TurboOther:
		p := pageOf("unsent")
		p.Link, p.Reload = start, true
		w.Header().Set("WWW-Authenticate", j.refusal.Challenge())
		o.Handshake.page.write(w, r, j.refusal.Status, p)
	case requestkind.HTMX:
		w.Header().Set("HX-Redirect", start) // htmx reads it at any status
		guard.WriteRefusal(w, r, j.refusal)
	default:
		guard.WriteRefusal(w, r, j.refusal)
	}
}

// refusePost answers the post of a form, which waits if it can. Proxies that ask by forward auth
// show us no body, but nginx does where it sends on what was refused.
func (o Options) refusePost(w http.ResponseWriter, r *http.Request, request rules.Request, j judgement, query url.Values) {
	switch {
	case r.Method == http.MethodPost:
		o.Handshake.keep(w, r, j.refusal.Status, request.Origin, request.Target, query)
	case canHold(r.Header, request.Origin, request.Target):
		w.Header().Set("Location", holdAddress(request.Origin, request.Target, query))
		w.WriteHeader(http.StatusTemporaryRedirect)
	default:
		o.Handshake.unsent(w, r, j.refusal.Status, query)
	}
}

// refuseForGood answers where no proof would help.
func (o Options) refuseForGood(w http.ResponseWriter, r *http.Request, j judgement, kind requestkind.Kind) {
	if !kind.IsNavigation() && kind != requestkind.Framed {
		refuse(w, r, j.refusal)
		return
	}
	name := "denied"
	switch j.refusal.Status {
	case http.StatusBadRequest:
		name = "malformed"
	case http.StatusServiceUnavailable:
		name = "away"
		w.Header().Set("Retry-After", "5")
	}
	p := pageOf(name)
	if name == "denied" && j.who.Level.Satisfies(token.LevelPassword) {
		p.Link = SignOutPath // perhaps as somebody else
	}
	o.Handshake.page.write(w, r, j.refusal.Status, p)
}

// startQuery says what the user has to prove, and where the browser goes afterwards: to the page
// that was asked for, or to the one from which a script or a form asked.
func startQuery(request rules.Request, r *http.Request, missing []rules.Missing, kind requestkind.Kind) url.Values {
	need := first(missing)
	query := url.Values{"need": {string(need.Factor)}}
	if need.Within > 0 {
		query.Set("max_age", strconv.FormatInt(int64(need.Within/time.Second), 10))
	}
	query.Set("to", "/")
	if to := request.Target; kind == requestkind.DocumentGet && returnpath.Allowed(to) {
		query.Set("to", to)
		return query
	}
	host := hostOf(request.Origin)
	for _, header := range []string{"HX-Current-URL", "Referer"} {
		if to, ok := returnpath.From(r.Header.Get(header), host, []string{request.Origin}); ok && !isPagesPath(to) {
			query.Set("to", to)
			break
		}
	}
	return query
}

func hostOf(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return u.Host
}

// first is the need that is met first. A sign-in with a password starts a session in which no
// passkey was verified, so it has to come before the passkey.
func first(missing []rules.Missing) rules.Need {
	for _, m := range missing {
		if m.Factor == rules.Password {
			return m.Need
		}
	}
	for _, m := range missing {
		if m.Factor == rules.Hardware {
			return m.Need
		}
	}
	return missing[0].Need
}

// refuse writes a refusal for a program. It has the headers of nobody as well, because nginx
// reads them of a refusal too.
func refuse(w http.ResponseWriter, r *http.Request, refusal guard.Refusal) {
	identify(w.Header(), Visitor{})
	if refusal.Status == http.StatusForbidden && !refusal.StepUp() {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		// A failed write means that the client is gone.
		_, _ = w.Write([]byte(`{"title":"Forbidden","status":403,"detail":"You have no access to this page. Ask its administrator if you need it.","code":"forbidden"}` + "\n"))
		return
	}
	guard.WriteRefusal(w, r, refusal)
}
