package stepkey

import (
	"fmt"
	"strings"
)

// ErrUsernameReserved is the ErrUsernameInvalid of a sign-up with a name of Config.ReservedNames.
var ErrUsernameReserved = fmt.Errorf("%w: it is reserved", ErrUsernameInvalid)

// DefaultReservedNames returns the names that nobody can sign up with by default: those
// that people take for the operator of a service, and the mailboxes that RFC 2142 gives to
// operators, so that an account cannot pose as one and a mail address made from its name is
// not one of them.
func DefaultReservedNames() []string {
	return strings.Fields(`
		admin administrator admins root superuser sysadmin sysop system operator owner staff team
		mod moderator moderators official security support helpdesk help service services account accounts billing
		payment payments sales marketing info contact legal privacy compliance press
		postmaster hostmaster webmaster usenet news www uucp ftp abuse noc mailer-daemon
		no-reply do-not-reply null undefined anonymous`)
}

// reservedNames is a set of names by their reservedKey.
type reservedNames map[string]bool

func newReservedNames(names []string) (reservedNames, error) {
	set := reservedNames{}
	for _, name := range names {
		canonical, err := CanonicalUsername(name)
		if err != nil {
			return nil, fmt.Errorf("Config.ReservedNames has %q, which is no user name: remove it", name)
		}
		set[reservedKey(canonical)] = true
	}
	return set, nil
}

func (set reservedNames) has(canonical string) bool { return set[reservedKey(canonical)] }

// reservedKey leaves the signs out of a canonical name: admin_, a.d.m.i.n and no-reply say
// what admin and noreply say. Digits and letters stay, because admin2 and adminov are names.
func reservedKey(canonical string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("._-@+", r) {
			return -1
		}
		return r
	}, canonical)
}
