package content

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func serve(t *testing.T, body []byte, method string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	c := New("text/plain", body)
	request := httptest.NewRequest(method, "/", nil)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Vary", "Origin")
	c.ServeHTTP(recorder, request)
	return recorder
}

func TestCompression(t *testing.T) {
	body := bytes.Repeat([]byte("a few words, "), 100)
	plain := serve(t, body, "GET")
	for _, test := range []struct{ accepted, coding string }{
		{"gzip", "gzip"},
		{"br, GZIP;q=0.5", "gzip"},
		{"gzip;q=1.0", "gzip"},
		{"gzip ; Q=0.001", "gzip"},
		{"gzip;q=0", ""},
		{"gzip; q=0.000", ""},
		{"gzip;q=", ""},
		{"gzip;q=one", ""},
		{"br", ""},
		{"*", ""},
		{"", ""},
	} {
		accepted, coding := test.accepted, test.coding
		response := serve(t, body, "GET", "Accept-Encoding", accepted)
		if got := response.Header().Get("Content-Encoding"); got != coding {
			t.Errorf("%q: coding %q, want %q", accepted, got, coding)
		}
		if got := strings.Join(response.Header().Values("Vary"), ", "); got != "Origin, Accept-Encoding" {
			t.Errorf("%q: Vary %q", accepted, got)
		}
		if got := response.Header().Get("Content-Length"); got != strconv.Itoa(response.Body.Len()) {
			t.Errorf("%q: length %s of %d", accepted, got, response.Body.Len())
		}
		tag := response.Header().Get("ETag")
		if coding == "" {
			continue
		}
		if tag == plain.Header().Get("ETag") {
			t.Errorf("%q: both codings have one tag", accepted)
		}
		reader, err := gzip.NewReader(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%q: %d bytes, %v", accepted, len(got), err)
		}
		for _, match := range []string{tag, "W/" + tag, `"other", ` + tag} {
			again := serve(t, body, "GET", "Accept-Encoding", accepted, "If-None-Match", match)
			if again.Code != http.StatusNotModified || again.Body.Len() != 0 || again.Header().Get("ETag") != tag {
				t.Errorf("%q with %s: %d", accepted, match, again.Code)
			}
		}
		head := serve(t, body, "HEAD", "Accept-Encoding", accepted)
		if head.Body.Len() != 0 || head.Header().Get("Content-Length") != response.Header().Get("Content-Length") {
			t.Errorf("%q: HEAD with %d bytes, length %s", accepted, head.Body.Len(), head.Header().Get("Content-Length"))
		}
	}
}

// A program has many pages and files when it starts, and no reader yet.
func TestNothingIsCompressedBeforeItIsAskedFor(t *testing.T) {
	body := bytes.Repeat([]byte("a few words, "), 100)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		New("text/plain", body)
	}
	runtime.ReadMemStats(&after)
	// A compressor alone takes 800 KB.
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 100<<10 {
		t.Errorf("ten resources took %d bytes", allocated)
	}
}
