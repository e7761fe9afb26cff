package httpapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/content"
)

//go:embed openapi.json
var openAPIDocument []byte

// publicKeys lets verifiers keep the keys for a while. A key is published for longer
// than that before it signs.
func (a *api) publicKeys() http.HandlerFunc {
	cacheControl := fmt.Sprintf("public, max-age=%d", int(stepkey.JWKSMaxAge.Seconds()))
	return func(w http.ResponseWriter, r *http.Request) {
		keys, err := json.Marshal(a.service.PublicKeys())
		if err != nil {
			a.fail(w, r, err)
			return
		}
		writeCacheable(w, r, "application/jwk-set+json", cacheControl, keys)
	}
}

// relatedOriginsMaxAge is how long browsers go on with the list: a page that is added
// or taken out is known everywhere a few minutes later.
const relatedOriginsMaxAge = 5 * time.Minute

type relatedOrigins struct {
	Origins []string `json:"origins"`
}

// relatedOrigins tells browsers which pages outside the passkeys' domain may use
// them (WebAuthn L3 §5.11). Where there are none it is not there.
func (a *api) relatedOrigins(w http.ResponseWriter, r *http.Request) {
	origins := a.service.RelatedOrigins()
	if len(origins) == 0 {
		writeProblem(w, r, problemNotFound)
		return
	}
	content, err := json.Marshal(relatedOrigins{origins})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	cacheControl := fmt.Sprintf("public, max-age=%d", int(relatedOriginsMaxAge.Seconds()))
	writeCacheable(w, r, "application/json", cacheControl, content)
}

// openAPI serves the description of the API without the white space of its source, and
// compressed: /docs loads it. It panics when the embedded document is no JSON, which the
// tests rule out.
func (a *api) openAPI() http.HandlerFunc {
	compact := jsontext.Value(bytes.Clone(openAPIDocument))
	if err := compact.Compact(); err != nil {
		panic(err)
	}
	document, err := content.New("application/json", compact)
	if err != nil {
		panic(err)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, no-cache")
		allowEveryPage(w.Header())
		document.ServeHTTP(w, r)
	}
}

// writeCacheable answers with something public, or with 304 if the client has it.
func writeCacheable(w http.ResponseWriter, r *http.Request, contentType, cacheControl string, content []byte) {
	sum := sha256.Sum256(content)
	writeTagged(w, r, contentType, cacheControl, `"`+base64.RawURLEncoding.EncodeToString(sum[:12])+`"`, content)
}

// allowEveryPage lets pages of every origin read public keys and the description of the
// API. A listed page may send cookies along; browsers take no wildcard with those.
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

type status struct {
	Status string `json:"status"`
}

// alive says that the process answers, whatever it stands on.
func (a *api) alive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, status{"ok"})
}

// ready says that requests should come to this instance.
func (a *api) ready(w http.ResponseWriter, r *http.Request) {
	if isClosed(a.stopping) {
		writeProblem(w, r, problemUnavailable)
		return
	}
	if err := a.service.Ready(r.Context()); err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, status{"ok"})
}

// endedSessions lets verifiers elsewhere learn which sessions have ended. The tag is that
// of the content and of the time of signing, so that an unchanged list costs a 304.
func (a *api) endedSessions(w http.ResponseWriter, r *http.Request) {
	list, version, err := a.service.EndedSessions()
	a.writeEnded(w, r, list, version, err)
}

// endedSessionsOf is endedSessions for one minute.
func (a *api) endedSessionsOf(w http.ResponseWriter, r *http.Request) {
	minute, err := strconv.ParseInt(r.PathValue("minute"), 10, 64)
	if err != nil {
		writeProblem(w, r, problemNotFound)
		return
	}
	list, version, err := a.service.EndedSessionsOf(minute)
	a.writeEnded(w, r, list, version, err)
}

func (a *api) writeEnded(w http.ResponseWriter, r *http.Request, list []byte, version string, err error) {
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeTagged(w, r, "application/octet-stream", "public, no-cache", `"`+version+`"`, list)
}
