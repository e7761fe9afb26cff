package inbox_test

import (
	"crypto/rand"
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/e2e/inbox"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/smtpmail"
	"github.com/stepkey/stepkey/sqlstore"
)

// A person who is invited in German gets German mails from then on, with their umlauts and links.
func TestGermanMails(t *testing.T) {
	const origin, address = "https://app.example.com", "mira@example.net"
	server := start(t, inbox.Options{})
	mailer, err := smtpmail.New(smtpmail.Config{URL: "smtp://" + server.Address, From: "no-reply@example.com", Name: "Stepkey"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := storeurl.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "stepkey.db"), sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		t.Fatal(err)
	}
	service, err := stepkey.New(t.Context(), stepkey.Config{
		Store: store, Challenges: store, Limiter: store, Mailer: mailer, Origins: []string{origin},
		Secret: base64.StdEncoding.EncodeToString(secret),
	})
	if err != nil {
		t.Fatal(err)
	}
	arrives := func(subject string) inbox.Mail {
		t.Helper()
		if _, err := service.DeliverMail(t.Context()); err != nil {
			t.Fatal(err)
		}
		m, err := server.Wait(address, subject)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(m.HTML, `lang="de"`) || !strings.Contains(m.Text, " Uhr UTC") {
			t.Errorf("%s is not German:\n%s\n%s", subject, m.Text, m.HTML)
		}
		return m
	}
	if _, _, err := service.Admin().Invite(t.Context(), stepkey.InviteRequest{Address: address, Language: "de", Lifetime: time.Hour}); err != nil {
		t.Fatal(err)
	}
	m := arrives("Stepkey: Du bist eingeladen")
	invitation, err := m.Token(origin, stepkey.PathInvitation)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.SignUp(t.Context(), stepkey.SignUpRequest{
		Username: "mira", Password: "correct horse battery", Invitation: invitation, Client: stepkey.Client{Device: "Firefox on Linux"},
	}); err != nil {
		t.Fatal(err)
	}
	m = arrives("Stepkey: Deine E-Mail-Adresse wurde geändert")
	for _, wanted := range []string{"„mira“", "Gerät: Firefox auf Linux", "Das war ich nicht: " + origin + stepkey.PathNotMe + "#"} {
		if !strings.Contains(m.Text, wanted) {
			t.Errorf("no %q in\n%s", wanted, m.Text)
		}
	}
}
