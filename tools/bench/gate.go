package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// proxyEnv makes this program a reverse proxy in front of the URL in it, and nothing else.
const proxyEnv = "STEPKEY_BENCH_PROXY"

// gateCost is one row of the report about the gate.
type gateCost struct {
	operation, yardstick string
	connections          int
	goal                 goal
	sample
}

// measureGate measures the gate's own proxy and /forward-auth.
func measureGate(ctx context.Context, rounds int) (findings, error) {
	dir, err := os.MkdirTemp("", "stepkey-bench-")
	if err != nil {
		return findings{}, err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(os.Stderr, "building")
	binary, err := build(ctx, dir)
	if err != nil {
		return findings{}, err
	}
	var costs []gateCost
	for _, measure := range []func(context.Context, string, string, int) ([]gateCost, error){measureProxy, measureForwardAuth} {
		more, err := measure(ctx, binary, dir, rounds)
		if err != nil {
			return findings{}, err
		}
		costs = append(costs, more...)
	}
	return findings{text: reportGate(costs, rounds), plots: []plot{gatePlot(costs)}}, nil
}

// measureProxy compares the gate with a reverse proxy that lets all pass. Both are in front
// of the same application.
func measureProxy(ctx context.Context, binary, dir string, rounds int) ([]gateCost, error) {
	fmt.Fprintln(os.Stderr, "measuring the proxy")
	app, err := startBare(ctx, answers{"GET /": {
		Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/html"}, "Content-Length": {"2048"}}, Body: make([]byte, 2048),
	}})
	if err != nil {
		return nil, err
	}
	defer app.stop()
	bare, err := startProxy(ctx, app.url)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	gate, _, err := startCommand(ctx, binary, dir, "gate", "STEPKEY_GATE_UPSTREAM="+app.url, "STEPKEY_DATA="+filepath.Join(dir, "gate"))
	if err != nil {
		return nil, err
	}
	defer gate.stop()
	header := http.Header{}
	if header["Cookie"], err = browse(ctx, gate.url, gate.url+"/_stepkey", header); err != nil {
		return nil, err
	}
	return compareGate(ctx, gateCost{operation: "a page through the gate", yardstick: "httputil.ReverseProxy", goal: goal{most: 1.3}},
		side{gate, nil, "/"}, side{bare, nil, "/"}, header, rounds)
}

// asked is what a proxy tells of a request that it asks about, but for the cookies.
var asked = http.Header{
	"X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Method": {"GET"},
	"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"app.example.com"}, "X-Forwarded-Uri": {"/page?x=1"},
}

// Yardsticks for /forward-auth.
const emptyAnswer, sameBytes = "net/http, 204", "net/http, the same bytes"

// measureForwardAuth compares the answer to a proxy that asks with an answer without content and with one that is the same to
// the byte, and what they cost together with nginx.
func measureForwardAuth(ctx context.Context, binary, dir string, rounds int) ([]gateCost, error) {
	fmt.Fprintln(os.Stderr, "measuring /forward-auth")
	rules := filepath.Join(dir, "rules.toml")
	if err := os.WriteFile(rules, []byte("[[app]]\norigin = 'https://app.example.com'\nrules = ['password * /**']\n"), 0o600); err != nil {
		return nil, err
	}
	service, _, err := startCommand(ctx, binary, dir, "serve",
		"STEPKEY_RULES="+rules, "STEPKEY_TRUSTED_PROXIES=127.0.0.1,::1", "STEPKEY_DATA="+filepath.Join(dir, "serve"))
	if err != nil {
		return nil, err
	}
	defer service.stop()
	header := asked.Clone()
	if header["Cookie"], err = browse(ctx, service.url, service.url, header); err != nil {
		return nil, err
	}
	recorded, err := recordAnswer(ctx, service.url+"/forward-auth", header)
	if err != nil {
		return nil, err
	}
	bare, err := startBare(ctx, answers{"GET /forward-auth": {Status: http.StatusNoContent}})
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	same, err := startBare(ctx, answers{"GET /forward-auth": recorded})
	if err != nil {
		return nil, err
	}
	defer same.stop()

	var costs []gateCost
	for _, pair := range []struct {
		ours, bare *server
		row        gateCost
	}{
		{service, bare, gateCost{operation: "/forward-auth", yardstick: emptyAnswer, goal: goal{most: 1.15}}},
		{service, same, gateCost{operation: "/forward-auth", yardstick: sameBytes}},
		{same, bare, gateCost{operation: sameBytes, yardstick: emptyAnswer}}, // the least that such an answer can cost
	} {
		more, err := compareGate(ctx, pair.row, side{pair.ours, nil, "/forward-auth"}, side{pair.bare, nil, "/forward-auth"}, header, rounds)
		if err != nil {
			return nil, err
		}
		costs = append(costs, more...)
	}
	more, err := measureNginx(ctx, dir, service, bare, header["Cookie"], rounds)
	return append(costs, more...), err
}

// recordAnswer returns the answer to one request, for a bare server.
func recordAnswer(ctx context.Context, address string, header http.Header) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, err
	}
	r.Header = browserHeader(header)
	response, err := oneConnection().Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	response.Header.Del("Date") // net/http adds its own
	return answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// side is one side of a comparison: a path of a server, and the proxy in front of it whose CPU time counts as well.
type side struct {
	server *server
	proxy  *server // or nil
	path   string
}

func (s side) load(header http.Header, connections int) load {
	clients := make([]*http.Client, connections)
	for i := range clients {
		clients[i] = oneConnection()
	}
	l := load{pid: s.server.pid(), n: guardedCalls, workers: connections}
	address := s.server.url + s.path
	if s.proxy != nil {
		l.beside, address = s.proxy.pid(), s.proxy.url+s.path
	}
	l.do = func(ctx context.Context, worker int) error { return get(ctx, clients[worker], address, header) }
	return l
}

// compareGate measures one row for each number of connections.
func compareGate(ctx context.Context, row gateCost, ours, bare side, header http.Header, rounds int) ([]gateCost, error) {
	var costs []gateCost
	for _, row.connections = range []int{1, 32} {
		var err error
		if row.sample, err = compare(ctx, ours.load(header, row.connections), bare.load(header, row.connections), rounds); err != nil {
			return nil, fmt.Errorf("%s: %w", row.operation, err)
		}
		costs = append(costs, row)
	}
	return costs, nil
}

// get makes one request with the headers of a browser, and reads the whole answer.
func get(ctx context.Context, client *http.Client, address string, header http.Header) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header = browserHeader(header)
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("GET %s: %s", address, response.Status)
	}
	return nil
}

// browserHeader adds what a browser sends to a header.
func browserHeader(header http.Header) http.Header {
	whole := header.Clone()
	whole.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	whole.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	whole.Set("Accept-Language", "en-US,en;q=0.5")
	whole.Add("Cookie", "session=0123456789abcdef; theme=dark")
	return whole
}

// browse goes through the handshake of a new user's browser at an application, whose paths of
// Stepkey are at address, and returns the cookie of its session. The header is what a proxy adds.
func browse(ctx context.Context, address, service string, header http.Header) ([]string, error) {
	bearer, err := signIn(ctx, service)
	if err != nil {
		return nil, err
	}
	client := oneConnection()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	open := func(path string, cookies ...*http.Cookie) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+path, nil)
		if err != nil {
			return nil, err
		}
		r.Header = header.Clone()
		for _, cookie := range cookies {
			r.AddCookie(cookie)
		}
		response, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusSeeOther {
			return nil, fmt.Errorf("GET %s: %s", path, response.Status)
		}
		return response, nil
	}
	started, err := open("/_stepkey/start")
	if err != nil {
		return nil, err
	}
	page, err := started.Location()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]string{"origin": page.Query().Get("origin"), "nonce": page.Query().Get("nonce")})
	if err != nil {
		return nil, err
	}
	p := &person{url: service, client: oneConnection()}
	issued, err := p.call(ctx, bearer, "POST", "/auth/browser-code", body)
	if err != nil {
		return nil, err
	}
	var code struct{ Code string }
	if err := json.Unmarshal(issued.Body, &code); err != nil {
		return nil, err
	}
	finished, err := open("/_stepkey/finish?code="+code.Code, started.Cookies()...)
	if err != nil {
		return nil, err
	}
	var cookies []string
	for _, cookie := range finished.Cookies() {
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	return cookies, nil
}

// signIn makes a user and returns an access token of level password.
func signIn(ctx context.Context, address string) (string, error) {
	p := &person{url: address, name: "person", client: oneConnection()}
	if _, err := p.call(ctx, "", "POST", "/auth/signup", p.credentials()); err != nil {
		return "", err
	}
	login, err := p.logIn(ctx)
	if err != nil {
		return "", err
	}
	return accessToken(login)
}

// startProxy starts this program again as a reverse proxy.
func startProxy(ctx context.Context, upstream string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), proxyEnv+"="+upstream)
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd}
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("reverse proxy: %w", err)
	}
	s.url = "http://" + strings.TrimSpace(address)
	return s, nil
}

// playProxy is main for the reverse proxy. It serves until it is killed.
func playProxy(upstream string) error {
	target, err := url.Parse(upstream)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Println(listener.Addr()); err != nil {
		return err
	}
	return http.Serve(listener, plainProxy(target))
}

// plainProxy passes everything on, with as many idle connections as the gate keeps.
func plainProxy(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport: &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 512, DisableCompression: true},
	}
}
