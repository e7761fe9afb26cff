// Package origin checks the origins from which passkeys are used: of pages, as a browser
// writes them, and of apps, as Android does. Origins are compared byte by byte, so one that
// is written differently would never match, and is refused with an error that says what to
// write.
//
// Errors begin with the name of the setting, which the caller passes.
package origin

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// android is the prefix of an Android app's origin. Android guarantees that it is true,
// as the browser does for the origin of a page.
const android = "android:apk-key-hash:"

// Check returns an error unless origin is one that a page or an Android app can have.
func Check(setting, origin string) error {
	if isApp(origin) {
		return checkAndroid(setting, origin)
	}
	_, err := Parse(setting, origin)
	return err
}

// CheckPage returns an error unless origin is one that a page can have and [Secure]. A
// network must not be able to change pages that may read answers with tokens.
func CheckPage(setting, origin string) error {
	u, err := Parse(setting, origin)
	if err != nil {
		return err
	}
	if !Secure(u) {
		return fmt.Errorf("%s has %s, which is plain http, so that a network on the way can change its pages: "+
			"use https://%s, or http://localhost for trying it out", setting, origin, u.Host)
	}
	return nil
}

// Parse parses the origin of a page as a browser writes it: http or https, a host in
// lower case and ASCII, and the port unless it is the scheme's default.
func Parse(setting, origin string) (*url.URL, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("%s %q is not an origin: write it like https://app.example.com", setting, origin)
	}
	if canonical := canonical(u); canonical != origin {
		return nil, fmt.Errorf("%s %q is not written as browsers write it, and would match none: use %s",
			setting, origin, canonical)
	}
	if port := u.Port(); port != "" && !isPort(port) {
		return nil, fmt.Errorf("%s %q would match none: %s is not how browsers write a port", setting, origin, port)
	}
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r == '*' || r > unicode.MaxASCII }) {
		return nil, fmt.Errorf("%s %q would match none: write one host in ASCII (xn--…), and each host by itself", setting, origin)
	}
	return u, nil
}

// Secure reports whether no network can change what u serves: it is https, or on this
// machine.
func Secure(u *url.URL) bool { return u.Scheme != "http" || isLocalhost(u.Hostname()) }

// Host returns the host of an origin without the port, or the empty string if there is none.
func Host(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// isApp reports whether origin looks like an app's. No page has this scheme.
func isApp(origin string) bool { return strings.HasPrefix(origin, "android:") }

func checkAndroid(setting, origin string) error {
	hash, found := strings.CutPrefix(origin, android)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(hash)
	if !found || err != nil || len(raw) != sha256.Size {
		return fmt.Errorf("%s %q is not how Android names an app, and would match none: write %s and then "+
			"the SHA-256 of its signing certificate, 32 bytes in base64url without padding", setting, origin, android)
	}
	return nil
}

// canonical returns u as a browser serialises an origin.
func canonical(u *url.URL) string {
	host, port := strings.ToLower(u.Host), u.Port()
	if port == "" || (u.Scheme == "https" && port == "443") || (u.Scheme == "http" && port == "80") {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + host
}

// isPort reports whether text is a port as a browser writes it: without leading zeros.
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == text
}

// isLocalhost follows the Secure Contexts specification: browsers treat these names as
// the machine itself, whatever a resolver says.
func isLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// within reports whether host is domain or below it.
func within(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}
