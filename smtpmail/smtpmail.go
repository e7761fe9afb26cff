// Package smtpmail sends e-mail by SMTP. Its [Mailer] is a stepkey.Mailer.
//
//	mailer, err := smtpmail.New(smtpmail.Config{
//		URL:  "smtp://user:password@smtp.example.com:587",
//		From: "no-reply@example.com",
//	})
//
// Each mail uses its own connection: mails are few, and a kept connection may be dead
// when it is needed. TLS is required and the server's certificate is checked, except on
// this machine or if the URL says otherwise.
package smtpmail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/mail"
)

// Timeout bounds the sending of one mail. An earlier deadline of the caller's context
// applies too.
const Timeout = 15 * time.Second

// Config configures a [Mailer].
type Config struct {
	// URL is the URL of the server:
	//
	//	smtp://user:password@smtp.example.com:587    STARTTLS, or nothing is sent
	//	smtps://user:password@smtp.example.com:465   TLS from the first byte
	//	smtp://localhost:1025                        no TLS: localhost needs none
	//	smtp://localhost:587?tls=on                  STARTTLS there as well
	//	smtp://mailpit:1025?tls=off                  no TLS, and no password either
	//
	// User and password may be left out, and so may the port.
	URL string

	// From is the sender's address, and Name, which may be empty, the name that is
	// shown with it.
	From, Name string

	// RootCAs are the authorities that may have issued the server's certificate. The
	// default is the system's.
	RootCAs *x509.CertPool
}

// Mailer sends by SMTP. It is safe for concurrent use. Make one with [New].
type Mailer struct {
	server     server
	from, name string
	domain     string
	rootCAs    *x509.CertPool
}

var _ stepkey.Mailer = (*Mailer)(nil)

// New checks the config and returns an error that says what to do if it is invalid. It
// does not contact the server: a server that is temporarily down must not prevent the
// start.
func New(c Config) (*Mailer, error) {
	s, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if err := mail.CheckAddress(c.From); err != nil {
		return nil, errors.New("smtpmail: Config.From is not one plain address: write it like no-reply@example.com")
	}
	if strings.ContainsFunc(c.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, errors.New("smtpmail: Config.Name holds control characters")
	}
	_, domain, _ := strings.Cut(c.From, "@")
	return &Mailer{server: s, from: c.From, name: c.Name, domain: domain, rootCAs: c.RootCAs}, nil
}

// Send implements stepkey.Mailer. Its errors contain the step that failed and the
// server's code, but neither the address nor the server's text.
func (m *Mailer) Send(ctx context.Context, letter stepkey.Mail) error {
	message, err := m.message(letter)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	client, err := m.client(func(dialing context.Context, network, address string) (net.Conn, error) {
		connection, err := m.dial(dialing, network, address)
		if err == nil {
			// go-mail uses only its own deadline, and leaves the connection open if TLS or
			// authentication fails. When Send returns, ctx is done as well.
			context.AfterFunc(ctx, func() { connection.Close() })
		}
		return connection, err
	})
	if err != nil {
		return fmt.Errorf("smtpmail: %w", err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return connecting(err)
	}
	err = client.SendWithSMTPClient(session, message)
	if message.IsDelivered() {
		// A failure after the server has accepted the mail is no reason to send it
		// again.
		_ = client.CloseWithSMTPClient(session)
		return nil
	}
	return sending(err)
}

// message builds the mail. Addresses were checked when they were entered, and are
// checked again here, before they become headers and commands.
func (m *Mailer) message(letter stepkey.Mail) (*gomail.Msg, error) {
	if err := mail.CheckAddress(letter.To); err != nil {
		return nil, fmt.Errorf("%w: %w", stepkey.ErrMailRefused, err)
	}
	if strings.ContainsAny(letter.Subject, "\r\n") {
		return nil, fmt.Errorf("%w: a subject of two lines", stepkey.ErrMailRefused)
	}
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(message.FromFormat(m.name, m.from), message.To(letter.To)); err != nil {
		return nil, fmt.Errorf("%w: an address that cannot be written", stepkey.ErrMailRefused)
	}
	message.Subject(letter.Subject)
	message.SetMessageIDWithValue(letter.ID.String() + "@" + m.domain)
	message.SetDate()
	// RFC 3834 §5: suppress automatic replies.
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(gomail.TypeTextPlain, letter.Text)
	message.AddAlternativeString(gomail.TypeTextHTML, letter.HTML)
	return message, nil
}

func (m *Mailer) client(dial gomail.DialContextFunc) (*gomail.Client, error) {
	options := []gomail.Option{
		gomail.WithPort(m.server.port), gomail.WithTimeout(Timeout), gomail.WithDialContextFunc(dial),
		gomail.WithTLSConfig(m.tls()), gomail.WithTLSPolicy(m.server.policy()),
		gomail.WithoutNoop(), gomail.WithoutRset(), gomail.WithoutSMTPUTF8(),
	}
	if m.server.implicit {
		options = append(options, gomail.WithSSL())
	}
	if m.server.user != "" {
		options = append(options, gomail.WithUsername(m.server.user), gomail.WithPassword(m.server.password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return gomail.NewClient(m.server.host, options...)
}

func (m *Mailer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if m.server.implicit {
		return (&tls.Dialer{Config: m.tls()}).DialContext(ctx, network, address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

func (m *Mailer) tls() *tls.Config {
	return &tls.Config{ServerName: m.server.host, MinVersion: tls.VersionTLS12, RootCAs: m.rootCAs}
}
