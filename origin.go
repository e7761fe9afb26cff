package stepkey

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// appOrigin is what the origin of an Android app begins with. Nothing vouches for
// it but Android, as nothing but the browser does for a page's.
const appOrigin = "android:apk-key-hash:"

func (c Config) checkOrigins() error {
	if isApp(c.Origins[0]) {
		return errors.New("Config.Origins begins with an app: put the origin of a page first, which the tokens name as their issuer")
	}
	var faults []error
	for _, origin := range c.Origins {
		if isApp(origin) {
			faults = append(faults, checkAndroidOrigin("Config.Origins", origin))
			continue
		}
		faults = append(faults, checkOrigin(origin, c.RPID))
	}
	for _, origin := range c.AppOrigins {
		faults = append(faults, c.checkAppOrigin(origin))
	}
	for _, origin := range c.RelatedOrigins {
		faults = append(faults, checkRelatedOrigin(origin, c.RPID))
	}
	return errors.Join(faults...)
}

// isApp reports whether origin looks like an app's. No page has this scheme.
func isApp(origin string) bool { return strings.HasPrefix(origin, "android:") }

// checkAppOrigin refuses the origin of a page as well: whether it gets cookies must not
// depend on which of two lists is read.
func (c Config) checkAppOrigin(origin string) error {
	switch {
	case slices.Contains(c.Origins, origin):
		return fmt.Errorf("Config.AppOrigins has %s, which Config.Origins has as well: remove it from one of the two", origin)
	case isApp(origin):
		return checkAndroidOrigin("Config.AppOrigins", origin)
	}
	u, err := parseOrigin("Config.AppOrigins", origin)
	if err != nil {
		return err
	}
	if u.Scheme != "https" || !within(u.Hostname(), c.RPID) {
		return fmt.Errorf("Config.AppOrigins has %s, which no app uses with passkeys of %s: "+
			"an iOS app uses https://%[2]s, and an Android app %[3]s…", origin, c.RPID, appOrigin)
	}
	return nil
}

func checkAndroidOrigin(setting, origin string) error {
	hash, found := strings.CutPrefix(origin, appOrigin)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(hash)
	if !found || err != nil || len(raw) != sha256.Size {
		return fmt.Errorf("%s %q is not how Android names an app, and would match none: write %s and then "+
			"the SHA-256 of its signing certificate, 32 bytes in base64url without padding", setting, origin, appOrigin)
	}
	return nil
}

func checkOrigin(origin, rpID string) error {
	u, err := parseOrigin("Config.Origins", origin)
	if err != nil {
		return err
	}
	host := u.Hostname()
	if u.Scheme == "http" && !isLocalhost(host) {
		return fmt.Errorf("Config.Origins %s is plain http, and browsers allow passkeys only over https: "+
			"use https://%s, or http://localhost for trying it out", origin, u.Host)
	}
	if !within(host, rpID) {
		return fmt.Errorf("Config.RPID %s is neither the host of Config.Origins %s nor a parent domain of it: "+
			"set Config.RPID to %s, or list the origin in Config.RelatedOrigins", rpID, origin, host)
	}
	return nil
}

func checkRelatedOrigin(origin, rpID string) error {
	u, err := parseOrigin("Config.RelatedOrigins", origin)
	if err != nil {
		return err
	}
	host := u.Hostname()
	_, notAddress := netip.ParseAddr(host)
	switch {
	case isLocalhost(rpID):
		return fmt.Errorf("Config.RelatedOrigins is set, and browsers would ask https://%s/.well-known/webauthn for them: "+
			"give the service a domain name, or remove the setting", rpID)
	case u.Scheme != "https" || notAddress == nil:
		return fmt.Errorf("Config.RelatedOrigins has %s, and browsers allow passkeys there only over https and by name: "+
			"write it like https://app.example.net", origin)
	case within(host, rpID):
		return fmt.Errorf("Config.RelatedOrigins has %s, which belongs to Config.RPID %s anyway: list it in Config.Origins", origin, rpID)
	default:
		return nil
	}
}

// checkPublicURL is for links that set a password: whoever reads them on the way can.
func (c Config) checkPublicURL() error {
	if c.PublicURL == c.Origins[0] {
		return nil // checked with the others
	}
	u, err := parseOrigin("Config.PublicURL", c.PublicURL)
	if err != nil {
		return err
	}
	if u.Scheme == "http" && !isLocalhost(u.Hostname()) {
		return fmt.Errorf("Config.PublicURL %s is plain http, and the links in mails set passwords: use https://%s",
			c.PublicURL, u.Host)
	}
	return nil
}

// CheckPageOrigin returns an error that says what is wrong and what to do, unless
// origin is one that a page can have, exactly as a browser writes it: https, or http
// on localhost. setting is what the error calls it. Pages that may read answers with
// tokens in them have to be safe from a network that changes them on the way, so
// other plain http is refused.
func CheckPageOrigin(setting, origin string) error {
	u, err := parseOrigin(setting, origin)
	if err != nil {
		return err
	}
	if u.Scheme == "http" && !isLocalhost(u.Hostname()) {
		return fmt.Errorf("%s has %s, which is plain http, so that a network on the way can change its pages: "+
			"use https://%s, or http://localhost for trying it out", setting, origin, u.Host)
	}
	return nil
}

// parseOrigin takes an origin only as a browser writes it, because origins are
// compared byte by byte.
func parseOrigin(setting, origin string) (*url.URL, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("%s %q is not an origin: write it like https://app.example.com", setting, origin)
	}
	if canonical := canonicalOrigin(u); canonical != origin {
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

// canonicalOrigin writes u as a browser serialises an origin.
func canonicalOrigin(u *url.URL) string {
	host, port := strings.ToLower(u.Host), u.Port()
	if port == "" || (u.Scheme == "https" && port == "443") || (u.Scheme == "http" && port == "80") {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + host
}

// isPort reports whether text is a port as a browser writes it: without zeros before
// it.
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == text
}

// pageOrigins are the origins without the apps.
func (c Config) pageOrigins() []string {
	var pages []string
	for _, origin := range c.Origins {
		if !isApp(origin) {
			pages = append(pages, origin)
		}
	}
	return append(pages, c.RelatedOrigins...)
}

// onlyLocalhost reports whether nobody but this machine can use the service. An app
// is on somebody's telephone.
func (c Config) onlyLocalhost() bool {
	for _, origin := range slices.Concat(c.Origins, c.AppOrigins) {
		if !isLocalhost(hostOf(origin)) {
			return false
		}
	}
	return true
}

func hostOf(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// isLocalhost follows the Secure Contexts specification: browsers treat these
// names as the machine itself, whatever a resolver says.
func isLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// within reports whether host is domain or below it.
func within(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}
