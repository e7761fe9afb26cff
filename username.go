package stepkey

import (
	"fmt"

	"github.com/stepkey/stepkey/internal/username"
)

// MaxUsername is the maximum length of a user name, in characters of its
// canonical form.
const MaxUsername = username.MaxLength

// ErrUsernameReserved wraps ErrUsernameInvalid for a sign-up with a name in Config.ReservedNames.
var ErrUsernameReserved = fmt.Errorf("%w: it is reserved", ErrUsernameInvalid)

// CanonicalUsername returns the one form in which a user name is unique and is
// looked up: surrounding white space trimmed, NFKC, case folded.
//
// The result has 1 to [MaxUsername] characters, all of them letters, combining
// marks, decimal digits or one of . _ - @ +, and begins with a letter or a digit.
// So an e-mail address can be a user name; a text with white space, control
// characters, invisible characters or characters that change the writing
// direction cannot. For any other text it returns [ErrUsernameInvalid].
func CanonicalUsername(typed string) (string, error) {
	name, ok := username.Canonical(typed)
	if !ok {
		return "", ErrUsernameInvalid
	}
	return name, nil
}

// DefaultReservedNames returns the default of Config.ReservedNames: names that people
// would mistake for the operator of a service, and the mailboxes that RFC 2142
// assigns to operators.
func DefaultReservedNames() []string { return username.DefaultReserved() }
