package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/stepup/web"
)

// named are the rows of the list as they are shown.
func (p *tab) named() []string {
	p.t.Helper()
	return Eval[[]string](p.Page, `[...document.querySelectorAll(".sk-passkey h3")].map(h => h.innerText)`)
}

// The list in a page of the app: adding, naming and deleting, and a passkey asked for where a change takes one.
func TestStepUpManage(t *testing.T) {
	p, s := visit(t)
	p.Authenticator(true)
	s.set(func() { s.codes = 0 })
	p.Go(s.url + "/account")
	press := func(words string) {
		t.Helper()
		Eval[bool](p.Page, `(document.querySelector(".stepkey-manage").id = "manage", true)`)
		p.Press("manage", words)
	}
	see := func(words string) {
		t.Helper()
		p.Wait(words, `document.querySelector(".stepkey-manage").innerText.includes(`+quoted(words)+`)`)
	}
	see("You have no passkey yet.")
	press("Add a passkey")
	see("Passkey added.")
	see("Not used yet")
	if diff := cmp.Diff([]string{"Passkey 1"}, p.named()); diff != "" {
		t.Fatal(diff)
	}

	press("Rename")
	p.seeDialog("Rename “Passkey 1”")
	p.Keys("\b<b>Laptop</b>\r")
	p.seeDialog("Confirm it’s you")
	p.pressDialog("Verify with a passkey")
	see("Renamed.")
	if diff := cmp.Diff([]string{"<b>Laptop</b>"}, p.named()); diff != "" {
		t.Fatal(diff)
	}
	if at := Eval[string](p.Page, `document.activeElement.textContent`); at != "Rename <b>Laptop</b>" {
		t.Errorf("after renaming the focus is on %q", at)
	}

	p.Before(`const make = URL.createObjectURL; URL.createObjectURL = blob => { window.file = blob; return make.call(URL, blob); };`)
	p.Go(s.url + "/account")
	press("Make codes")
	p.seeDialog("Keep these now.")
	name := Eval[string](p.Page, `(`+inDialog("a", "Download")+`).download`)
	file := Eval[string](p.Page, `file.text()`)
	codes := Eval[[]string](p.Page, `[...(`+inDialog("ul", "")+`).children].map(li => li.innerText)`)
	if len(codes) != 10 || !strings.HasPrefix(name, "Ledger-recovery-codes-mira@example.com-") || !strings.HasSuffix(name, ".txt") {
		t.Errorf("%d codes in %q", len(codes), name)
	}
	for _, want := range append(codes, "Ledger", "mira@example.com") {
		if !strings.Contains(file, want) {
			t.Errorf("the file lacks %q:\n%s", want, file)
		}
	}
	p.pressDialog("I have saved them")
	see("Codes left: 10")

	press("Delete")
	p.seeDialog("This is your last passkey.")
	p.pressDialog("Keep it")
	p.noDialog()
	press("Delete")
	p.pressDialog("Delete passkey")
	see("It stays in your password manager")
	see("You have no passkey yet.")
	if left := has(s, func() int { return len(s.passkeys) }); left != 0 {
		t.Errorf("%d passkeys left", left)
	}
	p.forgive("/_stepkey/passkeys/")
}

// Each state and dialog, as axe sees it, and whether all of it fits, in each size and colour.
func TestStepUpLooks(t *testing.T) {
	source := axe(t)
	p, s, device := enrolled(t)
	look := func(name string) {
		t.Helper()
		p.accessible(source, name)
		for _, width := range []int64{320, 360, 768, 1280} {
			p.Look(width, "light")
			p.fits(name)
		}
	}
	open := func(change func(*web.VerifyPage)) {
		t.Helper()
		s.set(func() {
			s.page.Title, s.page.Account = "Pay out", "mira@example.com"
			s.page.Reason, s.page.Fields, s.page.Links, s.page.RecoveryCodes, s.page.UsableFrom = "", nil, nil, false, time.Time{}
			change(&s.page)
		})
		p.Go("about:blank")
		p.Go(s.url + "/_stepkey/verify?p=payout&next=/")
	}
	for _, state := range []web.State{web.StateVerify, web.StateEnrol, web.StateOffer, web.StateWaits, web.StateReauthenticate, web.StateCrossSite, web.StateAgain, web.StateNothing} {
		open(func(page *web.VerifyPage) {
			page.State = state
			switch state {
			case web.StateVerify:
				page.Reason, page.RecoveryCodes = s.pages.Expired(5*time.Minute), true
			case web.StateWaits:
				page.UsableFrom = time.Date(2026, 9, 3, 14, 3, 0, 0, time.UTC)
			case web.StateReauthenticate:
				page.Links = []web.Link{{Label: "Sign in again", URL: "/login"}}
			case web.StateNothing:
				page.Links = []web.Link{{Label: "Enter a code from your app", URL: "/totp"}, {Label: "Enter your password", URL: "/password"}}
			}
		})
		look(string(state))
	}
	open(func(page *web.VerifyPage) {
		page.State, page.RecoveryCodes = web.StateVerify, true
		page.Title = "Pay a very long purpose with Donaudampfschifffahrtsgesellschaftskapitänsmützenfabrikant"
		page.Account = strings.Repeat("mira", 30) + "@example.com"
		page.Fields = []web.Field{{Label: "Amount", Value: "100.00 €"}, {Label: "To", Value: "Ada Lovelace\nDE02 1203 0000 0000 2020 51"}, {Label: "Reference", Value: strings.Repeat("x", 200)}}
	})
	Eval[bool](p.Page, `(document.querySelector("summary").click(), true)`)
	look("action")
	open(func(page *web.VerifyPage) { page.State = web.StateVerify })
	device.Verified(false)
	p.prove()
	p.See("stepkey", "No passkey was used.")
	look("cancelled")
	device.Verified(true)
	device.Present(false)
	p.Press("stepkey", "Try again")
	p.See("stepkey", "Follow your device.")
	look("waiting")
	p.Press("stepkey", "Stop")
	device.Present(true)
	s.set(func() {
		s.refuse["begin"] = map[string]any{"code": "unauthorized", "detail": "Sign in first.", "signIn": "/login?next="}
	})
	p.Press("stepkey", "Try again")
	p.See("stepkey", "You have been signed out.")
	look("signed-out")
	p.Press("stepkey", "Try again")
	p.See("stepkey", "Continue")
	look("verified")

	s.set(func() {
		s.proved = false
		s.passkeys = append(s.passkeys, held{ID: "other", Name: "Bob’s phone with a rather long name that goes on", Credential: s.passkeys[0].Credential})
	})
	p.Go(s.url + "/account")
	look("manage")
	Eval[bool](p.Page, `(document.querySelector(".stepkey-manage").id = "manage", true)`)
	p.Press("manage", "Rename")
	p.seeDialog("Rename")
	look("rename")
	p.pressDialog("Cancel")
	p.Press("manage", "Delete")
	p.seeDialog("It stops working here at once.")
	look("delete")
	p.pressDialog("Delete passkey")
	p.seeDialog("Confirm it’s you")
	look("dialog")
	device.Verified(false)
	p.pressDialog("Verify with a passkey")
	p.seeDialog("No passkey was used.")
	look("dialog-cancelled")
	p.pressDialog("Cancel")
	p.Wait("the notice", `document.querySelector(".sk-notice")`)
	look("manage-cancelled")
	s.set(func() { s.proved = true })
	p.Press("manage", "Make new codes")
	p.pressDialog("Make codes")
	p.seeDialog("Keep these now.")
	look("codes")
	p.forgive("/_stepkey/passkeys/")
	p.forgive("Applying inline style") // axe, in shadow roots
}
