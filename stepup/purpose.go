package stepup

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stepkey/stepkey/internal/purposes"
)

// Mode says what happens to requests that do not meet a purpose's rule.
type Mode int

// The modes.
const (
	Required Mode = iota // they are refused until the user verifies
	Offered              // users without a passkey are offered one and pass
	Shadow               // all pass and are counted
)

// Bounds of a Purpose.
const (
	maxShadow   = 90 * 24 * time.Hour // a trial that nobody ends protects nothing
	maxLabels   = 32
	maxLabelLen = 128 // bytes, of a field's name and of its label
)

// Purpose names a rule. Handlers refer to it by name, and so do counters and logs.
type Purpose struct {
	// Name is 1 to 64 of a-z, 0-9, '.', '_' and '-'.
	Name string

	// Title says on pages what the user is about to do: at most 128 bytes without
	// control characters.
	Title string

	// Labels are what pages call the fields of an action, by the names of fields: at
	// most 32, each of at most 128 bytes. They are no part of the text that String
	// writes and ParsePurposes reads.
	Labels map[string]string

	Rule Rule
	Mode Mode

	// Until is when Mode ends and the purpose becomes Required. It must be set for
	// Offered and Shadow, for Shadow at most 90 days ahead, and must be zero for
	// Required.
	Until time.Time
}

// String writes the mode as ParsePurposes reads it.
func (m Mode) String() string {
	switch m {
	case Required:
		return "required"
	case Offered:
		return purposes.Offered
	case Shadow:
		return purposes.Shadow
	}
	return "Mode(" + strconv.Itoa(int(m)) + ")"
}

// String writes the purpose, without its Labels, as a line that ParsePurposes reads.
func (p Purpose) String() string {
	line := purposes.Line{Name: p.Name, Title: p.Title, Rule: p.Rule.written(), Until: p.Until}
	if p.Mode != Required {
		line.Mode = p.Mode.String()
	}
	return line.String()
}

// ParsePurposes reads purposes from text, such as a file of an operator's, one line
// each:
//
//	# People who move money
//	payout "Pay out": passkey within 10m or password within 1m and totp within 5m; offered until 2027-03-01
//
// A line is a name, a title that may be left out, a rule, and a mode that may be left
// out if the purpose is Required. In a rule "and" binds tighter than "or". The mode
// ends at midnight UTC of a date, or at a time as in RFC 3339. The error names every
// wrong line and says what to write. How far ahead Shadow ends is checked by New,
// which has a clock.
func ParsePurposes(text string) ([]Purpose, error) {
	lines, err := purposes.Parse(text)
	if err != nil {
		return nil, err
	}
	list := make([]Purpose, len(lines))
	var wrong []error
	for i, line := range lines {
		list[i] = fromLine(line)
		if err := list[i].check(); err != nil {
			wrong = append(wrong, fmt.Errorf("line %d: %w", line.Number, err))
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return list, nil
}

func fromLine(line purposes.Line) Purpose {
	p := Purpose{Name: line.Name, Title: line.Title, Until: line.Until}
	for _, list := range line.Rule {
		var needs []Need
		for _, need := range list {
			needs = append(needs, Need{Factor: Factor(need.Factor), Within: need.Within})
		}
		p.Rule = append(p.Rule, needs)
	}
	switch line.Mode {
	case purposes.Offered:
		p.Mode = Offered
	case purposes.Shadow:
		p.Mode = Shadow
	}
	return p
}

// check returns an error that names the purpose and says what to do. It has no clock;
// see checkUntil.
func (p Purpose) check() error {
	if err := purposes.CheckName(p.Name); err != nil {
		return err
	}
	if err := errors.Join(purposes.CheckTitle(p.Title), checkLabels(p.Labels), p.Rule.check(), p.checkMode()); err != nil {
		return fmt.Errorf("purpose %q: %w", p.Name, err)
	}
	return nil
}

func (p Purpose) checkMode() error {
	switch p.Mode {
	case Required:
		if !p.Until.IsZero() {
			// It would read as if nothing were required afterwards.
			return errors.New("the mode is Required, which does not end, but Until is set: remove Until, or set Mode to Offered or Shadow")
		}
		return nil
	case Offered, Shadow:
		if p.Until.IsZero() {
			return fmt.Errorf("the mode is %s without an end: set Until to when the purpose becomes required", p.Mode)
		}
		return purposes.CheckUntil(p.Until)
	}
	return fmt.Errorf("there is no mode %d: use Required, Offered or Shadow", int(p.Mode))
}

func checkLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return fmt.Errorf("there are %d labels, at most %d are allowed", len(labels), maxLabels)
	}
	for field, label := range labels {
		if !isLabel(field) || !isLabel(label) {
			return fmt.Errorf("the field %q has the label %q in Labels: use 1 to %d bytes of UTF-8 without control characters for both", field, label, maxLabelLen)
		}
	}
	return nil
}

func isLabel(text string) bool {
	return text != "" && len(text) <= maxLabelLen && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// checkUntil returns an error if the purpose would be in Shadow mode for more than 90
// days from now. An end in the past is in order: the purpose is Required by then, and
// the application must not fail to start the day after.
func (p Purpose) checkUntil(now time.Time) error {
	if p.Mode == Shadow && p.Until.After(now.Add(maxShadow)) {
		return fmt.Errorf("purpose %q: shadow ends in more than %d days: choose an earlier Until", p.Name, int(maxShadow.Hours()/24))
	}
	return nil
}

// modeAt returns the mode of now: Mode before Until, and Required from then on.
func (p Purpose) modeAt(now time.Time) Mode {
	if !now.Before(p.Until) {
		return Required
	}
	return p.Mode
}
