package browser

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// list is what the rows of a section of /account say, a row to a string, without what differs by the hour.
func (p *tab) list(section string) []string {
	p.t.Helper()
	return Eval[[]string](p.Page, `[...document.querySelectorAll("#`+section+` li .text")].map(row => [...row.children].map(line =>
		line.innerText.replace(/today, \d?\d:\d\d(\s[AP]M)?/g, "today")).join(" | "))`)
}

// rows waits until a section of /account lists what want says.
func (p *tab) rows(section string, want ...string) {
	p.t.Helper()
	p.Wait("the rows", `document.querySelectorAll("#`+section+` li .text").length === `+strconv.Itoa(len(want))+` && !document.getElementById("`+section+`").ariaBusy`)
	if diff := cmp.Diff(want, p.list(section)); diff != "" {
		p.t.Errorf("#%s (-want +got):\n%s", section, diff)
	}
}

// Which passkey is which can be told, and what losing its device would mean. Deleting keeps the place in the list.
func TestAccountListsPasskeys(t *testing.T) {
	p := client(t)
	p.run(enter)
	for _, made := range []struct {
		name string
		on   Backup
	}{
		{"Phone", Backup{Eligible: true, State: true}},
		{"Tablet", Backup{Eligible: true}},
		{"Laptop", Backup{}},
	} {
		device := p.BackedUp(true, made.on)
		p.want(`return (await s.registerPasskey({ deviceName: "`+made.name+`" })).name`, made.name)
		p.run(`await s.stepUp();`)
		if made.name != "Laptop" {
			device.Remove()
		}
	}
	p.Go(p.server.URL() + "/account")
	const (
		phone  = "Phone | Synced | Added today · Used today"
		tablet = "Tablet | Can sync, not synced yet | Added today · Used today"
		laptop = "Laptop Used in this browser | This device only | Added today · Used today"
		lonely = "Your only passkey is on one device."
	)
	focused := func(name string) {
		t.Helper()
		p.Wait("the focus at "+name, `document.activeElement.textContent.startsWith("`+name+`")`)
	}
	p.rows("passkeys", phone, tablet, laptop)
	remove := func(name string) {
		t.Helper()
		p.dialog("Delete “" + name + "”?")
		p.Press("dialog", "Delete passkey")
		p.said("Passkey deleted.")
	}
	p.Press("passkeys", "Delete\nPhone")
	remove("Phone")
	p.rows("passkeys", tablet, laptop)
	focused("Tablet")
	if said := Eval[string](p.Page, `document.getElementById("passkeys").innerText`); strings.Contains(said, lonely) {
		t.Error("two passkeys are called lonely")
	}
	p.Press("passkeys", "Delete\nTablet")
	remove("Tablet")
	p.rows("passkeys", laptop)
	focused("Laptop")
	p.See("passkeys", lonely)
	p.See("passkeys", "Add a second one on another device, or make recovery codes.")
	p.Press("recovery", "Make codes")
	p.See("passkeys", "Until then, your recovery codes are the way back.")
}

// A passkey that its provider begins to sync is not the one that is lost with a device any more.
func TestAccountSeesPasskeyGetSynced(t *testing.T) {
	p := client(t)
	device := p.BackedUp(true, Backup{Eligible: true})
	p.run(enter + `await s.registerPasskey({ deviceName: "Phone" });`)
	p.Go(p.server.URL() + "/account")
	p.rows("passkeys", "Phone Used in this browser | Can sync, not synced yet | Added today · Used today")
	device.Back(device.Credentials()[0].CredentialID, Backup{Eligible: true, State: true})
	p.act(`await stepkey.stepUp()`)
	p.See("passkeys", "Synced")
	if said := Eval[string](p.Page, `document.getElementById("passkeys").innerText`); strings.Contains(said, "Your only passkey is on one device.") {
		t.Error("a passkey that is synced is called lonely")
	}
	p.rows("passkeys", "Phone Used in this browser | Synced | Added today · Used today")
}

// A passkey that came by recovery says from when it works.
func TestAccountShowsPasskeyThatWaits(t *testing.T) {
	p, device, codes := withCodes(t)
	p.expect("403 /passkeys/authenticate/options")
	p.Go(p.server.URL() + "/recover")
	p.signInToRecover(password)
	p.See("mail", "No code?")
	p.Type("recovery-code", codes[0])
	p.Press("code", "Use this code")
	p.See("notice", "You are in, for a quarter of an hour.")
	device.Remove()
	p.Authenticator(true)
	p.Press("add", "Add a new passkey")
	p.See("notice", "Passkey added.")
	p.load()
	p.run(`await s.signIn(` + credentials + `);`)
	p.Go(p.server.URL() + "/account")
	p.See("passkeys", "You can sign in with your password now; this passkey works tomorrow, ")
	p.See("passkeys", ", since it came by recovery")
}

// The page reports a passkey that was deleted in another tab, and shows the current list.
func TestAccountPasskeyGoneElsewhere(t *testing.T) {
	p := client(t)
	p.run(enter)
	for _, name := range []string{"Tablet", "Phone", "Laptop"} {
		device := p.Authenticator(true)
		p.run(`await s.registerPasskey({ deviceName: "` + name + `" }); await s.stepUp();`)
		if name != "Laptop" {
			device.Remove()
		}
	}
	p.Go(p.server.URL() + "/account")
	p.See("passkeys", "Phone")
	other, closeOther := p.Beside()
	defer closeOther()
	other.Go(p.server.URL() + "/account")
	other.Press("passkeys", "Delete\nTablet")
	other.Press("dialog", "Delete passkey")
	other.Wait("the row to go", `document.querySelectorAll("#passkeys li").length === 2`)
	p.Wait("the row to go in the other tab", `document.querySelectorAll("#passkeys li").length === 2`)

	// This page does not learn of a passkey that was deleted on another device.
	id := p.act(`const { id } = (await stepkey.call("GET", "/passkeys")).passkeys.find(p => p.name === "Phone");
		await stepkey.call("DELETE", "/passkeys/" + id);
		return id`)
	p.expect("404 /passkeys/" + id)
	p.Press("passkeys", "Delete\nPhone")
	p.Press("dialog", "Delete passkey")
	p.See("passkeys", "Already gone.")
	p.rows("passkeys", "Laptop Used in this browser | This device only | Added today · Used today")
}

// Password managers are told what happened here (the Signal API), and what the device was asked for is what it did.
func TestDeviceHearsWhatHappens(t *testing.T) {
	p, device := account(t, false)
	p.expect("403 /passkeys/register/options", "401 /passkeys/login/verify")
	p.Press("passkeys", "Add a passkey")
	p.Press("dialog", "Make the new one")
	p.said("Passkey added.")
	p.Happened("added", "updated")
	p.act(`await stepkey.signIn(` + credentials + `)`)
	id := p.act(`return (await stepkey.call("GET", "/passkeys")).passkeys[0].id`)
	p.expect("403 /passkeys/" + id)
	p.Press("passkeys", "Rename")
	p.Keys("\bLaptop\r")
	p.dialog("Confirm it’s you")
	p.Press("dialog", "Verify with a passkey")
	p.said("Renamed.")
	p.Happened("asserted", "updated")

	// A device that has it under another name hears the right one, after a rename too.
	kept := device.Credentials()[0]
	device.Remove()
	device = p.Authenticator(true)
	kept.UserName = "somebody"
	device.Add(kept)
	p.Press("passkeys", "Rename")
	p.Keys("\bDesk\r")
	p.said("Renamed.")
	p.Happened("updated")
	if name := device.Credentials()[0].UserName; name != "mira" {
		t.Errorf("the device has it under the name %q", name)
	}
	p.Press("passkeys", "Delete")
	p.Press("dialog", "Delete passkey")
	p.said("Passkey deleted.")
	p.Happened("deleted")
}

// A user who signs in with a phone beside the computer is offered a passkey here, until "Not now". A security key is left alone.
func TestAccountOffersPasskeyHere(t *testing.T) {
	const offer = "This passkey came from another device."
	for name, test := range map[string]struct {
		device  func(*tab) Authenticator
		offered bool
	}{
		"phone":        {func(p *tab) Authenticator { return p.Phone() }, true},
		"security key": {func(p *tab) Authenticator { return p.SecurityKey() }, false},
		"this device":  {func(p *tab) Authenticator { return p.Authenticator(true) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := client(t)
			spare := p.Authenticator(true) // another one, so that nobody is warned of losing the only one
			p.run(enter + `await s.registerPasskey({ deviceName: "Spare" }); await s.stepUp();`)
			spare.Remove()
			p.Before(lists + ` window.unused = true;`) // the button signs in, and no list before it
			test.device(p)
			p.run(`await s.registerPasskey({ deviceName: "Used" }); await s.signOut();`)
			signIn := func() {
				t.Helper()
				p.Go("about:blank")
				p.Go(p.server.URL() + "/account")
				p.Press("gate", "Sign in with a passkey")
				p.See("passkeys", "Used today")
			}
			offered := func(want bool) {
				t.Helper()
				if got := Eval[bool](p.Page, `document.querySelector(".advice").innerText.includes("`+offer+`")`); got != want {
					t.Errorf("offered: %t, want %t", got, want)
				}
			}
			signIn()
			offered(test.offered)
			if !test.offered {
				return
			}
			p.accessible(axe(t), "the offer of a passkey here")
			p.Press("passkeys", "Not now")
			offered(false)
			p.act(`await stepkey.signOut()`)
			signIn()
			offered(false)
		})
	}
}
