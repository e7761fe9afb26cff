package smtpmail

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
)

func TestURL(t *testing.T) {
	for text, want := range map[string]server{
		"smtp://smtp.example.com":                {host: "smtp.example.com", port: 587},
		"smtp://smtp.example.com:25/":            {host: "smtp.example.com", port: 25},
		"smtp://mira:p%40ss%3A@smtp.example.com": {host: "smtp.example.com", port: 587, user: "mira", password: "p@ss:"},
		"smtps://mira@smtp.example.com":          {host: "smtp.example.com", port: 465, user: "mira", implicit: true},
		"smtps://smtp.example.com:4650":          {host: "smtp.example.com", port: 4650, implicit: true},
		"smtp://localhost:1025":                  {host: "localhost", port: 1025, plain: true},
		"smtp://127.0.0.1":                       {host: "127.0.0.1", port: 587, plain: true},
		"smtp://mira:secret@[::1]:1025":          {host: "::1", port: 1025, user: "mira", password: "secret", plain: true},
		"smtps://localhost":                      {host: "localhost", port: 465, implicit: true},
		"smtp://mailpit:1025?tls=off":            {host: "mailpit", port: 1025, plain: true},
		"smtp://localhost?tls=on":                {host: "localhost", port: 587},
		"smtps://localhost?tls=on":               {host: "localhost", port: 465, implicit: true},
		"smtp://localhost.example.com":           {host: "localhost.example.com", port: 587},
	} {
		got, err := parseURL(text)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(server{})); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", text, err, diff)
		}
	}
	for text, want := range map[string]string{
		"":                                    "write it like",
		"smtp.example.com:587":                "write it like",
		"https://smtp.example.com":            "write it like",
		"smtp://":                             "write it like",
		"smtp://u:hunter2@smtp.exa mple.com":  "write it like",
		"smtp://u:hunter2@smtp.example.com:x": "write it like",
		"smtp://smtp.example.com:0":           "write it like",
		"smtp://smtp.example.com:70000":       "write it like",
		"smtp://smtp.example.com/path":        "write it like",
		"smtp://smtp.example.com?tls=maybe":   "use tls=on",
		"smtp://smtp.example.com?verify=no":   "use tls=on",
		"smtps://smtp.example.com?tls=off":    "use tls=on",
		"smtp://u:hunter2@mailpit?tls=off":    "remove one of the two",
	} {
		_, err := parseURL(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error holds the password: %v", err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{
		{URL: "smtp://localhost"},
		{URL: "smtp://localhost", From: "Stepkey <no-reply@example.com>"},
		{URL: "smtp://localhost", From: "no-reply@example.com\r\nBcc: mallory@example.com"},
		{URL: "smtp://localhost", From: "no-reply@example.com", Name: "Step\r\nBcc: mallory@example.com"},
		{URL: "http://localhost", From: "no-reply@example.com"},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

func newMailer(t *testing.T) *Mailer {
	t.Helper()
	m, err := New(Config{URL: "smtp://localhost", From: "no-reply@example.com", Name: "Stépkey, Inc."})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func letter() stepkey.Mail {
	return stepkey.Mail{
		ID: uuid.MustParse("7b1c44b4-5b39-4d21-8a43-14a9a5b0e9f1"), To: "mira@example.net",
		Subject: "Stepkey: “ä”", Text: "Plain “ä” https://app.example.com/reset-password#x", HTML: "<p>Rich</p>",
	}
}

func TestMessage(t *testing.T) {
	message, err := newMailer(t).message(letter())
	if err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	if _, err := message.WriteTo(&raw); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []string{
		"To: <mira@example.net>\r\n", "<no-reply@example.com>\r\n", "Auto-Submitted: auto-generated\r\n",
		"Message-ID: <7b1c44b4-5b39-4d21-8a43-14a9a5b0e9f1@example.com>\r\n", "Date: ",
		"multipart/alternative", "text/plain", "text/html",
	} {
		if !strings.Contains(raw.String(), wanted) {
			t.Errorf("no %q in\n%s", wanted, raw.String())
		}
	}
	if strings.Contains(raw.String(), "go-mail") {
		t.Errorf("it names the library:\n%s", raw.String())
	}
}

// Whatever comes, there is one recipient and no header of anybody's making.
func TestNothingIsInjected(t *testing.T) {
	const more = "\r\nBcc: mallory@example.com\r\nX: "
	for what, change := range map[string]func(*stepkey.Mail){
		"address":                func(m *stepkey.Mail) { m.To += more },
		"address, newline only":  func(m *stepkey.Mail) { m.To = "mira@example.net\nBcc: mallory@example.com" },
		"address, quoted":        func(m *stepkey.Mail) { m.To = "\"mira\r\nBcc: mallory@example.com\"@example.net" },
		"two addresses":          func(m *stepkey.Mail) { m.To += ", mallory@example.com" },
		"address with a command": func(m *stepkey.Mail) { m.To = "mira@example.net> RCPT TO:<mallory@example.com" },
		"name":                   func(m *stepkey.Mail) { m.To = "Mira <mira@example.net>" },
		"subject":                func(m *stepkey.Mail) { m.Subject += more },
		"subject, newline only":  func(m *stepkey.Mail) { m.Subject += "\nBcc: mallory@example.com" },
	} {
		l := letter()
		change(&l)
		if _, err := newMailer(t).message(l); !errors.Is(err, stepkey.ErrMailRefused) {
			t.Errorf("%s: %v, want ErrMailRefused", what, err)
		}
	}
	l := letter()
	l.Text += more
	message, err := newMailer(t).message(l)
	if err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	if _, err := message.WriteTo(&raw); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(raw.String(), "\r\n\r\n")
	if strings.Contains(head, "mallory") {
		t.Errorf("the body got into the headers:\n%s", head)
	}
}
