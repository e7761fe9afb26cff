package ceremony_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// Whoever registered a passkey elsewhere may not have kept its flags. The first
// assertion says what they are.
func TestFlagsThatNobodyKept(t *testing.T) {
	rp := newRelyingParty(t)
	for name, config := range map[string]authenticator.Config{
		"synced": {BackupEligible: true, BackedUp: true}, "bound": {},
	} {
		t.Run(name, func(t *testing.T) {
			device := authenticator.New(config)
			registered := register(t, rp, device)
			foreign, err := ceremony.Adopt(ceremony.Credential{ID: registered.ID, PublicKey: registered.PublicKey})
			if err != nil {
				t.Fatal(err)
			}
			owned := []ceremony.Credential{foreign}
			asserted, got := tryAssert(t, rp, device, owned, owned, authenticator.Hostile{}, nil)
			if got != (verdict{}) || asserted.Flags != registered.Flags {
				t.Fatalf("first assertion: %v with flags %#x, want flags %#x", got, asserted.Flags, registered.Flags)
			}
			owned[0].Flags = asserted.Flags
			flipped := authenticator.Hostile{AuthenticatorData: func(d *authenticator.AuthenticatorData) {
				d.Flags = d.Flags&^authenticator.FlagBS ^ authenticator.FlagBE
			}}
			if asserted.BackupChanged {
				t.Error("the first assertion changed flags that were not known")
			}
			if asserted, got = tryAssert(t, rp, device, owned, owned, flipped, nil); got != accepted || !asserted.BackupChanged {
				t.Errorf("second assertion with another BE: %v, changed %t", got, asserted.BackupChanged)
			}
		})
	}
}

func TestAdopt(t *testing.T) {
	rp := newRelyingParty(t)
	good := register(t, rp, authenticator.New(authenticator.Config{
		Algorithms: []int64{authenticator.ES256}, Transports: []string{"usb", "nfc"}, BackupEligible: true,
	}))
	for _, test := range []struct {
		name string
		edit func(*ceremony.Credential)
		want verdict
	}{
		{"as registered", func(*ceremony.Credential) {}, accepted},
		{"algorithm not told", func(c *ceremony.Credential) { c.Algorithm = 0 }, accepted},
		{"flags of the bytes that follow", func(c *ceremony.Credential) { c.Flags |= authenticator.FlagAT | authenticator.FlagED }, accepted},
		{"id of 16 bytes", func(c *ceremony.Credential) { c.ID = c.ID[:16] }, accepted},
		{"id of 15 bytes", func(c *ceremony.Credential) { c.ID = c.ID[:15] }, refused(ceremony.ReasonCredentialID)},
		{"id of 1023 bytes", func(c *ceremony.Credential) { c.ID = make([]byte, 1023) }, accepted},
		{"id of 1024 bytes", func(c *ceremony.Credential) { c.ID = make([]byte, 1024) }, refused(ceremony.ReasonCredentialID)},
		{"no key", func(c *ceremony.Credential) { c.PublicKey = nil }, refused(ceremony.ReasonPublicKey)},
		{"a key and more", func(c *ceremony.Credential) { c.PublicKey = append(bytes.Clone(c.PublicKey), 0) }, refused(ceremony.ReasonPublicKey)},
		{"a key of another kind", func(c *ceremony.Credential) {
			c.PublicKey = bytes.Replace(c.PublicKey, []byte{3, 0x26}, []byte{3, 0x27}, 1) // alg -8
		}, refused(ceremony.ReasonPublicKey)},
		{"an algorithm that is not offered", func(c *ceremony.Credential) {
			c.PublicKey = bytes.Replace(c.PublicKey, []byte{3, 0x26}, []byte{3, 0x28}, 1) // alg -9
		}, refused(ceremony.ReasonAlgorithm)},
		{"backed up but not eligible", func(c *ceremony.Credential) {
			c.Flags = authenticator.FlagUP | authenticator.FlagBS
		}, refused(ceremony.ReasonBackupFlags)},
		{"attested, flags not known", func(c *ceremony.Credential) { c.Attested, c.Flags = true, 0 }, refused(ceremony.ReasonAttestation)},
	} {
		c := good
		test.edit(&c)
		got, err := ceremony.Adopt(c)
		if v := judge(t, err); v != test.want {
			t.Errorf("%s: %v, want %v", test.name, v, test.want)
			continue
		}
		want := c
		want.Algorithm, want.Flags = authenticator.ES256, c.Flags&0x1d
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}

	good.Transports = []string{"usb", "<script>", ""}
	if got, err := ceremony.Adopt(good); err != nil || !slices.Equal(got.Transports, []string{"usb"}) {
		t.Errorf("transports %q, %v; want the one that is a word", got.Transports, err)
	}
}
