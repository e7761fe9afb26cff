package rules

import (
	"slices"
	"time"

	"github.com/stepkey/stepkey/internal/purposes"
	"github.com/stepkey/stepkey/token"
)

// Factor is what a need asks to be proved.
type Factor string

// The factors. SignIn is either of a password and a passkey. Hardware is a passkey that
// is known to be bound to hardware.
const (
	SignIn   Factor = "sign-in"
	Password Factor = "password"
	Passkey  Factor = "passkey"
	Hardware Factor = "hardware"
)

// implies reports whether proof of f is proof of g.
func (f Factor) implies(g Factor) bool {
	return f == g || g == SignIn || (f == Hardware && g == Passkey)
}

// Need is one factor, proved at most Within ago. Zero means any time in the session.
type Need struct {
	Factor Factor
	Within time.Duration
}

// String writes the need for people, as in "passkey within 10m".
func (n Need) String() string {
	if n.Within == 0 {
		return string(n.Factor)
	}
	return string(n.Factor) + " within " + purposes.FormatAge(n.Within)
}

func (n Need) implies(m Need) bool {
	return n.Factor.implies(m.Factor) && (m.Within == 0 || (n.Within != 0 && n.Within <= m.Within))
}

// Subject is the user of a session. The zero Subject is nobody.
type Subject struct {
	ID     string // never reused
	Name   string // as the user typed it
	Groups []string

	// Level is that of the session now: full only while the passkey exists.
	Level token.Level

	// PasswordTime and PasskeyTime are when each factor was verified; zero if it was not.
	PasswordTime, PasskeyTime time.Time

	// Hardware says that the passkey is known to be bound to hardware.
	Hardware bool
}

// signedIn excludes level recovery, which allows nothing but to add a passkey.
func (s Subject) signedIn() bool { return s.Level.Satisfies(token.LevelPassword) }

// Missing is a need that a session does not meet.
type Missing struct {
	Need

	// Expired says that the factor was proved, and too long ago.
	Expired bool
}

// missing returns whether the need is unmet at now, and how.
func (s Subject) missing(n Need, now time.Time) (Missing, bool) {
	if !s.signedIn() {
		return Missing{Need: n}, true
	}
	switch n.Factor {
	case SignIn:
		if n.Within == 0 {
			return Missing{}, false
		}
		return proved(n, now, s.PasswordTime, s.passkeyTime())
	case Password:
		return proved(n, now, s.PasswordTime)
	case Passkey:
		return proved(n, now, s.passkeyTime())
	case Hardware:
		if !s.Hardware {
			return Missing{Need: n}, true
		}
		return proved(n, now, s.passkeyTime())
	}
	return Missing{Need: n}, true
}

func (s Subject) passkeyTime() time.Time {
	if s.Level != token.LevelFull {
		return time.Time{}
	}
	return s.PasskeyTime
}

// proved compares ages in whole seconds, as package guard does. A proof of the future
// would stay fresh for longer than any limit.
func proved(n Need, now time.Time, times ...time.Time) (Missing, bool) {
	expired := false
	for _, at := range times {
		if at.IsZero() || at.After(now.Add(token.Leeway)) {
			continue
		}
		if n.Within == 0 || now.Sub(at).Truncate(time.Second) <= n.Within {
			return Missing{}, false
		}
		expired = true
	}
	return Missing{Need: n, Expired: expired}, true
}

// requirement is a list of alternatives: all needs of one suffice. None at all means
// that nothing is required.
type requirement [][]Need

// missing returns the unmet needs of the alternative that has fewest.
func (r requirement) missing(s Subject, now time.Time) []Missing {
	var fewest []Missing
	for i, list := range r {
		var unmet []Missing
		for _, need := range list {
			if m, missing := s.missing(need, now); missing {
				unmet = append(unmet, m)
			}
		}
		if i == 0 || len(unmet) < len(fewest) {
			fewest = unmet
		}
	}
	return fewest
}

// implies reports whether each alternative of r fulfils one of outer.
func (r requirement) implies(outer requirement) bool {
	return !slices.ContainsFunc(r, func(list []Need) bool { return !fulfils(list, outer) })
}

func fulfils(list []Need, outer requirement) bool {
	return slices.ContainsFunc(outer, func(wanted []Need) bool {
		return !slices.ContainsFunc(wanted, func(w Need) bool {
			return !slices.ContainsFunc(list, func(n Need) bool { return n.implies(w) })
		})
	})
}
