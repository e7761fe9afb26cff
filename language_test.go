package stepkey_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// languageOf is the language that the store has for a user.
func (f *fixture) languageOf(name string) string {
	f.Helper()
	u, err := f.store.UserByName(f.Context(), name)
	if err != nil {
		f.Fatal(err)
	}
	return u.Language
}

func (f *fixture) wantLanguage(what, name, want string) {
	f.Helper()
	if got := f.languageOf(name); got != want {
		f.Errorf("%s: the language is %q, want %q", what, got, want)
	}
}

// A sign-up and a sign-in teach the user's language. A stranger's calls do not.
func TestLanguageOfUsers(t *testing.T) {
	f := newFixture(t)
	from := func(language string) stepkey.Client { return stepkey.Client{Language: language} }
	if _, err := f.service.SignUp(t.Context(), stepkey.SignUpRequest{Username: "mira", Password: password, Client: from("de-AT")}); err != nil {
		t.Fatal(err)
	}
	f.wantLanguage("sign-up", "mira", "de")
	logIn := func(with, language string) error {
		return second(f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: with, Client: from(language)}))
	}
	if err := logIn("a wrong password", "en"); err == nil {
		t.Fatal("signed in")
	}
	f.wantLanguage("failed sign-in", "mira", "de")
	for _, test := range []struct{ language, want string }{
		{"en", "en"}, {"", "en"}, {"de\r\nBcc: x", "en"}, {"fr", "en"}, {strings.Repeat("de,", 1000), "en"}, {"de", "de"},
	} {
		if err := logIn(password, test.language); err != nil {
			t.Fatal(err)
		}
		f.wantLanguage("sign-in with "+test.language[:min(len(test.language), 9)], "mira", test.want)
	}
	_, device := f.enrolled("noor", authenticator.Config{})
	f.wantLanguage("unknown", "noor", "")
	options, err := f.service.BeginPasskeyLogIn(t.Context(), from("de"))
	if err != nil {
		t.Fatal(err)
	}
	f.wantLanguage("passkey begun", "noor", "")
	if _, err := f.service.FinishPasskeyLogIn(t.Context(), stepkey.PasskeyLogInRequest{
		Response: f.got(device, f.marshal(options)), Client: from("de"),
	}); err != nil {
		t.Fatal(err)
	}
	f.wantLanguage("passkey", "noor", "de")
	if _, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "noor", Password: password, Client: from("en")}); err != nil {
		t.Fatal(err)
	}
	f.wantLanguage("a password beside a passkey", "noor", "de")
}

// The language of an invitation is that of its mail, and of the account if the client has none.
func TestLanguageOfInvitations(t *testing.T) {
	f := newFixture(t)
	box := f.inviting()
	invite := func(language string) string {
		t.Helper()
		_, url, err := f.service.Admin().Invite(t.Context(), stepkey.InviteRequest{Address: "sol@example.com", Language: language, Lifetime: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		_, linkToken, _ := strings.Cut(url, "#")
		return linkToken
	}
	for _, test := range []struct{ name, client string }{{"mira", ""}, {"noor", "en"}} {
		name, client := test.name, test.client
		linkToken := invite("de-CH")
		f.one(box, "sol@example.com", "Du bist eingeladen")
		if _, err := f.service.SignUp(t.Context(), stepkey.SignUpRequest{
			Username: name, Password: password, Invitation: linkToken, Client: stepkey.Client{Language: client},
		}); err != nil {
			t.Fatal(err)
		}
		f.received(box) // of the confirmed address
	}
	f.wantLanguage("client without a language", "mira", "de")
	f.wantLanguage("client with a language", "noor", "en")
	if _, _, err := f.service.Admin().Invite(t.Context(), stepkey.InviteRequest{Language: "ja", Lifetime: time.Hour}); err != stepkey.ErrLanguageUnknown {
		t.Errorf("an invitation in a language that is not there: %v", err)
	}
}

func TestConfiguredLanguages(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	c.Languages = fstest.MapFS{"fr.json": {Data: []byte(`{"mail": {"reset_password": {"subject": "Nouveau mot de passe"}}}`)}}
	c.Language = "fr"
	s := f.newService(c)
	for _, test := range []struct{ preferences, want string }{{"fr-CA,en;q=0.5", "fr"}, {"de", ""}, {"ja", ""}, {"", ""}} {
		if got := s.Language(test.preferences); got != test.want {
			t.Errorf("%q: %q, want %q", test.preferences, got, test.want)
		}
	}
	for _, test := range []struct {
		want   string
		change func(c *stepkey.Config)
	}{
		{`Config.Language is "ja": the language is none of`, func(c *stepkey.Config) { c.Language = "ja" }},
		{"Config.Languages: fr.json", func(c *stepkey.Config) { c.Languages = fstest.MapFS{"fr.json": {Data: []byte(`{"mial": "x"}`)}} }},
	} {
		broken := c
		test.change(&broken)
		if _, err := stepkey.New(t.Context(), broken); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
}
