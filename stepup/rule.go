package stepup

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stepkey/stepkey/internal/purposes"
)

// Factor is Passkey, Password, or one of the application's own, such as "totp": 1 to
// 32 of a-z, 0-9 and '-'.
type Factor string

// The factors that Stepkey knows.
const (
	Passkey  Factor = "passkey"
	Password Factor = "password" // Identity.SignedInAt counts as one
)

// Bounds of a Rule. People must be able to read it, and every request evaluates it.
const (
	maxAlternatives = 16
	maxNeeds        = 8 // of one alternative
)

// maxPasskeyAge is the oldest passkey that a rule may accept: a session's row, and
// with it the proof, lasts 12 hours after the verification.
const maxPasskeyAge = 12 * time.Hour

// Need is one factor, verified at most Within ago.
type Need struct {
	Factor Factor
	Within time.Duration
}

// String writes the need as a line of [ParsePurposes] has it: "passkey within 10m".
func (n Need) String() string { return Rule{{n}}.String() }

// Rule is what a purpose requires. It holds if all needs of one of its lists hold, so
// the zero Rule never holds, and New refuses it. A Rule has at most 16 lists, each with
// 1 to 8 needs of different factors. [Factor.Within], [Rule.And] and [Rule.Or] make
// one; the methods leave their operands as they are.
type Rule [][]Need

// Within returns the rule that f was verified at most age ago. The age is in whole
// seconds, at least one, and at most 12 hours for Passkey and 365 days for others; New
// refuses others.
func (f Factor) Within(age time.Duration) Rule { return Rule{{{Factor: f, Within: age}}} }

// And returns the rule that holds if both r and other do. Of two needs of one factor
// the shorter age is kept. A result over the bounds of a Rule is cut off just above
// them, so that New refuses it.
func (r Rule) And(other Rule) Rule {
	var all Rule
	for _, list := range r {
		for _, more := range other {
			if len(all) > maxAlternatives {
				return all
			}
			all = append(all, both(list, more))
		}
	}
	return all
}

// Or returns the rule that holds if r or other does. A result over the bounds of a
// Rule is cut off just above them, so that New refuses it.
func (r Rule) Or(other Rule) Rule {
	var all Rule
	for _, list := range slices.Concat(r, other) {
		if len(all) > maxAlternatives {
			return all
		}
		all = append(all, slices.Clone(list))
	}
	return all
}

// both joins two lists of needs, cut off just above maxNeeds.
func both(list, more []Need) []Need {
	joined := slices.Clone(list)
	for _, need := range more {
		if i := slices.IndexFunc(joined, func(n Need) bool { return n.Factor == need.Factor }); i >= 0 {
			joined[i].Within = min(joined[i].Within, need.Within)
			continue
		}
		if len(joined) > maxNeeds {
			return joined
		}
		joined = append(joined, need)
	}
	return joined
}

// String writes the rule as a line of [ParsePurposes] has it.
func (r Rule) String() string { return purposes.FormatRule(r.written()) }

// written returns the rule as package purposes writes it.
func (r Rule) written() [][]purposes.Need {
	lists := make([][]purposes.Need, len(r))
	for i, list := range r {
		for _, need := range list {
			lists[i] = append(lists[i], purposes.Need{Factor: string(need.Factor), Within: need.Within})
		}
	}
	return lists
}

// check returns an error that says what is wrong with r and what to write.
func (r Rule) check() error {
	if len(r) == 0 {
		return errors.New("the rule is empty: write for example stepup.Passkey.Within(10 * time.Minute)")
	}
	if len(r) > maxAlternatives {
		return fmt.Errorf("the rule has more than %d alternatives: split it into several purposes", maxAlternatives)
	}
	for _, list := range r {
		if err := checkList(list); err != nil {
			return err
		}
	}
	return nil
}

func checkList(list []Need) error {
	if len(list) == 0 {
		return errors.New("an alternative of the rule needs nothing, so every request would meet it: remove it")
	}
	if len(list) > maxNeeds {
		return fmt.Errorf("an alternative of the rule has more than %d needs", maxNeeds)
	}
	for i, need := range list {
		if err := need.check(); err != nil {
			return err
		}
		if slices.ContainsFunc(list[:i], func(n Need) bool { return n.Factor == need.Factor }) {
			return fmt.Errorf("an alternative of the rule needs %s twice: keep the shorter age", need.Factor)
		}
	}
	return nil
}

func (n Need) check() error {
	if err := purposes.CheckFactor(string(n.Factor)); err != nil {
		return err
	}
	if err := purposes.CheckAge(n.Within); err != nil {
		return fmt.Errorf("%s: %w", n.Factor, err)
	}
	if n.Factor == Passkey && n.Within > maxPasskeyAge {
		return fmt.Errorf("passkey within %s: at most %s is possible, since no proof is kept for longer",
			purposes.FormatAge(n.Within), purposes.FormatAge(maxPasskeyAge))
	}
	return nil
}

// evaluate reports whether the rule holds now. If not, it returns the needs that do
// not hold, over all alternatives and each once: missing if the factor was not
// verified in this session, expired if that is too long ago.
func (r Rule) evaluate(now time.Time, proofs []Proof) (ok bool, missing, expired []Need) {
	for _, list := range r {
		holds := len(list) > 0
		for _, need := range list {
			age, proved := youngest(need.Factor, now, proofs)
			if proved && age <= need.Within {
				continue
			}
			holds = false
			if proved {
				expired = appendNew(expired, need)
			} else {
				missing = appendNew(missing, need)
			}
		}
		if holds {
			return true, nil, nil
		}
	}
	return false, missing, expired
}

// youngest returns the age of the newest proof of factor that counts.
func youngest(factor Factor, now time.Time, proofs []Proof) (age time.Duration, proved bool) {
	for _, proof := range proofs {
		if proof.Factor != factor || !countsAt(proof.At, now) {
			continue
		}
		if since := now.Sub(proof.At); !proved || since < age {
			age, proved = since, true
		}
	}
	return age, proved
}

func appendNew(needs []Need, need Need) []Need {
	if slices.Contains(needs, need) {
		return needs
	}
	return append(needs, need)
}
