package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// fetchTimeout bounds one fetch, connection and body included.
const fetchTimeout = 5 * time.Second

// ErrURL is the kind of every error about an address that must not be fetched.
// Only https is allowed, except for this machine.
var ErrURL = errors.New("guard: unusable address")

// source is one document at a configured address. No token and no response can
// change what is fetched.
type source struct {
	url    string
	client *http.Client
	limit  int64
}

type answer struct {
	body        []byte
	header      http.Header
	notModified bool
}

// newSource returns an [ErrURL] for an address that must not be fetched.
func newSource(address string, client *http.Client, limit int64) (source, error) {
	if client == nil {
		client = &http.Client{}
	}
	bounded := *client
	bounded.CheckRedirect = redirectWithinHost
	parsed, err := url.Parse(address)
	if err != nil || !trustworthy(parsed) {
		return source{}, fmt.Errorf("%w: it has to be an https address", ErrURL)
	}
	return source{url: address, client: &bounded, limit: limit}, nil
}

// trustworthy reports whether a response from u cannot be changed on the way.
func trustworthy(u *url.URL) bool {
	host := u.Hostname()
	if host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return false
	}
	if u.Scheme == "https" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func redirectWithinHost(next *http.Request, before []*http.Request) error {
	if len(before) > 3 || next.URL.Host != before[0].URL.Host || next.URL.Scheme != before[0].URL.Scheme {
		return fmt.Errorf("%w: redirected elsewhere", ErrURL)
	}
	return nil
}

// fetch requests the document. If etag is not empty, an unchanged document is
// reported as notModified.
func (s source) fetch(ctx context.Context, etag string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	response, err := s.ask(ctx, s.url, etag)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotModified {
		return answer{header: response.Header, notModified: true}, nil
	}
	body, err := readWithin(response.Body, s.limit)
	if err != nil {
		return answer{}, err
	}
	return answer{body: body, header: response.Header}, nil
}

// ask requests address. It returns a 200 response or, if etag is not empty, a 304
// response; anything else is an error. The caller closes the body.
func (s source) ask(ctx context.Context, address, etag string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if etag != "" {
		request.Header.Set("If-None-Match", etag)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK || (response.StatusCode == http.StatusNotModified && etag != "") {
		return response, nil
	}
	_ = response.Body.Close()
	return nil, fmt.Errorf("guard: fetch: answered %d", response.StatusCode)
}

func readWithin(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("guard: fetch: more than %d bytes", limit)
	}
	return body, nil
}
