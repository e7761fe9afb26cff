// Package inbox is a mail server in the process of a test: real SMTP, and mails that are read by the standard library's
// parsers and not by the one that wrote them.
package inbox

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/stepkey/stepkey/internal/patience"
)

// Mail is one that was delivered.
type Mail struct {
	From       string   // of the envelope
	Recipients []string // of the envelope
	Header     mail.Header
	Subject    string // decoded
	Text, HTML string // the parts, decoded
}

// Token returns what stands behind the # of the link to a page below origin, which both parts have to hold alike.
func (m Mail) Token(origin, page string) (string, error) {
	link := regexp.MustCompile(regexp.QuoteMeta(origin+page) + `#([\w-]{43})\b`)
	text, html := link.FindStringSubmatch(m.Text), link.FindStringSubmatch(m.HTML)
	if text == nil || html == nil || text[1] != html[1] {
		return "", fmt.Errorf("no link to %s%s in both parts of %q:\n%s", origin, page, m.Subject, m.Text)
	}
	return text[1], nil
}

// Options change what a Server demands.
type Options struct {
	// TLS is what STARTTLS or, with Implicit, every connection is encrypted with. nil is for no encryption.
	TLS      *tls.Config
	Implicit bool

	// Password is what the user "stepkey" signs in with. Without one nobody has to.
	Password string

	// Refuse, if it is not nil, is what every recipient is answered with.
	Refuse *smtp.SMTPError

	// Recipient, if it is not nil, is asked about every recipient, for as long as it takes to answer.
	Recipient func(to string) error

	// HangUp has the server close the connection once it has taken a mail, without a goodbye.
	HangUp bool
}

// Server is a running mail server. It is safe for concurrent use.
type Server struct {
	Address string // host:port

	options  Options
	server   *smtp.Server
	listener net.Listener

	mu      sync.Mutex
	mails   []Mail
	arrived chan struct{} // closed and replaced at each mail
	faults  []error
}

// Start runs a server on a free port of localhost.
func Start(options Options) (*Server, error) {
	s := &Server{Address: "localhost:0", options: options, arrived: make(chan struct{})}
	return s, s.Restart()
}

// Restart runs the server again, at the address that it had.
func (s *Server) Restart() error {
	listener, err := net.Listen("tcp", s.Address)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	s.Address = net.JoinHostPort("localhost", port)
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c.Conn()}, nil
	}))
	s.listener = listener
	s.server.Domain, s.server.AllowInsecureAuth = "localhost", true
	if s.options.HangUp {
		listener = hangingUp{listener}
	}
	if s.options.Implicit {
		listener = tls.NewListener(listener, s.options.TLS)
	} else {
		s.server.TLSConfig = s.options.TLS
	}
	go func(server *smtp.Server) { _ = server.Serve(listener) }(s.server) // ends with Stop
	return nil
}

// Stop ends the server and its connections. The listener is closed apart: the server does not know it before its first
// turn.
func (s *Server) Stop() error {
	err := s.listener.Close()
	if closed := s.server.Close(); err == nil && !errors.Is(closed, net.ErrClosed) {
		err = closed
	}
	return err
}

// Mails returns what was delivered so far.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Wait returns the first mail to that address with those words in its subject, and forgets it.
func (s *Server) Wait(to, subject string) (Mail, error) {
	end := time.After(patience.Long)
	for {
		m, found, arrived := s.take(to, subject)
		if found {
			return m, nil
		}
		select {
		case <-arrived:
		case <-end:
			return Mail{}, fmt.Errorf("no mail to %s with %q; there are %+v, faults %w", to, subject, s.Mails(), errors.Join(s.faults...))
		}
	}
}

func (s *Server) take(to, subject string) (Mail, bool, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.mails {
		if len(m.Recipients) == 1 && m.Recipients[0] == to && strings.Contains(m.Subject, subject) {
			s.mails = append(s.mails[:i:i], s.mails[i+1:]...)
			return m, true, nil
		}
	}
	return Mail{}, false, s.arrived
}

func (s *Server) deliver(m Mail, raw []byte) error {
	err := m.parse(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.faults = append(s.faults, err)
		return err
	}
	s.mails = append(s.mails, m)
	close(s.arrived)
	s.arrived = make(chan struct{})
	return nil
}

// parse reads a mail of two alternatives, text first.
func (m *Mail) parse(raw []byte) error {
	message, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	m.Header = message.Header
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject")); err != nil {
		return err
	}
	kind, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return fmt.Errorf("the mail is %q: %w", kind, err)
	}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	for _, part := range []struct {
		kind string
		into *string
	}{{"text/plain", &m.Text}, {"text/html", &m.HTML}} {
		if *part.into, err = readPart(parts, part.kind); err != nil {
			return err
		}
	}
	if _, err := parts.NextRawPart(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("more than two parts: %w", err)
	}
	return nil
}

func readPart(parts *multipart.Reader, want string) (string, error) {
	part, err := parts.NextRawPart()
	if err != nil {
		return "", err
	}
	kind, parameters, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if err != nil || kind != want || !strings.EqualFold(parameters["charset"], "utf-8") ||
		part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
		return "", fmt.Errorf("the part is %v: %w", part.Header, err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(part))
	return string(text), err
}

// session implements smtp.Session and smtp.AuthSession.
type session struct {
	server   *Server
	conn     net.Conn
	signedIn bool
	mail     Mail
}

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string {
	if s.server.options.Password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements smtp.AuthSession.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != "stepkey" || password != s.server.options.Password {
			return smtp.ErrAuthFailed
		}
		s.signedIn = true
		return nil
	}), nil
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.options.Password != "" && !s.signedIn {
		return smtp.ErrAuthRequired
	}
	s.mail = Mail{From: from}
	return nil
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.server.options.Refuse != nil {
		return s.server.options.Refuse
	}
	if s.server.options.Recipient != nil {
		if err := s.server.options.Recipient(to); err != nil {
			return err
		}
	}
	s.mail.Recipients = append(s.mail.Recipients, to)
	return nil
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if c, ok := s.conn.(*hanging); ok {
		c.done.Store(true)
	}
	return s.server.deliver(s.mail, raw)
}

// hangingUp makes connections that end instead of reading what comes after a mail.
type hangingUp struct{ net.Listener }

// Accept implements net.Listener.
func (l hangingUp) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &hanging{Conn: c}, err
}

type hanging struct {
	net.Conn
	done atomic.Bool // a mail was taken
}

// Read implements net.Conn.
func (c *hanging) Read(p []byte) (int, error) {
	if c.done.Load() {
		return 0, errors.Join(io.EOF, c.Close())
	}
	return c.Conn.Read(p)
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.mail = Mail{} }

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }
