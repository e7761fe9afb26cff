package browser

import (
	"slices"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/stepkey/stepkey/internal/patience"
)

// Authenticator is a virtual authenticator of one tab.
type Authenticator struct {
	page *Page
	id   webauthn.AuthenticatorID
}

// Backup says of the passkeys of an authenticator whether they can be synced, and whether they are: the flags BE and BS
// (WebAuthn Level 3 section 6.1.3).
type Backup struct{ Eligible, State bool }

// Authenticator gives the tab an authenticator that stores passkeys, for this device only. verifies says whether it can check
// who is there. A tab has one such device at most.
func (p *Page) Authenticator(verifies bool) Authenticator {
	p.tb.Helper()
	return p.BackedUp(verifies, Backup{})
}

// BackedUp gives the tab an authenticator whose passkeys may be elsewhere as well.
func (p *Page) BackedUp(verifies bool, backup Backup) Authenticator {
	p.tb.Helper()
	return p.authenticator(webauthn.AuthenticatorTransportInternal, verifies, backup)
}

// Phone gives the tab an authenticator on another device, which is reached through the air, with passkeys that are synced.
func (p *Page) Phone() Authenticator {
	p.tb.Helper()
	return p.authenticator(webauthn.AuthenticatorTransportHybrid, true, Backup{Eligible: true, State: true})
}

// SecurityKey gives the tab an authenticator that is plugged in.
func (p *Page) SecurityKey() Authenticator {
	p.tb.Helper()
	return p.authenticator(webauthn.AuthenticatorTransportUsb, true, Backup{})
}

func (p *Page) authenticator(transport webauthn.AuthenticatorTransport, verifies bool, backup Backup) Authenticator {
	p.tb.Helper()
	if _, err := chromedp.Call(p.ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		p.tb.Fatalf("enable WebAuthn: %v", err)
	}
	added, err := chromedp.Call(p.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21,
			Transport: transport, HasResidentKey: true,
			HasUserVerification: verifies, IsUserVerified: verifies,
			DefaultBackupEligibility: backup.Eligible, DefaultBackupState: backup.State,
			AutomaticPresenceSimulation: true, // false, Go's zero value, would never answer
		},
	})
	if err != nil {
		p.tb.Fatalf("add an authenticator: %v", err)
	}
	return Authenticator{p, added.AuthenticatorID}
}

// Remove takes the authenticator away, with what is on it.
func (a Authenticator) Remove() {
	a.page.tb.Helper()
	a.page.call("remove the authenticator", func() error {
		_, err := chromedp.Call(a.page.ctx, webauthn.RemoveVirtualAuthenticator,
			webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: a.id})
		return err
	})
}

// Present says whether somebody touches the authenticator; without, it waits.
func (a Authenticator) Present(present bool) {
	a.page.tb.Helper()
	a.page.call("set presence", func() error {
		_, err := chromedp.Call(a.page.ctx, webauthn.SetAutomaticPresenceSimulation,
			webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: a.id, Enabled: present})
		return err
	})
}

// Verified says whether checking who is there succeeds.
func (a Authenticator) Verified(verified bool) {
	a.page.tb.Helper()
	a.page.call("set verification", func() error {
		_, err := chromedp.Call(a.page.ctx, webauthn.SetUserVerified,
			webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: verified})
		return err
	})
}

// Override makes the answers wrong: a signature of zeros, or no sign that the person was verified.
func (a Authenticator) Override(bogusSignature, noVerification bool) {
	a.page.tb.Helper()
	a.page.call("override answers", func() error {
		_, err := chromedp.Call(a.page.ctx, webauthn.SetResponseOverrideBits,
			webauthn.SetResponseOverrideBitsParams{AuthenticatorID: a.id, IsBogusSignature: &bogusSignature, IsBadUV: &noVerification})
		return err
	})
}

// Back sets what a passkey says of its backup from its next use on.
func (a Authenticator) Back(id []byte, backup Backup) {
	a.page.tb.Helper()
	a.page.call("set the backup flags", func() error {
		_, err := chromedp.Call(a.page.ctx, webauthn.SetCredentialProperties, webauthn.SetCredentialPropertiesParams{
			AuthenticatorID: a.id, CredentialID: id, BackupEligibility: &backup.Eligible, BackupState: &backup.State,
		})
		return err
	})
}

// Credentials are the passkeys the authenticator holds.
func (a Authenticator) Credentials() []*webauthn.Credential {
	a.page.tb.Helper()
	held, err := chromedp.Call(a.page.ctx, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a.id})
	if err != nil {
		a.page.tb.Fatalf("get credentials: %v", err)
	}
	return held.Credentials
}

// credential is webauthn.Credential without the members for key groups: sent as false, Chromium refuses them on an
// authenticator that has none.
type credential struct {
	CredentialID         []byte  `json:"credentialId"`
	IsResidentCredential bool    `json:"isResidentCredential"`
	RpID                 string  `json:"rpId"`
	PrivateKey           []byte  `json:"privateKey"`
	UserHandle           []byte  `json:"userHandle,omitempty"`
	SignCount            float64 `json:"signCount"`
	UserName             string  `json:"userName,omitempty"`
	UserDisplayName      string  `json:"userDisplayName,omitempty"`
}

type addCredential struct {
	AuthenticatorID webauthn.AuthenticatorID `json:"authenticatorId"`
	Credential      credential               `json:"credential"`
}

// Add puts a passkey, with an ES256 key, into the authenticator.
func (a Authenticator) Add(c *webauthn.Credential) {
	a.page.tb.Helper()
	a.page.call("add a passkey", func() error {
		command := cdp.Command[addCredential, cdp.Empty]{Method: webauthn.CommandAddCredential}
		_, err := chromedp.Call(a.page.ctx, command, addCredential{a.id, credential{
			c.CredentialID, c.IsResidentCredential, c.RpID, c.PrivateKey, c.UserHandle, c.SignCount, c.UserName, c.UserDisplayName,
		}})
		return err
	})
}

func (p *Page) happened(event string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, event)
}

// Happened waits until the passkeys on the tab's authenticators were "added", "asserted", "updated" or "deleted" as often and
// in the order that want says, and forgets it.
func (p *Page) Happened(want ...string) {
	p.tb.Helper()
	for end := time.Now().Add(patience.Long); ; time.Sleep(20 * time.Millisecond) {
		p.mu.Lock()
		got := slices.Clone(p.events)
		if slices.Equal(got, want) {
			p.events = nil
		}
		p.mu.Unlock()
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(end) {
			p.tb.Fatalf("on the authenticator happened %q, want %q", got, want)
		}
	}
}
