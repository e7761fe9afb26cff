package stepkey

import (
	"cmp"
	"slices"
	"time"

	"github.com/stepkey/stepkey/internal/aaguid"
	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/internal/passkeyname"
)

// MaxPasskeys is how many passkeys a user may have.
const MaxPasskeys = 20

// MaxPasskeyName is how many characters a passkey's name may have.
const MaxPasskeyName = passkeyname.MaxLength

// passkeyName returns a name as it is stored, or ErrInvalidRequest; see [passkeyname.Clean].
func passkeyName(sent string) (string, error) {
	name, ok := passkeyname.Clean(sent)
	if !ok {
		return "", ErrInvalidRequest
	}
	return name, nil
}

// Provider returns the name of a passkey's provider, or an empty string if it is not
// known. The name is not verified; see package internal/aaguid.
func Provider(p Passkey) string { return aaguid.Name(p.Credential.AAGUID) }

// waits returns an error that says when the first of passkeys can be used. None
// of them works yet.
func waits(passkeys []Passkey) error {
	first := slices.MinFunc(passkeys, func(p, q Passkey) int { return p.UsableFrom.Compare(*q.UsableFrom) })
	return &PasskeyWaitsError{Until: *first.UsableFrom}
}

// usable returns the passkeys that work at now.
func usable(passkeys []Passkey, now time.Time) []Passkey {
	return slices.DeleteFunc(slices.Clone(passkeys), func(p Passkey) bool { return p.Waits(now) })
}

func credentials(passkeys []Passkey) []ceremony.Credential {
	list := make([]ceremony.Credential, len(passkeys))
	for i, p := range passkeys {
		list[i] = p.Credential
	}
	return list
}

func findPasskey(passkeys []Passkey, credentialID []byte) (Passkey, bool) {
	for _, p := range passkeys {
		if string(p.Credential.ID) == string(credentialID) {
			return p, true
		}
	}
	return Passkey{}, false
}

func ceremonyUser(u User) ceremony.User {
	return ceremony.User{Handle: u.Handle, Name: u.Username, DisplayName: cmp.Or(u.DisplayName, u.Username)}
}
