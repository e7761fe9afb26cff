// Package hibp asks whether a password is known from a data breach, by the range
// protocol of Have I Been Pwned. Its [Client] is a stepkey.Breaches.
//
//	client, err := hibp.New(hibp.PublicURL)
//
// Neither the password nor its whole hash leaves the process: the service is told the
// first 5 of the 40 hex digits of the SHA-1 and answers with all the hashes that it has
// below them, some thousand (k-anonymity). Rows that it adds at random (Add-Padding)
// keep who watches the connection from telling by the length which range it was.
//
// A mirror of one's own serves as well: whatever answers GET URL/ABCDE with lines of 35
// hex digits, a colon and a count.
package hibp

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// PublicURL is where Have I Been Pwned answers, for everybody and without a key.
const PublicURL = "https://api.pwnedpasswords.com/range/"

const (
	// Timeout bounds one question, from waiting for a turn to the last byte: somebody
	// is waiting for a password to be set.
	Timeout = 1500 * time.Millisecond

	// maxQuestions is how many are asked at once. Each answer is some 40 KB for a
	// question of 5 characters: so a flood of new passwords is none of answers.
	maxQuestions = 8

	// maxAnswer is ten times what a range has with its padding.
	maxAnswer = 512 << 10

	prefixDigits = 5
)

// Client asks one service. It is safe for concurrent use. Make one with [New].
type Client struct {
	url    string
	client http.Client
	turns  chan struct{}
}

// New returns a client of the service whose ranges are below rawURL. It refuses one
// that is not https, unless it is on this machine, and one with a user, a query or a
// fragment. It asks nothing: a service that is away for now is no reason not to start.
func New(rawURL string) (*Client, error) {
	u, err := url.Parse(rawURL)
	// The parser's own text quotes what may hold a password.
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("hibp: not the plain URL of a service: write it like " + PublicURL)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && isLocal(u.Hostname())) {
		return nil, errors.New("hibp: the URL is not https, and whoever listens would learn about passwords: " +
			"use https, or a service on localhost")
	}
	return &Client{
		url:   strings.TrimSuffix(u.String(), "/") + "/",
		turns: make(chan struct{}, maxQuestions),
		client: http.Client{
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
				MaxIdleConnsPerHost: maxQuestions, IdleConnTimeout: time.Minute,
			},
			// The answer is the configured service's, or there is none.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// isLocal reports whether the service is on this machine, where nobody listens on the
// way.
func isLocal(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost"
}

// Breached reports whether the service knows password. It takes at most [Timeout]. Its
// errors hold nothing of the password, nor of its hash.
func (c *Client) Breached(ctx context.Context, password string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
		return false, fmt.Errorf("hibp: too many questions at once: %w", ctx.Err())
	}
	// SHA-1 is the protocol's. It protects nothing here: it only says where to look.
	sum := sha1.Sum([]byte(password))
	digest := strings.ToUpper(hex.EncodeToString(sum[:]))
	answer, err := c.ask(ctx, digest[:prefixDigits])
	if err != nil {
		return false, err
	}
	return listed(answer, digest[prefixDigits:])
}

// ask fetches a range.
func (c *Client) ask(ctx context.Context, prefix string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+prefix, nil)
	if err != nil {
		return "", fmt.Errorf("hibp: %w", withoutURL(err))
	}
	r.Header.Set("Add-Padding", "true")
	r.Header.Set("User-Agent", "Stepkey")
	response, err := c.client.Do(r)
	if err != nil {
		return "", fmt.Errorf("hibp: %w", withoutURL(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("hibp: the service answers with status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return "", fmt.Errorf("hibp: %w", withoutURL(err))
	}
	if len(body) > maxAnswer {
		return "", fmt.Errorf("hibp: the answer has more than %d bytes", maxAnswer)
	}
	return string(body), nil
}

// withoutURL is what an error of the HTTP client says without the address that it
// quotes, whose end is part of the password's hash.
func withoutURL(err error) error {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		return quoting.Err
	}
	return err
}
