package username

import (
	"fmt"
	"strings"
)

// DefaultReserved returns the names that are reserved by default: those that people take
// for the operator of a service, and the mailboxes that RFC 2142 assigns to operators. So
// no account can pose as the operator, and no mail address made from a user name is one of
// those mailboxes.
func DefaultReserved() []string {
	return strings.Fields(`
		admin administrator admins root superuser sysadmin sysop system operator owner staff team
		mod moderator moderators official security support helpdesk help service services account accounts billing
		payment payments sales marketing info contact legal privacy compliance press
		postmaster hostmaster webmaster usenet news www uucp ftp abuse noc mailer-daemon
		no-reply do-not-reply null undefined anonymous`)
}

// Reserved is a set of names by their reservedKey. It is safe for concurrent use.
type Reserved map[string]bool

// NewReserved returns the set of names. An error calls the list setting and quotes the
// entry that is not a user name.
func NewReserved(setting string, names []string) (Reserved, error) {
	set := Reserved{}
	for _, name := range names {
		canonical, ok := Canonical(name)
		if !ok {
			return nil, fmt.Errorf("%s has %q, which is no user name: remove it", setting, name)
		}
		set[reservedKey(canonical)] = true
	}
	return set, nil
}

// Has reports whether a name in canonical form is reserved, ignoring signs.
func (set Reserved) Has(canonical string) bool { return set[reservedKey(canonical)] }

// reservedKey drops the signs from a canonical name: admin_, a.d.m.i.n and no-reply read
// like admin and noreply. Digits and letters stay, because admin2 and adminov are names.
func reservedKey(canonical string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(signs, r) {
			return -1
		}
		return r
	}, canonical)
}
