package ceremony_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

func newMaker(t *testing.T, now time.Time) *authenticator.Maker {
	t.Helper()
	maker, err := authenticator.NewMaker(now)
	if err != nil {
		t.Fatal(err)
	}
	return maker
}

func trusting(t *testing.T, roots *x509.CertPool) *ceremony.RelyingParty {
	t.Helper()
	rp, err := ceremony.New(ceremony.Config{
		RPID: rpID, RPName: "Example", Origins: []string{origin}, AttestationRoots: roots,
	})
	if err != nil {
		t.Fatal(err)
	}
	return rp
}

// hugeCertificate is one that parses, and is longer than any real one.
func hugeCertificate(t *testing.T) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), ExtraExtensions: []pkix.Extension{
		{Id: []int{1, 2, 3}, Value: make([]byte, 4096)},
	}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// statementWith returns a hook that edits the members of the statement.
func statementWith(edit func(map[string]any)) authenticator.Hostile {
	return authenticator.Hostile{Attestation: func(members map[string]any) { edit(members["attStmt"].(map[string]any)) }}
}

func TestAttestation(t *testing.T) {
	trusted, other := newMaker(t, time.Now()), newMaker(t, time.Now())
	expired := newMaker(t, time.Now().Add(-48*time.Hour))
	huge := hugeCertificate(t)
	rp := trusting(t, trusted.Roots())
	forged := verdict{ceremony.Refused, ceremony.ReasonAttestation}
	var accepted verdict

	for _, test := range []struct {
		name     string
		config   authenticator.Config
		hostile  authenticator.Hostile
		want     verdict
		attested bool
		hardware bool
	}{
		{"vouched for", authenticator.Config{Maker: trusted}, authenticator.Hostile{}, accepted, true, true},
		{"vouched for and synced", authenticator.Config{Maker: trusted, BackupEligible: true}, authenticator.Hostile{}, accepted, true, false},
		{"none", authenticator.Config{}, authenticator.Hostile{}, accepted, false, false},
		{"by itself", authenticator.Config{SelfAttestation: true}, authenticator.Hostile{}, accepted, false, false},
		{"by somebody else", authenticator.Config{Maker: other}, authenticator.Hostile{}, accepted, false, false},
		{"by an expired certificate", authenticator.Config{Maker: expired}, authenticator.Hostile{}, accepted, false, false},
		{
			"other format",
			authenticator.Config{Maker: trusted},
			authenticator.Hostile{Attestation: set("fmt", "tpm")},
			accepted, false, false,
		},
		{
			"trusted certificate, no signature of its key",
			authenticator.Config{Maker: trusted},
			statementWith(set("sig", []byte("not a signature"))), forged, false, false,
		},
		{
			"trusted certificate, other algorithm",
			authenticator.Config{Maker: trusted},
			statementWith(set("alg", int64(-257))), forged, false, false,
		},
		{
			"a further member",
			authenticator.Config{Maker: trusted},
			statementWith(set("ecdaaKeyId", []byte("x"))), accepted, false, false,
		},
		{
			"too many certificates",
			authenticator.Config{Maker: trusted},
			statementWith(func(s map[string]any) {
				chain := s["x5c"].([]any)
				s["x5c"] = append(chain, chain[0], chain[0], chain[0], chain[0])
			}),
			accepted, false, false,
		},
		{
			"a certificate that is none",
			authenticator.Config{Maker: trusted},
			statementWith(set("x5c", []any{[]byte("x")})), accepted, false, false,
		},
		{
			"a huge certificate",
			authenticator.Config{Maker: trusted},
			statementWith(func(s map[string]any) { s["x5c"] = append(s["x5c"].([]any), huge) }), accepted, false, false,
		},
		{
			"none with a statement",
			authenticator.Config{Maker: trusted},
			authenticator.Hostile{Attestation: set("fmt", "none")},
			forged, false, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			credential, got := tryRegister(t, rp, authenticator.New(test.config), test.hostile, nil)
			if got != test.want {
				t.Fatalf("the verdict is %v, want %v", got, test.want)
			}
			if credential.Attested != test.attested || credential.HardwareBound() != test.hardware {
				t.Errorf("attested %v, hardware-bound %v; want %v, %v",
					credential.Attested, credential.HardwareBound(), test.attested, test.hardware)
			}
		})
	}
}

// Unsigned data must not contradict signed data: a synced key that calls
// itself device-bound.
func TestAttestedFlagsAreTheSignedOnes(t *testing.T) {
	maker := newMaker(t, time.Now())
	synced := authenticator.New(authenticator.Config{Maker: maker, BackupEligible: true})
	_, got := tryRegister(t, trusting(t, maker.Roots()), synced, authenticator.Hostile{
		Attestation: func(members map[string]any) {
			data := slices.Clone(members["authData"].([]byte))
			data[32] &^= authenticator.FlagBE
			members["authData"] = data
		},
	}, nil)
	if want := (verdict{ceremony.Refused, ceremony.ReasonAttestation}); got != want {
		t.Errorf("the verdict is %v, want %v", got, want)
	}
}

// Without roots there is nobody to believe, and certificates are not even read.
func TestNoRootsNoAttestation(t *testing.T) {
	maker := newMaker(t, time.Now())
	rp := newRelyingParty(t)
	options, _, err := rp.BeginRegistration(alice(), nil)
	if err != nil || options.Attestation != "none" {
		t.Fatalf("the options ask for %q, %v; want none", options.Attestation, err)
	}
	pushy := authenticator.New(authenticator.Config{Maker: maker})
	_, got := tryRegister(t, rp, pushy, authenticator.Hostile{IgnoreOptions: true}, nil)
	if want := (verdict{ceremony.Refused, ceremony.ReasonAttestation}); got != want {
		t.Errorf("the verdict is %v, want %v", got, want)
	}

	options, _, err = trusting(t, maker.Roots()).BeginRegistration(alice(), nil)
	if err != nil || options.Attestation != "direct" {
		t.Errorf("with roots the options ask for %q, %v; want direct", options.Attestation, err)
	}
}
