package authenticator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Maker is a maker of authenticators, with a root certificate and one below it for
// the model that it makes (WebAuthn Level 3 §8.2.1). It is safe for concurrent use.
type Maker struct {
	root  *x509.Certificate
	model *x509.Certificate
	key   *ecdsa.PrivateKey
}

// NewMaker returns a maker whose certificates are valid for a day on either side
// of now.
func NewMaker(now time.Time) (*Maker, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	valid := x509.Certificate{NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(24 * time.Hour)}

	root := valid
	root.SerialNumber = big.NewInt(1)
	root.Subject = pkix.Name{Country: []string{"DE"}, Organization: []string{"Example Keys"}, CommonName: "Example Keys Root"}
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	m := &Maker{}
	if m.root, err = issue(root, root, &rootKey.PublicKey, rootKey); err != nil {
		return nil, err
	}

	if m.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	model := valid
	model.SerialNumber = big.NewInt(2)
	model.Subject = pkix.Name{
		Country: []string{"DE"}, Organization: []string{"Example Keys"},
		OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: "Example Key 1",
	}
	model.BasicConstraintsValid = true
	m.model, err = issue(model, *m.root, &m.key.PublicKey, rootKey)
	return m, err
}

func issue(template, parent x509.Certificate, public *ecdsa.PublicKey, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, &template, &parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	return certificate, nil
}

// Roots returns the maker's root certificate, as a relying party trusts it.
func (m *Maker) Roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(m.root)
	return roots
}

// PEM returns the maker's root certificate as a file holds it.
func (m *Maker) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.root.Raw})
}

// vouch makes a packed attestation statement (§8.2).
func (m *Maker) vouch(authData, clientDataJSON []byte) (map[string]any, error) {
	clientDataHash := sha256.Sum256(clientDataJSON)
	digest := sha256.Sum256(slices.Concat(authData, clientDataHash[:]))
	signature, err := ecdsa.SignASN1(rand.Reader, m.key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	return map[string]any{"alg": ES256, "sig": signature, "x5c": []any{m.model.Raw}}, nil
}
