package gate_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

// row is a request as a client sends it, byte by byte.
type row struct {
	// source says where the attack was seen: an advisory, an issue, a section of an RFC.
	source string

	// line is the first one, and headers are those beside Host, Authorization and Connection, in the form "Name: value". A
	// Host or Connection in headers takes the place of the usual one; "no Host" leaves it out.
	line    string
	headers []string
	body    string

	// as is who sends it: nobody, mira, who gave her password, or noor, who has verified a passkey.
	as string

	// want is the status, or several as in "400 404", for all proxies or those whose names follow, as in "400, nginx 200".
	// 0 is a closed connection without an answer, and 9 an answer without a head, as in HTTP/0.9.
	want string

	// reaches says that an app gets the request. If so, it must be one that the rules allow as it arrived.
	reaches string
}

// bytes writes the row as it is sent.
func (r row) bytes(sessions map[string]session) string {
	var b strings.Builder
	b.WriteString(r.line + "\r\n")
	if !strings.Contains(r.line, " HTTP/") {
		return b.String() // HTTP/0.9 ends here
	}
	usual := []string{"Host: " + appHost, "Connection: close"}
	if token := sessions[r.as].token; token != "" {
		usual = append(usual, "Authorization: Bearer "+token)
	}
	for _, line := range usual {
		name, _, _ := strings.Cut(line, ":")
		replaced := func(h string) bool { return strings.HasPrefix(h, name+":") || h == "no "+name }
		if !slices.ContainsFunc(r.headers, replaced) {
			b.WriteString(line + "\r\n")
		}
	}
	for _, line := range r.headers {
		if !strings.HasPrefix(line, "no ") {
			b.WriteString(line + "\r\n")
		}
	}
	b.WriteString("\r\n" + r.body)
	return b.String()
}

// wanted returns the text for a proxy from one as in "400 404, nginx 200".
func wanted(text, proxy string) string {
	general := ""
	for part := range strings.SplitSeq(text, ", ") {
		name, rest, named := strings.Cut(part, " ")
		if named && name == proxy {
			return rest
		}
		if _, err := strconv.Atoi(name); err == nil || !slices.Contains([]string{"caddy", "nginx", "traefik"}, name) {
			general = part
		}
	}
	return general
}

// send sends a row and reports what is wrong with what came of it.
func (s *site) send(r row) error {
	for _, a := range s.apps {
		a.take()
	}
	status, _, err := s.exchange(appHost, r.bytes(s.sessions))
	if err != nil {
		return err
	}
	reached := ""
	for name, a := range s.apps {
		for _, request := range a.take() {
			reached = name
			if err := violation(name, request, r.as, s.sessions); err != nil {
				return fmt.Errorf("%d, and at %s: %w", status, name, err)
			}
		}
	}
	if want := wanted(r.reaches, s.proxy); reached != want {
		return fmt.Errorf("%d, and it has reached %q, want %q", status, reached, want)
	}
	if want := wanted(r.want, s.proxy); !slices.Contains(strings.Fields(want), strconv.Itoa(status)) {
		return fmt.Errorf("%d, want %s", status, want)
	}
	return nil
}

// exchange sends bytes over TLS with that server name, and reads the answer until the proxy closes the connection.
func (s *site) exchange(name, raw string) (status int, header http.Header, err error) {
	connection, err := tls.DialWithDialer(&net.Dialer{Timeout: patience.Long}, "tcp", s.https, &tls.Config{
		RootCAs: s.certificate.Roots, ServerName: name, NextProtos: []string{"http/1.1"},
	})
	if err != nil {
		return 0, nil, err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(patience.Long)); err != nil {
		return 0, nil, err
	}
	// A proxy that has seen enough may stop reading.
	_, _ = io.WriteString(connection, raw)
	method, _, _ := strings.Cut(raw, " ")
	return readAnswer(bufio.NewReader(connection), method)
}

func readAnswer(from *bufio.Reader, method string) (int, http.Header, error) {
	if begin, err := from.Peek(5); err != nil || string(begin) != "HTTP/" {
		if len(begin) > 0 {
			return 9, nil, nil
		}
		return 0, nil, nil
	}
	response, err := http.ReadResponse(from, &http.Request{Method: method})
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusSwitchingProtocols {
		return response.StatusCode, response.Header, nil
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, nil, fmt.Errorf("read the answer %s: %w", response.Status, err)
	}
	return response.StatusCode, response.Header, nil
}
