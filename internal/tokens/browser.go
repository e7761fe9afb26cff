package tokens

import (
	"crypto/hmac"
	"fmt"
	"io"

	"github.com/stepkey/stepkey/internal/secret"
)

// browserBytes is the length of the random part of a code or cookie. It alone suffices as a
// secret.
const browserBytes = 32

// The prefixes keep a code from being taken for a cookie.
var (
	browserCodeFormat   = format{prefix: "bc1.", payload: browserBytes}
	browserCookieFormat = format{prefix: "bs1.", payload: browserBytes}
)

// BrowserTokens issues the codes and cookies of browser sessions. Their MAC spares the store
// a lookup for each invented one. The zero value is not usable.
type BrowserTokens struct {
	key    []byte
	random io.Reader
}

// NewBrowserTokens returns the browser tokens of a root secret.
func NewBrowserTokens(root secret.Root, random io.Reader) BrowserTokens {
	return BrowserTokens{key: root.Derive("browser session"), random: random}
}

// NewCode returns a code.
func (t BrowserTokens) NewCode() (string, error) { return t.issue(browserCodeFormat) }

// NewCookie returns the value of a cookie.
func (t BrowserTokens) NewCookie() (string, error) { return t.issue(browserCookieFormat) }

// GenuineCode reports whether this service issued text as a code.
func (t BrowserTokens) GenuineCode(text string) bool { return t.genuine(browserCodeFormat, text) }

// GenuineCookie reports whether this service issued text as a cookie.
func (t BrowserTokens) GenuineCookie(text string) bool { return t.genuine(browserCookieFormat, text) }

func (t BrowserTokens) issue(f format) (string, error) {
	payload := make([]byte, browserBytes)
	if _, err := io.ReadFull(t.random, payload); err != nil {
		return "", fmt.Errorf("tokens: draw a browser token: %w", err)
	}
	return f.encode(payload, macOf(t.key, []byte(f.prefix), payload)), nil
}

func (t BrowserTokens) genuine(f format, text string) bool {
	payload, mac, ok := f.decode(text)
	return ok && hmac.Equal(mac, macOf(t.key, []byte(f.prefix), payload))
}
