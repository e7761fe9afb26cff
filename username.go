package stepkey

import (
	"fmt"
	"strings"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/username"
	"github.com/stepkey/stepkey/storage"
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

// ErrUsernameAddress wraps ErrUsernameInvalid for a sign-up with a name that contains @ where
// Config.SignInByAddress is set.
var ErrUsernameAddress = fmt.Errorf("%w: it could be the address of somebody else", ErrUsernameInvalid)

// signInName is what somebody typed to sign in, in the forms in which it is looked up.
type signInName struct {
	canonical string // as a user name, empty if it is none
	address   string // as an address, empty if it is none or Config.SignInByAddress is not set
	counted   string // under which attempts are counted if no account is found
}

// signInName reads what somebody typed to sign in. Spellings of one address are counted alike, as
// those of one name are: otherwise the counts would reveal which addresses an account has.
func (s *Service) signInName(typed string) signInName {
	canonical, err := CanonicalUsername(typed)
	n := signInName{canonical: canonical, counted: canonical}
	address := canonical
	if err != nil {
		address, n.counted = storage.FoldAddress(strings.TrimSpace(typed)), typed
	}
	if s.signInByAddress && mail.CheckAddress(address) == nil {
		n.address, n.counted = address, address
	}
	return n
}

// DefaultReservedNames returns the default of Config.ReservedNames: names that people
// would mistake for the operator of a service, and the mailboxes that RFC 2142
// assigns to operators.
func DefaultReservedNames() []string { return username.DefaultReserved() }
