package inbox_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/e2e/inbox"
	"github.com/stepkey/stepkey/smtpmail"
)

// certificate makes one for localhost, and the pool that it is checked with.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}}, pool
}

func start(t *testing.T, options inbox.Options) *inbox.Server {
	t.Helper()
	server, err := inbox.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

func letter() stepkey.Mail {
	return stepkey.Mail{
		ID: uuid.New(), To: "mira@example.net", Subject: "Stepkey: “Ä” was added", HTML: "<p>“Ä” = rich</p>",
		Text: "“Ä” = plain\n.\nhttps://app.example.com/reset-password#" + strings.Repeat("x", 43) + "\n",
	}
}

func send(t *testing.T, config smtpmail.Config, m stepkey.Mail) error {
	t.Helper()
	config.From, config.Name = "no-reply@example.com", "Stepkey"
	mailer, err := smtpmail.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return mailer.Send(t.Context(), m)
}

func TestDelivery(t *testing.T) {
	encrypted, pool := certificate(t)
	for name, test := range map[string]struct {
		options inbox.Options
		url     string // with ADDRESS in it
	}{
		"plain on localhost":             {inbox.Options{}, "smtp://ADDRESS"},
		"plain with password":            {inbox.Options{Password: "hunter2"}, "smtp://stepkey:hunter2@ADDRESS"},
		"TLS":                            {inbox.Options{TLS: encrypted, Implicit: true, Password: "hunter2"}, "smtps://stepkey:hunter2@ADDRESS"},
		"TLS without password":           {inbox.Options{TLS: encrypted, Implicit: true}, "smtps://ADDRESS"},
		"the server goes after the mail": {inbox.Options{HangUp: true}, "smtp://ADDRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, test.options)
			want := letter()
			config := smtpmail.Config{URL: strings.ReplaceAll(test.url, "ADDRESS", server.Address), RootCAs: pool}
			if err := send(t, config, want); err != nil {
				t.Fatal(err)
			}
			got, err := server.Wait(want.To, "was added")
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject != want.Subject || got.From != "no-reply@example.com" || got.Header.Get("From") != `"Stepkey" <no-reply@example.com>` ||
				got.Header.Get("Message-Id") != "<"+want.ID.String()+"@example.com>" {
				t.Errorf("%q from %q, %v", got.Subject, got.From, got.Header)
			}
			if diff := cmp.Diff([]string{want.Text, want.HTML}, []string{lines(got.Text), lines(got.HTML)}); diff != "" {
				t.Errorf("-sent +arrived:\n%s", diff)
			}
		})
	}
}

func lines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// On the way to another machine there is no mail and no password without TLS.
func TestEncryptionIsDemanded(t *testing.T) {
	encrypted, pool := certificate(t)
	other, _ := certificate(t)
	for name, test := range map[string]struct {
		options inbox.Options
		says    string
	}{
		"no STARTTLS":             {inbox.Options{Password: "hunter2"}, "STARTTLS"},
		"a certificate of others": {inbox.Options{TLS: other, Password: "hunter2"}, "certificate"},
		"the wrong password":      {inbox.Options{TLS: encrypted, Password: "another"}, "535"},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, test.options)
			err := sendElsewhere(t, server, pool, letter())
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want it to say %q", err, test.says)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || errors.Is(err, stepkey.ErrMailRefused)) {
				t.Errorf("%v", err)
			}
			if mails := server.Mails(); len(mails) != 0 {
				t.Errorf("%d mails arrived", len(mails))
			}
		})
	}
	server := start(t, inbox.Options{TLS: encrypted, Password: "hunter2"})
	if err := sendElsewhere(t, server, pool, letter()); err != nil {
		t.Errorf("with STARTTLS: %v", err)
	}
}

// sendElsewhere sends as to another machine.
func sendElsewhere(t *testing.T, server *inbox.Server, pool *x509.CertPool, m stepkey.Mail) error {
	t.Helper()
	return send(t, smtpmail.Config{URL: "smtp://stepkey:hunter2@" + server.Address + "?tls=on", RootCAs: pool}, m)
}

func TestRefusals(t *testing.T) {
	for code, final := range map[int]bool{550: true, 553: true, 450: false, 421: false} {
		server := start(t, inbox.Options{Refuse: &smtp.SMTPError{Code: code, Message: "no mira@example.net here"}})
		err := send(t, smtpmail.Config{URL: "smtp://" + server.Address}, letter())
		if err == nil || errors.Is(err, stepkey.ErrMailRefused) != final {
			t.Errorf("%d: %v, want it to be final: %v", code, err, final)
		}
		if err != nil && strings.Contains(err.Error(), "mira") {
			t.Errorf("%d: the error holds the address: %v", code, err)
		}
	}
}

// A server that takes connections and says nothing holds nobody who is told to stop.
func TestSilentServer(t *testing.T) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	mailer, err := smtpmail.New(smtpmail.Config{URL: "smtp://" + listener.Addr().String(), From: "no-reply@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() { sent <- mailer.Send(ctx, letter()) }()
	connection, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	cancel()
	select {
	case err := <-sent:
		if err == nil {
			t.Error("a mail that nobody took counts as sent")
		}
	case <-time.After(smtpmail.Timeout / 2): // well before it would give up by itself
		t.Error("it goes on waiting")
	}
}

func TestUnreachable(t *testing.T) {
	server := start(t, inbox.Options{})
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := send(t, smtpmail.Config{URL: "smtp://" + server.Address}, letter()); err == nil || errors.Is(err, stepkey.ErrMailRefused) {
		t.Errorf("%v, want an error that another try can outlive", err)
	}
}
