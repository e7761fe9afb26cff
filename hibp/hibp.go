// Package hibp checks whether a password is known from a data breach, with the
// range protocol of Have I Been Pwned. Its [Client] is a stepkey.Breaches.
//
//	client, err := hibp.New(hibp.PublicURL)
//
// Neither the password nor its whole hash leaves the process: the service gets the
// first 5 of the 40 hex digits of the SHA-1 and answers with all its hashes that begin
// with them, about a thousand (k-anonymity). Random extra rows (Add-Padding) hide from
// eavesdroppers which range it was, which the length would reveal.
//
// Your own mirror works too: any server that answers GET URL/ABCDE with lines of 35 hex
// digits, a colon and a count.
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

// PublicURL is the public URL of Have I Been Pwned, which needs no key.
const PublicURL = "https://api.pwnedpasswords.com/range/"

const (
	// Timeout bounds one lookup, from waiting for a turn to the last byte, because
	// somebody is waiting for a password to be set.
	Timeout = 1500 * time.Millisecond

	// maxQuestions is how many lookups run at once. Each answer has about 40 KB
	// for a request of 5 characters, so this keeps a flood of new passwords from
	// causing a flood of answers.
	maxQuestions = 8

	// maxAnswer is ten times the size of a range with its padding.
	maxAnswer = 512 << 10

	prefixDigits = 5
)

// Client is a client of one service. It is safe for concurrent use. Make one
// with [New].
type Client struct {
	url    string
	client http.Client
	turns  chan struct{}
}

// New returns a client of the service whose ranges are below rawURL. It refuses a URL
// that is not https, unless the host is this machine, and one with a user, a query or
// a fragment. It sends no request: a service that is temporarily down must not prevent
// the start.
func New(rawURL string) (*Client, error) {
	u, err := url.Parse(rawURL)
	// The parser's own error quotes the URL, which may contain a password.
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("hibp: not the plain URL of a service: write it like " + PublicURL)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && isLocal(u.Hostname())) {
		return nil, errors.New("hibp: the URL is not https, and eavesdroppers would learn about passwords: " +
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
			// Accept only answers of the configured service.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// isLocal reports whether the service is on this machine, so that nobody can
// eavesdrop.
func isLocal(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost"
}

// Breached reports whether the service knows password. It takes at most [Timeout]. Its
// errors contain nothing of the password or its hash.
func (c *Client) Breached(ctx context.Context, password string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
		return false, fmt.Errorf("hibp: too many lookups at once: %w", ctx.Err())
	}
	// The protocol uses SHA-1. It protects nothing here: it only selects the
	// range.
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

// withoutURL removes the URL from an error of the HTTP client, because its end is
// part of the password's hash.
func withoutURL(err error) error {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		return quoting.Err
	}
	return err
}
