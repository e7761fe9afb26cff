package token

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// The bounds of an [Action]. All but the number of parameters are in bytes.
const (
	MaxActionName           = 64
	MaxActionParameters     = 16
	MaxActionParameterName  = 64
	MaxActionParameterValue = 1024
)

const actionDomain = "stepkey-action-v1"

// ErrAction is the kind of every error about an action that is out of bounds.
var ErrAction = errors.New("token: unusable action")

// Action is one thing that a user consents to with a passkey, such as
// "payout.create" with the parameters "amount" and "iban". Parameters are
// strings: the side that asks for consent and the side that checks it must write
// a number the same way.
type Action struct {
	Name       string            `json:"name"`
	Parameters map[string]string `json:"parameters"`
}

// Check reports with an [ErrAction] whether a is out of bounds: a name is 1 to
// 64 bytes of a-z, 0-9, dot, underscore and hyphen; there are at most 16
// parameters, their names 1 to 64 bytes, their values at most 1024 bytes, all of
// them valid UTF-8.
func (a Action) Check() error {
	if !isActionName(a.Name) {
		return fmt.Errorf("%w: a name is 1 to %d of a-z, 0-9, '.', '_' and '-'", ErrAction, MaxActionName)
	}
	if len(a.Parameters) > MaxActionParameters {
		return fmt.Errorf("%w: more than %d parameters", ErrAction, MaxActionParameters)
	}
	for name, value := range a.Parameters {
		if name == "" || len(name) > MaxActionParameterName || !utf8.ValidString(name) {
			return fmt.Errorf("%w: a parameter's name is 1 to %d bytes of UTF-8", ErrAction, MaxActionParameterName)
		}
		if len(value) > MaxActionParameterValue || !utf8.ValidString(value) {
			return fmt.Errorf("%w: a parameter's value is at most %d bytes of UTF-8", ErrAction, MaxActionParameterValue)
		}
	}
	return nil
}

func isActionName(name string) bool {
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	}
	return name != "" && len(name) <= MaxActionName && strings.IndexFunc(name, other) < 0
}

// Digest identifies the action in 43 characters, so that it fits a token and a
// challenge. Different actions have different digests.
//
// It is the SHA-256, in base64url without padding (RFC 4648 §5), of these
// strings one after the other, each preceded by its length in bytes as four
// bytes, the most significant first:
//
//  1. stepkey-action-v1
//  2. the action's name
//  3. for each parameter its name, then its value; parameters in the order of
//     their names' bytes, compared as unsigned numbers
//
// All strings are UTF-8, used as they are: nothing is trimmed, folded or
// normalized. The lengths make the encoding unambiguous. testdata/vectors.json
// has examples. Digest does not call [Action.Check].
func (a Action) Digest() string {
	h := sha256.New()
	writePrefixed(h, actionDomain)
	writePrefixed(h, a.Name)
	for _, name := range slices.Sorted(maps.Keys(a.Parameters)) {
		writePrefixed(h, name)
		writePrefixed(h, a.Parameters[name])
	}
	return encode(h.Sum(nil))
}

func writePrefixed(h hash.Hash, text string) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(text)))
	h.Write(length[:])
	_, _ = io.WriteString(h, text) // a hash never returns an error
}
