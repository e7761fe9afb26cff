package authenticator

import (
	"crypto/sha256"
	"encoding/binary"
)

// The flags of authenticator data (WebAuthn Level 3 §6.1).
const (
	FlagUP byte = 1 << 0 // user present
	FlagUV byte = 1 << 2 // user verified
	FlagBE byte = 1 << 3 // backup eligible
	FlagBS byte = 1 << 4 // backed up
	FlagAT byte = 1 << 6 // attested credential data included
	FlagED byte = 1 << 7 // extension outputs included
)

// AuthenticatorData is what an authenticator signs (WebAuthn Level 3 §6.1).
type AuthenticatorData struct {
	RPIDHash  [sha256.Size]byte
	Flags     byte
	SignCount uint32

	// AAGUID, CredentialID and PublicKey are written when Flags has FlagAT;
	// PublicKey is the encoded COSE_Key.
	AAGUID       [16]byte
	CredentialID []byte
	PublicKey    []byte

	// Rest is written behind everything, whatever Flags says: the encoded
	// extension outputs when it has FlagED.
	Rest []byte
}

// Bytes encodes the data.
func (d AuthenticatorData) Bytes() []byte {
	raw := append([]byte{}, d.RPIDHash[:]...)
	raw = append(raw, d.Flags)
	raw = binary.BigEndian.AppendUint32(raw, d.SignCount)
	if d.Flags&FlagAT != 0 {
		raw = append(raw, d.AAGUID[:]...)
		raw = binary.BigEndian.AppendUint16(raw, uint16(len(d.CredentialID)))
		raw = append(raw, d.CredentialID...)
		raw = append(raw, d.PublicKey...)
	}
	return append(raw, d.Rest...)
}

func (a *Authenticator) flags() byte {
	flags := FlagUP
	if !a.config.NoUserVerification {
		flags |= FlagUV
	}
	if a.config.BackupEligible {
		flags |= FlagBE
	}
	if a.config.BackedUp {
		flags |= FlagBS
	}
	return flags
}

func hash(rpID string) [sha256.Size]byte { return sha256.Sum256([]byte(rpID)) }
