package mail

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stepkey/stepkey/internal/messages"
)

func full() Letter {
	return Letter{
		Service: "Stepkey", Home: "https://app.example.com", Username: "Mira",
		At:     time.Date(2030, 5, 17, 9, 5, 0, 0, time.FixedZone("", 7200)),
		Device: "Firefox on Linux", Network: "203.0.113.0/24", Address: "new@example.com",
		ConfirmURL: "https://app.example.com/confirm-email#c", ResetURL: "https://app.example.com/reset-password#r",
		Until: time.Date(2030, 5, 20, 9, 5, 0, 0, time.UTC), RecoverURL: "https://app.example.com/recover#r",
		FreezeURL: "https://app.example.com/not-me#f", InvitationURL: "https://app.example.com/invitation#i",
	}
}

// letters writes in the languages of the service and those of further files.
func letters(t *testing.T, further ...string) *Letters {
	t.Helper()
	files := fstest.MapFS{}
	for i := 0; i < len(further); i += 2 {
		files[further[i]] = &fstest.MapFile{Data: []byte(further[i+1])}
	}
	set, err := messages.Load(messages.Service, files)
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(set)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func render(t *testing.T, kind Kind, l Letter) Text {
	t.Helper()
	return renderWith(t, letters(t), kind, l)
}

func renderWith(t *testing.T, letters *Letters, kind Kind, l Letter) Text {
	t.Helper()
	text, err := letters.Render(kind, l)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every mail says in both parts what happened, in whose account, when, where, and what
// to do if it was somebody else.
func TestEveryKindSaysWhatIsNeeded(t *testing.T) {
	links := map[Kind]string{
		ConfirmEmail: full().ConfirmURL, ResetPassword: full().ResetURL,
		FinishRecovery: full().RecoverURL, AccountDeleted: full().Home, EmailRemovedByAdmin: full().Home,
	}
	for _, kind := range Kinds() {
		if kind == Invitation {
			continue // it concerns no account
		}
		text := render(t, kind, full())
		link := links[kind]
		if link == "" {
			link = full().FreezeURL
		}
		if !strings.HasPrefix(text.Subject, "Stepkey: ") || len(text.Subject) > 70 {
			t.Errorf("%s: the subject is %q", kind, text.Subject)
		}
		for _, wanted := range []string{"Mira", "Stepkey", "17 May 2030, 07:05 UTC", "Firefox on Linux", "203.0.113.0/24", link} {
			for part, body := range map[string]string{"text": text.Text, "HTML": text.HTML} {
				if !strings.Contains(body, wanted) {
					t.Errorf("%s: the %s part lacks %q:\n%s", kind, part, wanted, body)
				}
			}
		}
		if !regexp.MustCompile(`If it was not|You did not ask for this\?`).MatchString(text.Text) {
			t.Errorf("%s: nothing for a reader who did not do it:\n%s", kind, text.Text)
		}
		if strings.Contains(text.Text+text.HTML, "{{") || strings.Contains(text.Text, "<no value>") || strings.Contains(text.Text, "\n\n\n") {
			t.Errorf("%s: not filled in:\n%s", kind, text.Text)
		}
		if found := regexp.MustCompile(`(?i)<img|<script|<link|url\(|@import|src=`).FindString(text.HTML); found != "" {
			t.Errorf("%s: the HTML part has %s", kind, found)
		}
		if len(text.Text) > 900 {
			t.Errorf("%s: %d bytes of text", kind, len(text.Text))
		}
	}
}

func TestInvitation(t *testing.T) {
	text := render(t, Invitation, full())
	for _, wanted := range []string{"invites you", "until 20 May 2030, 09:05 UTC", full().InvitationURL, "do nothing"} {
		if !strings.Contains(text.Text, wanted) || !strings.Contains(text.HTML, wanted) {
			t.Errorf("no %q in\n%s", wanted, text.Text)
		}
	}
	if text.Subject != "Stepkey: You are invited" || strings.Contains(text.Text+text.HTML, "Mira") || strings.Contains(text.Text+text.HTML, "{{") {
		t.Errorf("%s\n%s", text.Subject, text.Text)
	}
}

// Only the mail that a link is for carries it.
func TestLinksStayInTheirMail(t *testing.T) {
	for _, kind := range Kinds() {
		text := render(t, kind, full())
		for link, only := range map[string]Kind{full().ConfirmURL: ConfirmEmail, full().ResetURL: ResetPassword, full().RecoverURL + "\"": FinishRecovery, full().InvitationURL: Invitation} {
			if strings.Contains(text.Text+text.HTML, link) != (kind == only) {
				t.Errorf("%s: %s", kind, link)
			}
		}
	}
}

func TestUnknownFactsAreLeftOut(t *testing.T) {
	l := full()
	l.Device, l.Network = "", ""
	text := render(t, PasskeyAdded, l)
	if strings.Contains(text.Text+text.HTML, "Device") || strings.Contains(text.Text+text.HTML, "Network") {
		t.Errorf("facts that nobody knows:\n%s", text.Text)
	}
}

func TestTheAccountsNameIsOnlyText(t *testing.T) {
	l := full()
	l.Username, l.Service = `<b onclick="x">{{.Home}}{address}&`, "Step\r\nBcc: noor@example.com"
	for _, language := range []string{"en", "de"} {
		l.Language = language
		text := render(t, PasswordReset, l)
		if strings.Contains(text.HTML, "<b onclick") || !strings.Contains(text.HTML, "&lt;b onclick") {
			t.Errorf("the name is markup:\n%s", text.HTML)
		}
		if !strings.Contains(text.Text, `<b onclick="x">{{.Home}}{address}&`) {
			t.Errorf("the name is a template:\n%s", text.Text)
		}
		if strings.ContainsAny(text.Subject, "\r\n") {
			t.Errorf("the subject is two lines: %q", text.Subject)
		}
	}
}

func TestNoOtherKindIsRendered(t *testing.T) {
	letters := letters(t)
	if _, err := letters.Render("find_accounts", full()); err == nil {
		t.Error("a task is rendered as a mail")
	}
	if len(letters.kinds) != len(Kinds()) {
		t.Errorf("%d kinds have words, %d are listed", len(letters.kinds), len(Kinds()))
	}
}

// All words are in the files of package messages.
func TestLayoutsHaveNoWords(t *testing.T) {
	for _, layout := range []string{textLayout, htmlLayout} {
		rest := regexp.MustCompile(`(?s)\{\{.*?\}\}|<[^>]*>`).ReplaceAllString(layout, "")
		if found := regexp.MustCompile(`[A-Za-z]+`).FindAllString(rest, -1); len(found) > 0 {
			t.Errorf("a layout says %q", found)
		}
	}
}
