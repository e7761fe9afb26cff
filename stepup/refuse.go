package stepup

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/stepkey/stepkey/internal/keptform"
	"github.com/stepkey/stepkey/internal/requestkind"
	"github.com/stepkey/stepkey/internal/returnpath"
	"github.com/stepkey/stepkey/stepup/web"
)

// refuse answers a request that does not meet p, in the form in which its sender can go on.
func (k *Kit) refuse(w http.ResponseWriter, r *http.Request, v visitor, p Purpose, d decision, act *action) {
	w.Header().Set("Cache-Control", "no-store")
	// A shared cache must not answer others with this, whatever it thinks of no-store.
	w.Header().Add("Vary", "Cookie, Authorization, Sec-Fetch-Dest, Sec-Fetch-Mode, HX-Request, X-Turbo-Request-Id, X-Inertia")
	kind := requestkind.Of(r.Method, r.Header)
	if kind == requestkind.Speculative {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if d.nobody() {
		k.sendToSignIn(w, r, kind)
		return
	}
	if v.Session == "" {
		k.refuseWithoutSession(w, r, v, p, kind)
		return
	}
	switch kind {
	case requestkind.DocumentGet, requestkind.TurboGet:
		if act != nil {
			// The page has to show what is confirmed, and a redirect would lose that.
			k.showRefusal(w, r, v, p, d, act, "")
			return
		}
		http.Redirect(w, r, k.verifyURL(p, k.config.Prefix+r.URL.RequestURI()), http.StatusSeeOther)
	case requestkind.DocumentPost:
		k.refusePost(w, r, v, p, d, act)
	case requestkind.Framed:
		k.refuseFrame(w, r, p)
	case requestkind.HTMX:
		w.Header().Set("HX-Redirect", k.verifyURL(p, k.pageOf(r)))
		k.failStepUp(w, r, v, p, d, act)
	case requestkind.Inertia:
		w.Header().Set("X-Inertia-Location", k.verifyURL(p, k.pageOf(r)))
		w.WriteHeader(http.StatusConflict)
	default:
		k.failStepUp(w, r, v, p, d, act)
	}
}

// refuseWithoutSession answers a user who is signed in without a session value: a script with an
// API token, or a person whose session is older than the application's use of package stepup. A
// person needs a new sign-in. That is a link and no redirect, because sign-in pages send people who
// are signed in back.
func (k *Kit) refuseWithoutSession(w http.ResponseWriter, r *http.Request, v visitor, p Purpose, kind requestkind.Kind) {
	if !kind.IsNavigation() {
		k.fail(w, r, problemSessionRequired)
		return
	}
	k.writePage(w, r, http.StatusForbidden, web.VerifyPage{
		State: web.StateReauthenticate, Title: titleOf(p), Account: v.account(), Device: v.device, Nonce: k.nonce(r),
		Links: []web.Link{{Label: labelOf(Password), URL: k.config.SignIn + url.QueryEscape(k.pageOf(r))}}, Back: "/",
	})
}

// VerifyURL returns the page on which a user can meet a purpose, as a path of the application with
// the query that leads back to next, a path as well. It is for answers that the application makes
// itself after [Kit.Check]. An unknown purpose panics.
func (k *Kit) VerifyURL(purpose, next string) string { return k.verifyURL(k.purpose(purpose), next) }

// verifyURL is the page for a purpose. A path that it could not return to is the root.
func (k *Kit) verifyURL(p Purpose, next string) string {
	if !returnpath.Allowed(next) {
		next = "/"
	}
	return k.config.Path + "verify?p=" + p.Name + "&next=" + url.QueryEscape(next)
}

// pageOf is the page from which a request came: itself for a navigation, else what htmx or the
// Referer says, else the root. An address that a script fetches is no page.
func (k *Kit) pageOf(r *http.Request) string {
	switch kind := requestkind.Of(r.Method, r.Header); {
	case kind == requestkind.DocumentGet || kind == requestkind.TurboGet || kind == requestkind.Inertia && r.Method == http.MethodGet:
		if itself := k.config.Prefix + r.URL.RequestURI(); returnpath.Allowed(itself) {
			return itself
		}
	case kind == requestkind.HTMX:
		if path, ok := returnpath.From(r.Header.Get("HX-Current-URL"), r.Host, k.config.Origins); ok {
			return path
		}
	}
	if path, ok := returnpath.From(r.Referer(), r.Host, k.config.Origins); ok {
		return path
	}
	return "/"
}

// sendToSignIn answers where nobody is signed in.
func (k *Kit) sendToSignIn(w http.ResponseWriter, r *http.Request, kind requestkind.Kind) {
	switch kind {
	case requestkind.DocumentGet, requestkind.TurboGet, requestkind.DocumentPost:
		http.Redirect(w, r, k.config.SignIn+url.QueryEscape(k.pageOf(r)), http.StatusSeeOther)
	case requestkind.HTMX:
		w.Header().Set("HX-Redirect", k.config.SignIn+url.QueryEscape(k.pageOf(r)))
		k.fail(w, r, problemUnauthorized)
	case requestkind.Inertia:
		w.Header().Set("X-Inertia-Location", k.config.SignIn+url.QueryEscape(k.pageOf(r)))
		w.WriteHeader(http.StatusConflict)
	default:
		k.fail(w, r, problemUnauthorized)
	}
}

// failStepUp answers a script.
func (k *Kit) failStepUp(w http.ResponseWriter, r *http.Request, v visitor, p Purpose, d decision, act *action) {
	answer := problemStepUp
	answer.Purpose, answer.User = p.Name, k.tag(v.Identity)
	answer.Verify = k.verifyURL(p, k.pageOf(r))
	if d.needed != nil {
		answer.Missing, answer.Expired, answer.NoPasskey = jsonNeeds(d.needed.Missing), jsonNeeds(d.needed.Expired), d.needed.NoPasskey
		answer.maxAge = passkeyAge(p.Rule)
	}
	if act != nil {
		sealed, err := k.sealAction(v, p, act)
		if err != nil {
			k.unavailable(w, r, err)
			return
		}
		answer.Action = sealed
		for _, field := range shownFields(p, act) {
			answer.Fields = append(answer.Fields, [2]string{field.Label, field.Value})
		}
	}
	k.fail(w, r, answer)
}

// passkeyAge is how old a passkey's proof may be at most in a rule, zero if it asks for none.
func passkeyAge(r Rule) (age time.Duration) {
	for _, list := range r {
		for _, need := range list {
			if need.Factor == Passkey {
				age = max(age, need.Within)
			}
		}
	}
	return age
}

// refusePost answers the post of a form with the page for the purpose, in which the form lies
// sealed until the passkey is verified.
func (k *Kit) refusePost(w http.ResponseWriter, r *http.Request, v visitor, p Purpose, d decision, act *action) {
	form, err := keptform.Keep(r, k.config.Prefix+r.URL.RequestURI(), k.config.Origins, k.realm.Now())
	var fault keptform.Fault
	if errors.As(err, &fault) {
		k.log.DebugContext(r.Context(), "posted form not kept", "purpose", p.Name, "reason", string(fault))
		if fault == keptform.FaultCrossSite {
			k.writePage(w, r, http.StatusForbidden, web.VerifyPage{State: web.StateCrossSite, Title: titleOf(p), Back: k.pageOf(r)})
			return
		}
		http.Redirect(w, r, k.verifyURL(p, k.pageOf(r)), http.StatusSeeOther)
		return
	}
	if err != nil {
		k.unavailable(w, r, err)
		return
	}
	sealed, err := form.Seal(k.key, k.ownerOf(v.Identity), rand.Reader)
	if err != nil {
		k.unavailable(w, r, err)
		return
	}
	k.showRefusal(w, r, v, p, d, act, sealed)
}

// showRefusal answers with the page for the purpose itself.
func (k *Kit) showRefusal(w http.ResponseWriter, r *http.Request, v visitor, p Purpose, d decision, act *action, form string) {
	if !slices.Contains(k.hosts, r.Host) {
		k.wrongHost(w, r)
		return
	}
	page, err := k.verifyPage(r, v, p, d)
	if err != nil {
		k.unavailable(w, r, err)
		return
	}
	page.Next, page.Form, page.Back = k.pageOf(r), form, k.pageOf(r)
	// A form that somebody posted here began on a page of the application: others are not kept.
	page.Auto = form != "" || returnsAlone(r)
	if act != nil {
		if page.Action, err = k.sealAction(v, p, act); err != nil {
			k.unavailable(w, r, err)
			return
		}
		page.Fields = shownFields(p, act)
	}
	k.writePage(w, r, http.StatusUnauthorized, page)
}

// refuseFrame answers inside a frame, in which the page for the purpose must not be shown.
func (k *Kit) refuseFrame(w http.ResponseWriter, r *http.Request, p Purpose) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	w.WriteHeader(http.StatusUnauthorized)
	_ = frameTemplate.Execute(w, struct{ Title, URL string }{titleOf(p), k.verifyURL(p, k.pageOf(r))}) // a client that is gone
}

var frameTemplate = template.Must(template.New("frame").Parse(
	`<!doctype html><html lang="en"><meta charset="utf-8"><title>{{.Title}}</title><p><a href="{{.URL}}" target="_top">Verify it’s you</a>`))

// refuseBody answers a request whose action cannot be read as the user would be shown it.
func (k *Kit) refuseBody(w http.ResponseWriter, r *http.Request, err error) {
	var fault keptform.Fault
	if !errors.As(err, &fault) {
		k.unavailable(w, r, err)
		return
	}
	k.log.WarnContext(r.Context(), "action refused: its body cannot be shown", "reason", string(fault))
	k.fail(w, r, problemInvalid)
}

// tag stands for a user in problem documents, so that a script sees that another one has signed
// in. It tells nothing of the key.
func (k *Kit) tag(id Identity) string {
	mac := hmac.New(sha256.New, k.key[:])
	mac.Write([]byte("tag of a user" + id.User))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

// ownerOf is for whom forms and actions are sealed.
func (k *Kit) ownerOf(id Identity) keptform.Owner {
	mac := hmac.New(sha256.New, k.key[:])
	mac.Write([]byte("session of a form" + id.Session))
	return keptform.Owner{Realm: k.config.Realm, User: id.User, Session: mac.Sum(nil)}
}

// actionType marks a sealed action, which is no form.
const actionType = "action"

// sealAction seals the digest of an action, with the purpose in the place of a form's URI.
func (k *Kit) sealAction(v visitor, p Purpose, act *action) (string, error) {
	form := keptform.Form{At: k.realm.Now(), URI: p.Name, ContentType: actionType, Body: act.digest[:]}
	return form.Seal(k.key, k.ownerOf(v.Identity), rand.Reader)
}

// openAction opens what sealAction sealed for this purpose: the page and the event of the
// verification name no other one.
func (k *Kit) openAction(id Identity, p Purpose, sealed string) (digest [sha256.Size]byte, err error) {
	form, err := keptform.Open(k.key, k.ownerOf(id), sealed, k.realm.Now())
	if err != nil {
		return digest, err
	}
	if form.ContentType != actionType || form.URI != p.Name || len(form.Body) != len(digest) {
		return digest, keptform.ErrSealed
	}
	return [sha256.Size]byte(form.Body), nil
}

// shownFields are the fields of an action with their labels.
func shownFields(p Purpose, act *action) []web.Field {
	var shown []web.Field
	for _, field := range act.fields {
		label := p.Labels[field.Name]
		if label == "" {
			label = field.Name
		}
		value := field.Value
		if field.Kind == absentValue || field.Kind == nullValue {
			value = "–"
		}
		shown = append(shown, web.Field{Label: label, Value: value})
	}
	return shown
}

// proveURL is the application's page for a factor, without the path to return to.
func (k *Kit) proveURL(f Factor) string {
	if page, ok := k.config.Prove[f]; ok {
		return page
	}
	if f == Password {
		return k.config.SignIn
	}
	return ""
}

// proveLinks are the pages on which the needs of the application's own factors can be met.
func (k *Kit) proveLinks(needed *NeededError, next string) []web.Link {
	var links []web.Link
	for _, need := range slices.Concat(needed.Missing, needed.Expired) {
		page := k.proveURL(need.Factor)
		if need.Factor == Passkey || page == "" {
			continue
		}
		link := web.Link{Label: labelOf(need.Factor), URL: page + url.QueryEscape(next)}
		if !slices.Contains(links, link) {
			links = append(links, link)
		}
	}
	return links
}

// labelOf names a factor on a link.
func labelOf(f Factor) string {
	if f == Password {
		return "Sign in again"
	}
	return "Verify with " + string(f)
}
