package stepkey

import (
	"fmt"

	"github.com/stepkey/stepkey/internal/username"
)

// MaxUsername is how many characters a user name may have, in its canonical
// form.
const MaxUsername = username.MaxLength

// ErrUsernameReserved is the ErrUsernameInvalid of a sign-up with a name of Config.ReservedNames.
var ErrUsernameReserved = fmt.Errorf("%w: it is reserved", ErrUsernameInvalid)

// CanonicalUsername returns the one form in which a user name is unique and is
// looked up: surrounding white space trimmed, NFKC, case folded.
//
// The result has 1 to [MaxUsername] characters, all of them letters, combining
// marks, decimal digits or one of . _ - @ +, and begins with a letter or a digit.
// So an e-mail address can be a user name; a text with white space, control
// characters, invisible characters or those that change the direction of writing
// cannot. Otherwise the error is [ErrUsernameInvalid].
func CanonicalUsername(typed string) (string, error) {
	name, ok := username.Canonical(typed)
	if !ok {
		return "", ErrUsernameInvalid
	}
	return name, nil
}

// DefaultReservedNames returns the default of Config.ReservedNames: names that people
// take for the operator of a service, and the mailboxes that RFC 2142 assigns to
// operators.
func DefaultReservedNames() []string { return username.DefaultReserved() }
