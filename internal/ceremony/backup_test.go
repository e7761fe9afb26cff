package ceremony_test

import (
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// flippingBE makes an authenticator claim the other backup eligibility.
func flippingBE() authenticator.Hostile {
	return authenticator.Hostile{AuthenticatorData: func(d *authenticator.AuthenticatorData) {
		d.Flags = d.Flags&^authenticator.FlagBS ^ authenticator.FlagBE
	}}
}

// Password managers change whether a passkey can be synced. Only of hardware is that
// a lie.
func TestBackupEligibilityChange(t *testing.T) {
	maker := newMaker(t, time.Now())
	rp := trusting(t, maker.Roots())
	changed := refused(ceremony.ReasonBackupEligibilityChanged)
	for _, test := range []struct {
		name   string
		config authenticator.Config
		want   verdict
	}{
		{"becomes eligible", authenticator.Config{}, accepted},
		{"is eligible no longer", authenticator.Config{BackupEligible: true, BackedUp: true}, accepted},
		{"attested by itself", authenticator.Config{SelfAttestation: true}, accepted},
		{"attested, synced", authenticator.Config{Maker: maker, BackupEligible: true}, accepted},
		{"attested hardware", authenticator.Config{Maker: maker}, changed},
	} {
		t.Run(test.name, func(t *testing.T) {
			device := authenticator.New(test.config)
			credential, got := tryRegister(t, rp, device, authenticator.Hostile{}, nil)
			if got != accepted {
				t.Fatal(got)
			}
			owned := []ceremony.Credential{credential}
			same, got := tryAssert(t, rp, device, owned, owned, authenticator.Hostile{}, nil)
			if got != accepted || same.BackupChanged || same.BackupEligible() != test.config.BackupEligible {
				t.Fatalf("unchanged: %v, changed %t, eligible %t", got, same.BackupChanged, same.BackupEligible())
			}
			asserted, got := tryAssert(t, rp, device, owned, owned, flippingBE(), nil)
			if got != test.want {
				t.Fatalf("changed: %v, want %v", got, test.want)
			}
			if test.want != accepted {
				return
			}
			if !asserted.BackupChanged || asserted.BackupEligible() == test.config.BackupEligible {
				t.Errorf("changed %t, eligible %t", asserted.BackupChanged, asserted.BackupEligible())
			}
		})
	}
}
