package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stepkey/stepkey/internal/purposes"
	"github.com/stepkey/stepkey/internal/username"
	"github.com/stepkey/stepkey/token"
)

const exampleRule = `"full<10m POST /payouts group=finance"`

// rule is one line of an app.
type rule struct {
	line   int // in the file, from 1; 0 if the file hides it in an inline table
	text   string
	allows string // the reason of a decision to allow, which most requests get
	access access
	methods
	pattern
	who
	weaker bool
}

type access struct {
	open, deny bool
	needs      requirement // if neither
}

// who are the users that a rule lets pass: one of each list that is not empty.
type who struct {
	ids, groups []string
	names       userNames
}

// userNames are in their canonical form.
type userNames []string

func (list userNames) has(typed string) bool {
	name, ok := username.Canonical(typed)
	return ok && slices.Contains(list, name)
}

// parseRule reads a line such as "full<10m POST /payouts group=finance user=mira weaker".
func parseRule(text string, caseBlind bool, named map[string]purposes.Line) (rule, error) {
	words := strings.Fields(text)
	if len(words) < 3 {
		return rule{}, fmt.Errorf("access, methods and path are needed: write a rule like %s", exampleRule)
	}
	r := rule{text: strings.Join(words, " ")}
	var err error
	if r.access, err = parseAccess(words[0], named); err != nil {
		return rule{}, err
	}
	if r.methods, err = parseMethods(words[1]); err != nil {
		return rule{}, err
	}
	if r.pattern, err = parsePattern(words[2], caseBlind); err != nil {
		return rule{}, err
	}
	words = words[3:]
	if n := len(words); n > 0 && words[n-1] == "weaker" {
		r.weaker, words = true, words[:n-1]
	}
	if r.who, err = parseWho(words); err != nil {
		return rule{}, err
	}
	if (r.access.open || r.access.deny) && len(words) > 0 {
		return rule{}, errors.New("open and deny are for everybody: leave out user, id and group, or require a level")
	}
	return r, nil
}

func parseAccess(text string, named map[string]purposes.Line) (access, error) {
	if name, found := strings.CutPrefix(text, "purpose:"); found {
		line, known := named[name]
		if !known {
			return access{}, fmt.Errorf("there is no purpose %q: add it to [purposes]", name)
		}
		needs, err := purposeNeeds(line)
		return access{needs: needs}, err
	}
	name, age, hasAge := strings.Cut(text, "<")
	need := Need{}
	switch name {
	case "open", "deny":
		if hasAge {
			return access{}, fmt.Errorf("%s has no age: leave out <%s", name, age)
		}
		return access{open: name == "open", deny: name == "deny"}, nil
	case "password":
		need.Factor = SignIn
	case "full":
		need.Factor = Passkey
	case "hardware":
		need.Factor = Hardware
	default:
		return access{}, fmt.Errorf("%q is not an access: begin with open, deny, password, full, hardware or purpose:NAME", name)
	}
	if hasAge {
		var err error
		if need.Within, err = parseAge(age); err != nil {
			return access{}, err
		}
	}
	return access{needs: requirement{{need}}}, nil
}

func parseAge(text string) (time.Duration, error) {
	age, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not an age: write it like <90s, <10m or <1h30m", text)
	}
	return age, purposes.CheckAge(age)
}

// purposeNeeds are the needs of a purpose that the gate can check itself.
func purposeNeeds(line purposes.Line) (requirement, error) {
	if line.Mode != purposes.Required {
		return nil, fmt.Errorf("the purpose %q is %s for a time, which only package stepup knows: remove that, or give the app mode = \"shadow\"", line.Name, line.Mode)
	}
	var needs requirement
	for _, list := range line.Rule {
		var all []Need
		for _, need := range list {
			factor := Factor(need.Factor)
			if factor != Password && factor != Passkey && factor != Hardware {
				return nil, fmt.Errorf("the purpose %q needs %s, which no session here has: use passkey, password or hardware", line.Name, need.Factor)
			}
			all = append(all, Need{Factor: factor, Within: need.Within})
		}
		needs = append(needs, all)
	}
	return needs, nil
}

func parseWho(words []string) (who, error) {
	var w who
	for _, word := range words {
		key, value, found := strings.Cut(word, "=")
		if !found || value == "" {
			return who{}, fmt.Errorf("%q is not a condition: write user=NAME, id=ID or group=NAME, and weaker last", word)
		}
		switch key {
		case "id":
			w.ids = append(w.ids, value)
		case "group":
			w.groups = append(w.groups, value)
		case "user":
			name, ok := username.Canonical(value)
			if !ok {
				return who{}, fmt.Errorf("%q is not a user name", value)
			}
			w.names = append(w.names, name)
		default:
			return who{}, fmt.Errorf("%q is not a condition: write user=NAME, id=ID or group=NAME", word)
		}
	}
	return w, nil
}

func (w who) includes(s Subject) bool {
	return (len(w.ids) == 0 || slices.Contains(w.ids, s.ID)) &&
		(len(w.names) == 0 || w.names.has(s.Name)) &&
		(len(w.groups) == 0 || slices.ContainsFunc(s.Groups, func(g string) bool { return slices.Contains(w.groups, g) }))
}

// within reports whether each user of w is one of outer. It does not know who is in
// which group, so it may say no of users who are.
func (w who) within(outer who) bool {
	return sublist(w.ids, outer.ids) && sublist(w.names, outer.names) && sublist(w.groups, outer.groups)
}

// sublist treats an empty list as everything.
func sublist(inner, outer []string) bool {
	if len(outer) == 0 {
		return true
	}
	return len(inner) > 0 && !slices.ContainsFunc(inner, func(name string) bool { return !slices.Contains(outer, name) })
}

// asStrictAs reports whether whatever passes r passes outer.
func (r rule) asStrictAs(outer rule) bool {
	switch {
	case r.access.deny || outer.access.open:
		return true
	case r.access.open || outer.access.deny:
		return false
	}
	return r.access.needs.implies(outer.access.needs) && r.who.within(outer.who)
}

// covers reports whether r matches all that other matches.
func (r rule) covers(other rule) bool {
	return other.methods.within(r.methods) && other.pattern.within(r.pattern)
}

func (r rule) overlaps(other rule) bool {
	return r.methods.meet(other.methods) && r.pattern.meets(other.pattern)
}

func (r *rule) matches(method string, at path) bool {
	return r.methods.match(method) && r.pattern.matches(at)
}

// byName is in the words of errors and decisions.
func (r rule) byName() string {
	if r.line == 0 {
		return fmt.Sprintf("the rule %q", r.text)
	}
	return fmt.Sprintf("line %d, %q", r.line, r.text)
}

// level is what RFC 9470 calls acr for a factor.
func (f Factor) level() token.Level {
	if f == Passkey || f == Hardware {
		return token.LevelFull
	}
	return token.LevelPassword
}
