package stepup

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/returnpath"
	"github.com/stepkey/stepkey/stepup/web"
)

// loopWindow is how soon after a verification the page explains why it is shown once more.
const loopWindow = 10 * time.Second

// titleOf is what a purpose is called on pages.
func titleOf(p Purpose) string {
	if p.Title != "" {
		return p.Title
	}
	return "Verify it’s you"
}

// verify is the page for a purpose, to which refused navigations are redirected.
func (k *Kit) verify(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if !slices.Contains(k.hosts, r.Host) {
		k.wrongHost(w, r)
		return
	}
	p, known := k.purposes[r.URL.Query().Get("p")]
	next := r.URL.Query().Get("next")
	if !known {
		k.fail(w, r, problemNotFound)
		return
	}
	if !returnpath.Allowed(next) {
		next = "/"
	}
	v, err := k.visitor(r)
	if err != nil {
		k.unavailable(w, r, err)
		return
	}
	if v.nobody() {
		http.Redirect(w, r, k.config.SignIn+url.QueryEscape(next), http.StatusSeeOther)
		return
	}
	d, err := k.decide(r.Context(), v.Identity, p, k.realm.Now())
	if err != nil {
		k.unavailable(w, r, err)
		return
	}
	if d.meets && returnsAlone(r) {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	page, err := k.verifyPage(r, v, p, d)
	if err != nil {
		k.unavailable(w, r, err)
		return
	}
	page.Next, page.Back, page.Auto = next, "/", returnsAlone(r)
	if page.State == web.StateReauthenticate || page.State == web.StateNothing {
		page.Links = k.linksFor(v, d, next)
	}
	k.writePage(w, r, http.StatusOK, page)
}

// verifyPage decides which state the page for a purpose is in.
func (k *Kit) verifyPage(r *http.Request, v visitor, p Purpose, d decision) (web.VerifyPage, error) {
	now := k.realm.Now()
	page := web.VerifyPage{
		Service: k.service(), Title: titleOf(p), Account: v.account(), Device: v.device, Purpose: p.Name,
		Reason: k.expired(d),
	}
	page.State = k.stateOf(p, d, now)
	switch page.State {
	case web.StateWaits:
		passkeys, err := k.realm.Passkeys(r.Context(), v.User)
		if err != nil {
			return page, err
		}
		page.UsableFrom = firstUsable(passkeys)
	case web.StateEnrol, web.StateOffer:
		if !k.mayEnrol(v, now) {
			page.State, page.Links = web.StateReauthenticate, k.linksFor(v, d, k.pageOf(r))
		}
	case web.StateVerify, web.StateAgain:
		left, err := k.codesLeft(r, v)
		if err != nil {
			return page, err
		}
		page.RecoveryCodes = left > 0
	case web.StateNothing, web.StateReauthenticate:
		page.Links = k.linksFor(v, d, k.pageOf(r))
	}
	return page, nil
}

// stateOf says what can help a user who does not meet a purpose.
func (k *Kit) stateOf(p Purpose, d decision, now time.Time) web.State {
	lacksPasskey := d.needed == nil || slices.ContainsFunc(slices.Concat(d.needed.Missing, d.needed.Expired), func(n Need) bool { return n.Factor == Passkey })
	switch {
	case !lacksPasskey && d.standing.FullAt != nil && now.Sub(*d.standing.FullAt) <= loopWindow:
		return web.StateAgain
	case !lacksPasskey:
		return web.StateNothing
	case d.standing.UsablePasskeys:
		return web.StateVerify
	case d.standing.HasPasskeys:
		return web.StateWaits
	case p.modeAt(now) == Offered:
		return web.StateOffer
	}
	return web.StateEnrol
}

// mayEnrol reports whether the application's conditions for a first passkey hold. The engine asks
// for the password's age again.
func (k *Kit) mayEnrol(v visitor, now time.Time) bool {
	proofs := v.proofs(Proof{})
	age, proved := youngest(Password, now, proofs)
	if !proved || age > stepkey.FirstPasskeyWindow {
		return false
	}
	if len(k.config.Enrol) == 0 {
		return true
	}
	ok, _, _ := k.config.Enrol.evaluate(now, proofs)
	return ok
}

// linksFor are the pages that help where a passkey does not. Without any, a new sign-in does.
func (k *Kit) linksFor(v visitor, d decision, next string) []web.Link {
	var links []web.Link
	if d.needed != nil {
		links = k.proveLinks(d.needed, next)
	}
	if len(k.config.Enrol) > 0 && !d.standing.HasPasskeys {
		_, missing, expired := k.config.Enrol.evaluate(k.realm.Now(), v.proofs(Proof{}))
		for _, link := range k.proveLinks(&NeededError{Missing: missing, Expired: expired}, next) {
			if !slices.Contains(links, link) {
				links = append(links, link)
			}
		}
	}
	if len(links) == 0 {
		links = append(links, web.Link{Label: labelOf(Password), URL: k.proveURL(Password) + url.QueryEscape(next)})
	}
	return links
}

// expired says that a passkey was verified too long ago, if that is so.
func (k *Kit) expired(d decision) string {
	if d.needed == nil {
		return ""
	}
	for _, need := range d.needed.Expired {
		if need.Factor == Passkey {
			return k.pages.Expired(need.Within)
		}
	}
	return ""
}

// firstUsable is when the first of passkeys that all wait begins to work.
func firstUsable(passkeys []stepkey.Passkey) (first time.Time) {
	for _, p := range passkeys {
		if p.UsableFrom != nil && (first.IsZero() || p.UsableFrom.Before(first)) {
			first = *p.UsableFrom
		}
	}
	return first
}

// codesLeft returns how many recovery codes a user has.
func (k *Kit) codesLeft(r *http.Request, v visitor) (int, error) {
	c, err := k.realm.Caller(r.Context(), v.visit(k.realm.Now()))
	if err != nil {
		return 0, err
	}
	return k.realm.RecoveryCodesLeft(r.Context(), c)
}

func (k *Kit) service() string {
	if k.config.RPName != "" {
		return k.config.RPName
	}
	return k.hosts[0]
}

func (k *Kit) nonce(r *http.Request) string {
	if k.config.Nonce == nil {
		return ""
	}
	return k.config.Nonce(r)
}

// writePage writes a page, in the application's layout if there is one. No page may be framed or
// steered by its opener: a user must not be led to verify what somebody else began.
func (k *Kit) writePage(w http.ResponseWriter, r *http.Request, status int, page web.VerifyPage) {
	if page.Service == "" {
		page.Service = k.service()
	}
	page.Nonce = k.nonce(r)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer error="insufficient_user_authentication"`)
	}
	if k.config.Layout == nil {
		isolate(h)
		h.Set("Content-Security-Policy", k.pages.Policy())
		w.WriteHeader(status)
		_ = k.pages.Verify(w, page) // a client that is gone needs no page
		return
	}
	body, err := k.pages.VerifyBody(page)
	if err != nil {
		k.unavailable(w, r, err)
		return
	}
	layout := &statusWriter{ResponseWriter: w, status: status}
	k.config.Layout(layout, r, page.Title, body)
	layout.WriteHeader(status) // unless it has written anything
}

// isolate sets what all pages have in common.
func isolate(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
}

// statusWriter has the page of a layout sent with the status of a refusal, and with the headers
// of our pages, whatever the layout sets. Another Content-Security-Policy of the application's
// holds as well: browsers apply each.
type statusWriter struct {
	http.ResponseWriter
	status  int
	written bool
}

// WriteHeader sends the status of the refusal, whatever the layout asks for.
func (s *statusWriter) WriteHeader(int) {
	if !s.written {
		s.written = true
		isolate(s.Header())
		s.Header().Add("Content-Security-Policy", "frame-ancestors 'none'")
		s.ResponseWriter.WriteHeader(s.status)
	}
}

// Write sends the status first.
func (s *statusWriter) Write(body []byte) (int, error) {
	s.WriteHeader(s.status)
	return s.ResponseWriter.Write(body)
}

// wrongHost says where the page works: passkeys belong to a domain.
func (k *Kit) wrongHost(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	w.WriteHeader(http.StatusMisdirectedRequest)
	_ = hostTemplate.Execute(w, strings.Join(k.config.Origins, ", ")) // a client that is gone
}

var hostTemplate = template.Must(template.New("host").Parse(
	`<!doctype html><html lang="en"><meta charset="utf-8"><title>Another address</title><p>Passkeys work at {{.}}. Open this page there.`))

// Manage returns the user's passkeys with buttons to add, rename and remove them and to make
// recovery codes, for a page of the application's settings. It is empty if nobody is signed in,
// and says so if the database cannot be asked.
func (k *Kit) Manage(r *http.Request) template.HTML {
	v, err := k.visitor(r)
	if err != nil {
		return k.manageFailed(r, err)
	}
	if v.nobody() {
		return ""
	}
	passkeys, err := k.realm.Passkeys(r.Context(), v.User)
	if err != nil {
		return k.manageFailed(r, err)
	}
	page := web.ManagePage{Service: k.service(), Account: v.account(), Nonce: k.nonce(r)}
	for _, p := range passkeys {
		page.Passkeys = append(page.Passkeys, rowOf(p))
	}
	if len(passkeys) > 0 {
		if page.CodesLeft, err = k.codesLeft(r, v); err != nil {
			return k.manageFailed(r, err)
		}
	}
	fragment, err := k.pages.Manage(page)
	if err != nil {
		return k.manageFailed(r, err)
	}
	return fragment
}

func (k *Kit) manageFailed(r *http.Request, err error) template.HTML {
	k.log.ErrorContext(r.Context(), "passkeys not listed", "error", err)
	return "<p>Your passkeys cannot be shown at the moment.</p>"
}

func rowOf(p stepkey.Passkey) web.Passkey {
	row := web.Passkey{ID: p.ID.String(), Name: p.Name, Provider: stepkey.Provider(p), CreatedAt: p.CreatedAt, Synced: isSynced(p)}
	if p.LastUsedAt != nil {
		row.LastUsedAt = *p.LastUsedAt
	}
	if p.UsableFrom != nil {
		row.UsableFrom = *p.UsableFrom
	}
	return row
}

// returnsAlone reports whether the verify page may return without a click: if the
// navigation to it, with its redirects, began in the application. With "none" (the
// address bar) and "cross-site" somebody else may have chosen the return path, and a
// browser that sends nothing does not tell.
func returnsAlone(verify *http.Request) bool {
	return verify.Header.Get("Sec-Fetch-Site") == "same-origin"
}
