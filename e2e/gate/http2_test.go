package gate_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

// http2Rows are requests that only HTTP/2 can express, as names and values in turn.
var http2Rows = []struct {
	source, as string
	fields     []string
	reaches    string
}{
	{"plain: open", "", []string{":method", "GET", ":scheme", "https", ":authority", appHost, ":path", "/public/"}, "app"},
	{"plain: nobody", "", []string{":method", "GET", ":scheme", "https", ":authority", appHost, ":path", "/admin"}, ""},
	{"plain: password", "mira", []string{":method", "GET", ":scheme", "https", ":authority", appHost, ":path", "/", "x-stepkey-user", "forged"}, "app"},
	{"an authority and another host", "", []string{":method", "GET", ":scheme", "https", ":authority", shopHost, ":path", "/public/", "host", appHost}, ""},
	{"a host and no authority", "", []string{":method", "GET", ":scheme", "https", ":path", "/admin", "host", appHost}, ""},
	{"a path without a slash", "mira", []string{":method", "GET", ":scheme", "https", ":authority", appHost, ":path", "admin"}, ""},
	{"no path", "mira", []string{":method", "GET", ":scheme", "https", ":authority", appHost}, ""},
	{"two paths", "", []string{":method", "GET", ":scheme", "https", ":authority", appHost, ":path", "/public/", ":path", "/admin"}, ""},
	{"a target that is a page of Stepkey", "", []string{":method", "GET", ":scheme", "https", ":authority", appHost, ":path", "http:http://x/livez"}, ""},
	{"a whole URL", "", []string{":method", "GET", ":scheme", "https", ":authority", appHost, ":path", "https://" + appHost + "/admin"}, ""},
	{"a line in the path", "", []string{":method", "GET", ":scheme", "https", ":authority", appHost, ":path", "/public/ HTTP/1.1\r\nHost: " + appHost + "\r\n\r\nGET /admin"}, ""},
	{"a line in the method", "", []string{":method", "GET /admin HTTP/1.1\r\nX:", ":scheme", "https", ":authority", appHost, ":path", "/public/"}, ""},
	{"a line in a value", "", []string{":method", "GET", ":scheme", "https", ":authority", appHost, ":path", "/public/", "x-a", "b\r\nx-stepkey-user: forged"}, ""},
	{"a colon in a name", "", []string{":method", "GET", ":scheme", "https", ":authority", appHost, ":path", "/public/", "x-stepkey-user: forged", "b"}, ""},
	{"a name in capitals", "", []string{":method", "GET", ":scheme", "https", ":authority", appHost, ":path", "/public/", "X-Stepkey-User", "forged"}, ""},
	{"Connection", "mira", []string{":method", "GET", ":scheme", "https", ":authority", appHost, ":path", "/", "connection", "x-stepkey-user"}, ""},
	{"Transfer-Encoding", "mira", []string{":method", "POST", ":scheme", "https", ":authority", appHost, ":path", "/", "transfer-encoding", "chunked"}, ""},
	{"CONNECT", "mira", []string{":method", "CONNECT", ":authority", appHost + ":443"}, ""},
	{"extended CONNECT of nobody", "", []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", appHost, ":path", "/"}, ""},
}

func TestCorpusOfHTTP2(t *testing.T) {
	s := newSite(t)
	for _, p := range proxies() {
		if p.name == "nginx" {
			continue // its file leaves HTTP/2 out, which each version of nginx switches on by another directive
		}
		t.Run(p.name, func(t *testing.T) {
			s := s.behind(t, p.name)
			p.start(t, s)
			for _, r := range http2Rows {
				if token := s.sessions[r.as].token; token != "" {
					r.fields = append(r.fields, "authorization", "Bearer "+token)
				}
				s.exchangeHTTP2(r.fields)
				reached := ""
				for name, a := range s.apps {
					for _, request := range a.take() {
						reached = name
						if err := violation(name, request, r.as, s.sessions); err != nil {
							t.Errorf("%s: %v", r.source, err)
						}
					}
				}
				if reached != r.reaches {
					t.Errorf("%s: it has reached %q, want %q", r.source, reached, r.reaches)
				}
			}
		})
	}
}

// exchangeHTTP2 sends a request without a body and returns when its stream has ended.
func (s *site) exchangeHTTP2(fields []string) {
	s.t.Helper()
	connection, err := tls.DialWithDialer(&net.Dialer{Timeout: patience.Long}, "tcp", s.https, &tls.Config{
		RootCAs: s.certificate.Roots, ServerName: appHost, NextProtos: []string{"h2"},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(patience.Long)); err != nil {
		s.t.Fatal(err)
	}
	const settings, headers, endStreamAndHeaders = 4, 1, 0x1 | 0x4
	var block []byte
	for i := 0; i < len(fields); i += 2 {
		block = append(block, 0) // a literal that is not indexed, and whose name is new (RFC 7541 section 6.2.2)
		block = appendString(block, fields[i])
		block = appendString(block, fields[i+1])
	}
	raw := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(settings, 0, 0, nil)...)
	if _, err := connection.Write(append(raw, frame(headers, endStreamAndHeaders, 1, block)...)); err != nil {
		s.t.Fatal(err)
	}
	awaitStream(bufio.NewReader(connection))
}

// awaitStream reads frames until one ends stream 1 or the connection.
func awaitStream(from *bufio.Reader) {
	const data, headers, reset, goAway, endStream = 0, 1, 3, 7, 0x1
	for {
		var head [9]byte
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return // closed
		}
		if _, err := from.Discard(int(head[0])<<16 | int(head[1])<<8 | int(head[2])); err != nil {
			return
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		if kind == reset || kind == goAway || stream == 1 && (kind == data || kind == headers) && flags&endStream != 0 {
			return
		}
	}
}

// frame is that of RFC 9113 section 4.1.
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	raw := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(raw, stream), payload...)
}

// appendString adds a string without Huffman coding (RFC 7541 sections 5.1 and 5.2).
func appendString(block []byte, text string) []byte {
	n := len(text)
	if n < 127 {
		return append(append(block, byte(n)), text...)
	}
	block = append(block, 127)
	for n -= 127; n >= 128; n >>= 7 {
		block = append(block, byte(n)|128)
	}
	return append(append(block, byte(n)), text...)
}
