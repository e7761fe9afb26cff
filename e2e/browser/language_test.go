package browser

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// words are the messages of the service in a language, by key; each category of a plural counts as one.
func words(t *testing.T, language string) map[string]string {
	t.Helper()
	body, err := os.ReadFile("../../internal/messages/" + language + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(body, &tree); err != nil {
		t.Fatal(err)
	}
	flat := map[string]string{}
	var add func(prefix string, tree map[string]any)
	add = func(prefix string, tree map[string]any) {
		for name, inner := range tree {
			if group, ok := inner.(map[string]any); ok {
				add(prefix+name+".", group)
			} else {
				flat[prefix+name] = inner.(string)
			}
		}
	}
	add("", tree)
	return flat
}

// notGerman returns a check that a page shows no English message, in text or in names that screen readers say.
func notGerman(t *testing.T) func(p *tab, state string) {
	english, german, pattern := words(t, "en"), map[string]bool{}, map[string]*regexp.Regexp{}
	for _, text := range words(t, "de") {
		german[text] = true
	}
	for key, text := range english {
		// A passkey that was added here is named after the device, "Chrome on Linux", for good.
		isData := key == "language" || key == "scripts.account.sessions.device"
		if !german[text] && !isData && !strings.HasPrefix(key, "mail.") {
			quoted := regexp.QuoteMeta(strings.NewReplacer("{service}", "Stepkey", "{minimum}", "8").Replace(text))
			pattern[key] = regexp.MustCompile(`^` + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(quoted, `.+`) + `$`)
		}
	}
	return func(p *tab, state string) {
		t.Helper()
		shown := Eval[[]string](p.Page, `(() => {
			const texts = [document.title], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
			while (walker.nextNode()) if (walker.currentNode.parentElement.checkVisibility()) texts.push(walker.currentNode.data);
			for (const e of document.querySelectorAll("[aria-label]")) if (e.checkVisibility()) texts.push(e.ariaLabel);
			return texts.map(text => text.trim()).filter(text => /\p{L}/u.test(text));
		})()`)
		if len(shown) < 8 {
			t.Errorf("%s shows only %q", state, shown)
		}
		for _, text := range shown {
			for key, english := range pattern {
				if english.MatchString(text) {
					t.Errorf("%s says %q, which is %s in English", state, text, key)
				}
			}
		}
	}
}

// From a new account to the protected page and the account, all in German.
func TestGerman(t *testing.T) {
	check := notGerman(t)
	p := start(t)
	p.expect("403 /users/histories", "401 /users/histories", "400 /auth/signup", "401 /auth/login")
	device := p.Authenticator(true)
	p.Go(p.server.URL() + "/?ui_locales=de")
	p.See("signup", "Konto erstellen")
	check(p, "the start")
	p.Press("open", "Seite öffnen")
	p.See("open", "Melde dich zuerst an.")
	p.Type("new-name", "mira")
	p.Type("new-password", "short")
	p.Press("signup", "Konto erstellen")
	p.See("signup", "Nimm mindestens 8 Zeichen.")
	check(p, "a refusal at a field")
	p.Type("new-password", password)
	p.Press("signup", "Konto erstellen")
	p.Current("signin")
	p.Type("password", "something else")
	p.Press("signin", "Anmelden")
	p.See("signin", "Benutzername oder Passwort stimmt nicht.")
	p.Type("password", password)
	p.Press("signin", "Anmelden")
	p.Current("add")
	check(p, "the offer of a passkey")
	device.Present(false)
	p.Press("add", "Passkey hinzufügen")
	p.See("add", "Folge deinem Gerät")
	check(p, "waiting for the device")
	p.Press("add", "Abbrechen")
	p.See("add", "Passkey hinzufügen")
	device.Present(true)
	p.Press("add", "Passkey hinzufügen")
	p.Current("open")
	p.See("verify", "Das Hinzufügen hat deinen ersten Passkey gleich bestätigt.")
	p.act(`await stepkey.signIn(` + credentials + `)`)
	p.Current("verify")
	p.Press("open", "Seite öffnen")
	p.See("open", "Diese Seite verlangt die volle Stufe.")
	p.Press("verify", "Mit Passkey bestätigen")
	p.Current("open")
	p.Press("open", "Seite öffnen")
	p.See("open", "Offen.")
	check(p, "the protected page")

	p.Go(p.server.URL() + "/account") // the choice is remembered
	p.See("passkeys", "Hinzugefügt: heute")
	p.See("activity", "Konto erstellt")
	check(p, "the account")
	p.Press("passkeys", "Löschen")
	p.dialog("Letzten Passkey löschen?")
	check(p, "a dialog")
	p.Press("dialog", "Behalten")
	p.Press("recovery", "Codes erstellen")
	p.See("recovery", "Bewahre diese jetzt auf.")
	check(p, "recovery codes")
	p.Press("recovery", "Ich habe sie gesichert")
	for _, page := range []string{"/recover", "/reset-password", "/invitation", "/not-me", "/confirm-email", "/nothing"} {
		if page == "/nothing" {
			p.expect("404 /nothing")
		}
		p.Go(p.server.URL() + page)
		p.Wait(page+" in German", `document.documentElement?.lang === "de" && document.readyState === "complete"`)
		if page != "/nothing" {
			p.Wait(page, `[...document.querySelectorAll("#notice > *, form")].some(e => e.checkVisibility())`)
		}
		check(p, page)
	}
}

// A choice of language keeps the token of a link, and lasts.
func TestChoiceOfLanguage(t *testing.T) {
	p := start(t)
	p.Go(p.server.URL() + "/reset-password?x=1#token")
	p.See("act", "New password")
	Eval[bool](p.Page, `(document.querySelector(".languages [lang=de]").click(), true)`)
	p.Wait("German", `document.documentElement?.lang === "de" && document.readyState === "complete"`)
	p.See("act", "Neues Passwort")
	if got := Eval[string](p.Page, "location.search + location.hash"); got != "?x=1&ui_locales=de#token" {
		t.Errorf("the address ends in %s", got)
	}
	p.Go(p.server.URL() + "/account")
	p.See("gate", "Anmelden")
}

// A language from right to left that only a file knows: the page is mirrored, fits, and is accessible. Texts that the file lacks are
// in English.
func TestRightToLeft(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "ar.json"), []byte(`{
		"language": "العربية",
		"pages": {
			"signOut": "تسجيل الخروج",
			"account": {
				"heading": "حسابك",
				"passkeys": {"heading": "مفاتيح المرور", "text": "تسجّل دخولك وتفتح ما لا تفتحه كلمة المرور.", "act": "إضافة مفتاح مرور"},
				"sessions": {"heading": "الجلسات", "text": "الأماكن التي سجّلت الدخول منها."}
			}
		},
		"scripts": {
			"common": {"levels": {"full": "المستوى الكامل", "password": "مستوى كلمة المرور"}},
			"account": {"passkeys": {"rename": "إعادة التسمية", "remove": "حذف", "added": "أضيف {when}"}}
		}
	}`), 0o600); err != nil {
		t.Fatal(err)
	}
	source := axe(t)
	p, _ := account(t, true, "STEPKEY_MESSAGES="+folder)
	p.Go(p.server.URL() + "/account?ui_locales=ar")
	p.Wait("Arabic", `document.documentElement?.lang === "ar" && document.documentElement.dir === "rtl"`)
	p.See("account", "حسابك")
	p.See("passkeys", "أضيف")
	p.See("password", "Change password")
	p.Look(320, "light")
	p.fits("/account in Arabic")
	p.Look(1280, "light")
	sides := Eval[[]float64](p.Page, `["#passkeys h2", "#add", ".brand", "#signout"].map(s => document.querySelector(s).getBoundingClientRect().x)`)
	if sides[0] < sides[1] || sides[2] < sides[3] {
		t.Errorf("headings, buttons, brand and sign-out are at %v", sides)
	}
	p.accessible(source, "/account in Arabic")
}
