// Package content serves content that is fixed when the program starts, plain or
// compressed, depending on what the client accepts.
package content

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Content is one resource. It answers GET and HEAD, and is safe for concurrent use.
//
// It must contain no secrets: anyone can see its compressed length, which depends on
// the content.
type Content struct {
	contentType    string
	plain, gzipped func() coded // made when they are first called
}

// coded is the resource in one coding. Each coding has its own entity tag (RFC
// 9110 §8.8.3).
type coded struct {
	body []byte
	etag string
}

// New returns body as a resource. It is compressed for the first client that takes it so: a program serves few
// of the pages and files that it has, and compressing all of them took 70 of the 100 MB that a start allocated.
func New(contentType string, body []byte) Content {
	return Later(contentType, func() []byte { return body })
}

// Later is New for a body that is made for the first client, once.
func Later(contentType string, body func() []byte) Content {
	plain := sync.OnceValue(func() coded { return tagged(body()) })
	return Content{contentType, plain, sync.OnceValue(func() coded { return tagged(compress(plain().body)) })}
}

func compress(body []byte) []byte {
	var compressed bytes.Buffer
	writer, _ := gzip.NewWriterLevel(&compressed, gzip.BestCompression) // the level is one
	_, _ = writer.Write(body)                                           // a Buffer takes everything
	_ = writer.Close()
	return compressed.Bytes()
}

func tagged(body []byte) coded {
	sum := sha256.Sum256(body)
	return coded{body, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}
}

// Body returns the uncompressed content. It must not be changed.
func (c Content) Body() []byte { return c.plain().body }

// CompressedSize returns how many bytes are sent to a browser.
func (c Content) CompressedSize() int { return len(c.gzipped().body) }

// ServeHTTP implements http.Handler. An unchanged resource is a 304.
func (c Content) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", c.contentType)
	h.Add("Vary", "Accept-Encoding")
	coding := c.plain
	if takesGzip(r) {
		coding = c.gzipped
		h.Set("Content-Encoding", "gzip")
		// ServeContent sets no length for coded content.
		h.Set("Content-Length", strconv.Itoa(len(coding().body)))
	}
	sent := coding()
	h.Set("ETag", sent.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(sent.body))
}

// takesGzip reads Accept-Encoding (RFC 9110 §12.5.3). A weight of zero, and one that is no number, is a no.
func takesGzip(r *http.Request) bool {
	for _, value := range r.Header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(value, ",") {
			name, parameter, weighted := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			if !weighted {
				return true
			}
			_, weight, _ := strings.Cut(parameter, "=")
			q, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
			return err == nil && q > 0
		}
	}
	return false
}
