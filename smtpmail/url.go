package smtpmail

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// server is a parsed URL.
type server struct {
	host           string
	port           int
	user, password string
	implicit       bool // TLS from the first byte
	plain          bool // no TLS at all
}

func (s server) policy() gomail.TLSPolicy {
	if s.plain || s.implicit {
		return gomail.NoTLS // no STARTTLS, which is what the policy is about
	}
	return gomail.TLSMandatory
}

// errURL is for a malformed URL. The parser's own error quotes the URL, and with it the
// password.
var errURL = errors.New("smtpmail: Config.URL is not the URL of a mail server: write it like smtp://user:password@smtp.example.com:587, " +
	"or smtps://…:465")

func parseURL(text string) (server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return server{}, errURL
	}
	s := server{host: u.Hostname(), user: u.User.Username()}
	s.password, _ = u.User.Password()
	switch u.Scheme {
	case "smtp":
		s.port, s.plain = 587, isLocal(s.host)
	case "smtps":
		s.port, s.implicit = 465, true
	default:
		return server{}, errURL
	}
	if u.Port() != "" {
		if s.port, err = strconv.Atoi(u.Port()); err != nil || s.port < 1 || s.port > 65535 {
			return server{}, errURL
		}
	}
	switch options := u.Query(); {
	case u.RawQuery == "":
	case len(options) == 1 && options.Get("tls") == "off" && !s.implicit:
		s.plain = true
	case len(options) == 1 && options.Get("tls") == "on":
		s.plain = false
	default:
		return server{}, errors.New("smtpmail: Config.URL has unknown options: use tls=on, or tls=off with smtp://")
	}
	if s.user != "" && s.plain && !isLocal(s.host) {
		return server{}, errors.New("smtpmail: Config.URL has a password and tls=off, and would send the password unencrypted: " +
			"remove one of the two")
	}
	return s, nil
}

// isLocal reports whether the server is on this machine, so that nobody can
// eavesdrop.
func isLocal(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost"
}
