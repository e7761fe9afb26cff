package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stepkey/stepkey/token"
)

// Verdict is what the rules say about a request.
type Verdict int

// The verdicts, the more severe the greater.
const (
	Deny    Verdict = iota // no proof would help
	Allow                  // it reaches the application
	StepUp                 // not before the user has signed in or proved a factor again
	Refused                // the path, method or host is ambiguous or malformed: 400
)

// severity orders verdicts. Deny is the zero value, so that a forgotten one refuses.
func (v Verdict) severity() int { return slices.Index([]Verdict{Allow, StepUp, Deny, Refused}, v) }

// String returns allow, deny, step-up or refused.
func (v Verdict) String() string {
	switch v {
	case Allow:
		return "allow"
	case StepUp:
		return "step-up"
	case Refused:
		return "refused"
	}
	return "deny"
}

// Request is what rules know of a request.
type Request struct {
	// Origin is that of the application, as [Origin] returns it.
	Origin string

	Method string

	// Target is the request target with its query, exactly as the application will get it.
	Target string

	// Preflight says that the request has the headers of a CORS preflight.
	Preflight bool

	// Overrides says that the application may be asked to take the request for one of another
	// method, by a header such as X-HTTP-Method-Override. The strictest rule of the path
	// applies then.
	Overrides bool

	// AtLeast is required in addition to what the rule requires, even if that is open.
	AtLeast []Need
}

// Decision is the answer to a Request.
type Decision struct {
	Verdict Verdict

	// Reason is for people who read logs and write rules: it names the rule. It must not be
	// shown to those who sent the request.
	Reason string

	// Missing is what the session lacks if the verdict is StepUp.
	Missing []Missing

	// Shadow says that the application lets all pass for now.
	Shadow bool

	// Open says that nobody had to be signed in.
	Open bool
}

// Passes reports whether the request reaches the application: it is allowed, or in
// shadow mode.
func (d Decision) Passes() bool { return d.Verdict == Allow || d.Shadow }

// Level and age of the strongest missing need, as RFC 9470 names them. The age is zero
// if any will do.
func (d Decision) Level() (token.Level, time.Duration) {
	var strongest Need
	for _, m := range d.Missing {
		if strongest.Factor == "" || m.Factor.level() == token.LevelFull {
			strongest = m.Need
		}
	}
	return strongest.Factor.level(), strongest.Within
}

// Decide answers a request that the person in who makes at now. Nothing in the request is believed to be well
// formed.
func (f *File) Decide(r Request, who Subject, now time.Time) Decision {
	app, known := f.apps[r.Origin]
	if !known {
		return Decision{Verdict: Deny, Reason: "no [[app]] has this origin"}
	}
	d := app.decide(r, who, now)
	d.Shadow = now.Before(app.shadowUntil)
	return d
}

func (a *app) decide(r Request, who Subject, now time.Time) Decision {
	if !isMethod(r.Method) || r.Method == "CONNECT" || r.Method == "TRACE" {
		return Decision{Verdict: Refused, Reason: "the method is not one that is written in capitals, or it is CONNECT or TRACE"}
	}
	paths, err := a.readings(r.Target)
	if err != nil {
		return Decision{Verdict: Refused, Reason: strings.TrimPrefix(err.Error(), "rules: ")}
	}
	strictest := Decision{Verdict: Allow}
	for i, at := range paths {
		for j, method := range a.readMethods(r) {
			d := a.decideOne(r, method, at, who, now)
			if (i == 0 && j == 0) || d.Verdict.severity() > strictest.Verdict.severity() {
				strictest = d
			}
		}
	}
	return strictest
}

// readings returns the path, and the other one that a server reads which ignores
// parameters. The rules of both have to allow a request.
func (a *app) readings(target string) ([]path, error) {
	at, err := parsePath(target, a.allowSemicolon)
	if err != nil {
		return nil, err
	}
	paths := []path{at}
	if other, differs := at.withoutParameters(); differs {
		paths = append(paths, other)
	}
	if !a.caseBlind {
		return paths, nil
	}
	for i := range paths {
		if paths[i], err = paths[i].folded(); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// readMethods returns the methods that the application may take the request for.
func (a *app) readMethods(r Request) []string {
	method := r.Method
	if method == "HEAD" {
		method = "GET"
	}
	if !r.Overrides {
		return []string{method}
	}
	list := []string{method, "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	for _, r := range a.rules {
		list = append(list, r.methods...)
	}
	return list
}

func (a *app) decideOne(r Request, method string, at path, who Subject, now time.Time) Decision {
	rule := a.firstMatch(method, at)
	if rule == nil {
		return Decision{Verdict: Deny, Reason: "no rule matches"}
	}
	if rule.access.deny {
		return Decision{Verdict: Deny, Reason: rule.byName() + " denies it to everybody"}
	}
	if a.preflight && r.Preflight && r.Method == "OPTIONS" {
		return Decision{Verdict: Allow, Open: true, Reason: "it is a preflight, and preflight = true"}
	}
	if rule.access.open && len(r.AtLeast) == 0 {
		return Decision{Verdict: Allow, Open: true, Reason: rule.byName() + " is open"}
	}
	if who.signedIn() && !rule.who.includes(who) {
		return Decision{Verdict: Deny, Reason: rule.byName() + " is for other users"}
	}
	missing := rule.access.needs.missing(who, now)
	missing = append(missing, requirement{r.AtLeast}.missing(who, now)...)
	if len(missing) > 0 {
		return Decision{Verdict: StepUp, Missing: missing, Reason: rule.byName() + " requires more"}
	}
	return Decision{Verdict: Allow, Reason: rule.allows}
}

// firstMatch returns the rule that decides, or nil.
func (a *app) firstMatch(method string, at path) *rule {
	for i := range a.rules {
		if a.rules[i].matches(method, at) {
			return &a.rules[i]
		}
	}
	return nil
}

// ParseTightening reads what a proxy's own configuration requires in addition: a level
// (password, full or hardware), with an age if that is not empty.
func ParseTightening(level, age string) (Need, error) {
	text := level
	if age != "" {
		text += "<" + age
	}
	a, err := parseAccess(text, nil)
	if err != nil {
		return Need{}, err
	}
	if len(a.needs) != 1 {
		return Need{}, errors.New("rules: only password, full and hardware make a request stricter")
	}
	return a.needs[0][0], nil
}

// Describe writes missing needs for people.
func Describe(missing []Missing) string {
	var words []string
	for _, m := range missing {
		if m.Expired {
			words = append(words, fmt.Sprintf("%s (expired)", m.Need))
		} else {
			words = append(words, m.Need.String())
		}
	}
	return strings.Join(words, ", ")
}
