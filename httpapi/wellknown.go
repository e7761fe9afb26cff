package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/pages"
)

// publicKeys serves the public keys. Verifiers may cache them; a new key is published
// for longer than that before it signs.
func (a *api) publicKeys() handler {
	cacheControl := fmt.Sprintf("public, max-age=%d", int(stepkey.JWKSMaxAge.Seconds()))
	return func(w http.ResponseWriter, r *http.Request) error {
		keys, err := json.Marshal(a.service.PublicKeys())
		if err != nil {
			return err
		}
		writeCacheable(w, r, "application/jwk-set+json", cacheControl, keys)
		return nil
	}
}

// relatedOriginsMaxAge is how long browsers may cache the list: an added or removed
// origin is known everywhere a few minutes later.
const relatedOriginsMaxAge = 5 * time.Minute

type relatedOrigins struct {
	Origins []string `json:"origins"`
}

// relatedOrigins tells browsers which pages outside the passkeys' domain may use
// them (WebAuthn L3 §5.11). If there are none, it answers 404.
func (a *api) relatedOrigins(w http.ResponseWriter, r *http.Request) error {
	origins := a.service.RelatedOrigins()
	if len(origins) == 0 {
		return problemNotFound
	}
	content, err := json.Marshal(relatedOrigins{origins})
	if err != nil {
		return err
	}
	cacheControl := fmt.Sprintf("public, max-age=%d", int(relatedOriginsMaxAge.Seconds()))
	writeCacheable(w, r, "application/json", cacheControl, content)
	return nil
}

// endedSessions tells verifiers in other services which sessions have ended. The entity
// tag identifies the content and the time of signing, so that an unchanged list costs a
// 304.
func (a *api) endedSessions(w http.ResponseWriter, r *http.Request) error {
	list, version, err := a.service.EndedSessions()
	return writeEnded(w, r, list, version, err)
}

// endedSessionsOf is endedSessions for one minute.
func (a *api) endedSessionsOf(w http.ResponseWriter, r *http.Request) error {
	minute, err := strconv.ParseInt(r.PathValue("minute"), 10, 64)
	if err != nil {
		return problemNotFound
	}
	list, version, err := a.service.EndedSessionsOf(minute)
	return writeEnded(w, r, list, version, err)
}

func writeEnded(w http.ResponseWriter, r *http.Request, list []byte, version string, err error) error {
	if err != nil {
		return err
	}
	writeTagged(w, r, "application/octet-stream", "public, no-cache", `"`+version+`"`, list)
	return nil
}

// passkeyEndpointsMaxAge is how long password managers may cache the addresses.
const passkeyEndpointsMaxAge = time.Hour

type passkeyEndpoints struct {
	Enroll string `json:"enroll"`
	Manage string `json:"manage"`
}

// passkeyEndpoints tells password managers where people add and manage passkeys (W3C
// "A Well-Known URL for Relying Party Passkey Endpoints").
func (a *api) passkeyEndpoints(w http.ResponseWriter, r *http.Request) error {
	page := a.pagesAt(r.Context()) + pages.Account
	content, err := json.Marshal(passkeyEndpoints{Enroll: page, Manage: page})
	if err != nil {
		return err
	}
	cacheControl := fmt.Sprintf("public, max-age=%d", int(passkeyEndpointsMaxAge.Seconds()))
	writeCacheable(w, r, "application/json", cacheControl, content)
	return nil
}

// changePasswordPage is the page to which password managers send people (W3C "A
// Well-Known URL for Changing Passwords").
func (a *api) changePasswordPage() handler { return redirectTo(pages.Account + "#password") }

// redirectTo redirects to a path of this handler.
func redirectTo(path string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Location", prefixOf(r.Context())+path)
		w.WriteHeader(http.StatusFound)
		return nil
	}
}

// writeCacheable answers with public content, or with 304 if the client has it.
func writeCacheable(w http.ResponseWriter, r *http.Request, contentType, cacheControl string, content []byte) {
	sum := sha256.Sum256(content)
	writeTagged(w, r, contentType, cacheControl, `"`+base64.RawURLEncoding.EncodeToString(sum[:12])+`"`, content)
}

// allowEveryPage lets pages of every origin read public keys and the description of the
// API. A listed page may send cookies; browsers do not accept a wildcard with those, so
// its own headers are kept.
func allowEveryPage(h http.Header) {
	if h.Get("Access-Control-Allow-Origin") == "" {
		h.Set("Access-Control-Allow-Origin", "*")
	}
}

func writeTagged(w http.ResponseWriter, r *http.Request, contentType, cacheControl, etag string, content []byte) {
	h := w.Header()
	h.Set("Cache-Control", cacheControl)
	h.Set("ETag", etag)
	allowEveryPage(h)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", contentType)
	_, _ = w.Write(content)
}
