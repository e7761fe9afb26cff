package gate

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/keptform"
	"github.com/stepkey/stepkey/internal/returnpath"
)

// A form whose post is refused waits in the tab that posted it, sealed, until its user has
// signed in or verified a passkey. The server keeps nothing but the mark of a form that was
// released, so nobody can fill its store with forms.

// Paths of forms.
const (
	// HoldPath takes the post of a form that a proxy was refused: a redirect with 307 has the
	// browser post it here again (RFC 9110 §15.4.8), because proxies do not show us bodies.
	HoldPath = PagesPrefix + "/hold"

	// FormPath is the page that posts a form once it may be posted, and the call that releases it.
	FormPath = PagesPrefix + "/form"
)

// kept is a sealed form as its page keeps it, and what is needed to release it.
type kept struct {
	Sealed string `json:"sealed"`

	// User is the id of the user who posted it, empty if the session had ended already.
	User string `json:"user"`
}

// hold answers the post of a form that was redirected here.
func (h *Handshake) hold(w http.ResponseWriter, r *http.Request, origin string) {
	query := r.URL.Query()
	uri := query.Get("uri")
	query.Del("uri")
	h.keep(w, r, http.StatusForbidden, origin, uri, query)
}

// keep answers the post of a form to uri with the page in which it waits. The query is that of
// StartPath. A form that cannot be kept is said not to have been sent.
//
// The page will post the form as its own. The post of another site must not get past the
// application's protection against CSRF in that way, and so is not kept.
func (h *Handshake) keep(w http.ResponseWriter, r *http.Request, status int, origin, uri string, query url.Values) {
	form, err := keptform.Keep(r, uri, []string{origin}, h.Clock())
	if err != nil {
		h.unsent(w, r, status, query)
		return
	}
	cookies := cookiesAt(origin)
	secret := h.browserSecret(w, r, cookies)
	user, err := h.user(r, origin)
	if err != nil {
		h.unavailable(w, r, err)
		return
	}
	sealed, err := form.Seal(h.Key, ownerOf(origin, user, secret), rand.Reader)
	if err != nil {
		h.unavailable(w, r, err)
		return
	}
	query.Set("to", FormPath)
	p := pageOf("kept")
	p.Link = StartPath + "?" + query.Encode()
	p.Kept = &kept{Sealed: sealed, User: user}
	h.page.write(w, r, status, p)
}

func (h *Handshake) unsent(w http.ResponseWriter, r *http.Request, status int, query url.Values) {
	p := pageOf("unsent")
	p.Link = StartPath + "?" + query.Encode()
	h.page.write(w, r, status, p)
}

// showForm is the page that has the form of its tab released.
func (h *Handshake) showForm(w http.ResponseWriter, r *http.Request, _ string) {
	p := pageOf("form")
	p.Link = "/"
	p.Posts = true
	h.page.write(w, r, http.StatusOK, p)
}

// released is a form to be posted, as its page gets it.
type released struct {
	Action  string      `json:"action"`
	Enctype string      `json:"enctype"`
	Fields  [][2]string `json:"fields"`
}

// release opens a form for the browser and the user that it was kept for, once. Where nobody
// was signed in any more, the user is the one who has signed in since; the page asks before it
// posts. The gate judges the post like any other.
func (h *Handshake) release(w http.ResponseWriter, r *http.Request, origin string) {
	if !keptform.IsSameOrigin(r.Header, []string{origin}) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	var asked kept
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, keptform.MaxSealed+1024))
	if err != nil || json.Unmarshal(body, &asked) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	secret, ok := cookiesAt(origin).start(r)
	user, err := h.user(r, origin)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if !ok || user == "" || (asked.User != "" && asked.User != user) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	form, err := keptform.Open(h.Key, ownerOf(origin, asked.User, secret), asked.Sealed, h.Clock())
	if err != nil {
		w.WriteHeader(http.StatusGone)
		return
	}
	// The posts of a form are not counted, but its releases are: a page that is opened again by the
	// back button must not post it again.
	digest := sha256.Sum256([]byte(asked.Sealed))
	first, err := h.Browsers.Spend(r.Context(), "form-"+base64.RawURLEncoding.EncodeToString(digest[:]), form.At.Add(2*keptform.Lifetime))
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if !first {
		w.WriteHeader(http.StatusGone)
		return
	}
	answer := released{Action: form.URI, Enctype: "application/x-www-form-urlencoded", Fields: [][2]string{}}
	if form.IsMultipart() {
		answer.Enctype = "multipart/form-data"
	}
	fields, err := form.Fields()
	if err != nil {
		w.WriteHeader(http.StatusGone)
		return
	}
	for _, field := range fields {
		if !field.File { // an input in which no file was chosen
			answer.Fields = append(answer.Fields, [2]string{field.Name, field.Value})
		}
	}
	w.Header().Set("Content-Type", "application/json")
	// A failed write means that the client is gone.
	_ = json.NewEncoder(w).Encode(answer)
}

// user is the id of the user of a browser session, empty for nobody.
func (h *Handshake) user(r *http.Request, origin string) (string, error) {
	cookie, ok := cookiesAt(origin).session(r)
	if !ok {
		return "", nil
	}
	b, err := h.Browsers.BrowserSession(r.Context(), cookie, origin)
	if errors.Is(err, stepkey.ErrUnauthorized) {
		return "", nil
	}
	return b.Claims.Subject, err
}

// ownerOf is for whom a form is sealed: a user, or nobody yet, in the browser that has the
// secret.
func ownerOf(origin, user, secret string) keptform.Owner {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("form"))
	return keptform.Owner{Realm: "gate " + origin, User: user, Session: mac.Sum(nil)}
}

// holdAddress is where a proxy is told to have the browser post a form again.
func holdAddress(origin, uri string, query url.Values) string {
	query.Set("uri", uri)
	return origin + HoldPath + "?" + query.Encode()
}

// canHold reports whether a form can be kept, by all that is known without its body.
func canHold(h http.Header, origin, uri string) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	isForm := slices.Contains([]string{"application/x-www-form-urlencoded", "multipart/form-data"}, strings.ToLower(strings.TrimSpace(kind)))
	return isForm && keptform.IsSameOrigin(h, []string{origin}) && returnpath.Allowed(uri)
}
