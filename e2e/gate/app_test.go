package gate_test

import (
	"bufio"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

// app is an application that knows nothing of Stepkey. It is no net/http server, which would refuse or repair some of what
// it is there to see.
type app struct {
	address string

	mu   sync.Mutex
	seen []arrived
}

// arrived is a request as it reached an app.
type arrived struct {
	line    string // without the end of the line
	headers []header
}

type header struct{ name, value string }

// target returns the method and the target of the first line.
func (a arrived) target() (method, target string) {
	method, rest, _ := strings.Cut(a.line, " ")
	if at := strings.LastIndex(rest, " HTTP/"); at >= 0 {
		rest = rest[:at]
	}
	return method, rest
}

// values returns those of a header, by its exact name but for capitals.
func (a arrived) values(name string) (list []string) {
	for _, h := range a.headers {
		if strings.EqualFold(h.name, name) {
			list = append(list, h.value)
		}
	}
	return list
}

func startApp(t *testing.T) *app {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	a := &app{address: listener.Addr().String()}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go a.serve(connection)
		}
	}()
	return a
}

// serve answers one request. A WebSocket stays open and echoes.
func (a *app) serve(connection net.Conn) {
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(patience.Long))
	from := bufio.NewReader(connection)
	request, err := readHead(from)
	if err != nil {
		return
	}
	a.mu.Lock()
	a.seen = append(a.seen, request)
	a.mu.Unlock()
	if upgrade := request.values("Upgrade"); len(upgrade) > 0 {
		_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+upgrade[0]+"\r\n\r\n")
		_, _ = io.Copy(connection, from)
		return
	}
	var body io.Reader = strings.NewReader("")
	if length := request.values("Content-Length"); len(length) == 1 {
		size, _ := strconv.ParseInt(length[0], 10, 64)
		body = io.LimitReader(from, size)
	} else if len(request.values("Transfer-Encoding")) > 0 {
		body = httputil.NewChunkedReader(from)
	}
	_, _ = io.Copy(io.Discard, body)
	_, _ = io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\napp\n")
}

func readHead(from *bufio.Reader) (arrived, error) {
	var a arrived
	for first := true; ; first = false {
		line, err := from.ReadString('\n')
		if err != nil {
			return a, err
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case first:
			a.line = line
		case line == "":
			return a, nil
		default:
			name, value, _ := strings.Cut(line, ":")
			a.headers = append(a.headers, header{name, strings.TrimSpace(value)})
		}
	}
}

// take returns what has arrived since it was last called.
func (a *app) take() []arrived {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.seen
	a.seen = nil
	return list
}
