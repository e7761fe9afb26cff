package stepup

import "strings"

// NeededError says that a purpose is not met. Missing and Expired list what is lacking
// over all alternatives of its rule, each need once: it takes the needs of one
// alternative to meet the purpose, not all of them.
type NeededError struct {
	Purpose   string // its name
	Missing   []Need // the factor was not verified in this session
	Expired   []Need // it was verified, but longer ago than Within
	NoPasskey bool   // the user has no passkey that can be used now
}

// Error says in words what is lacking. It holds nothing secret and nothing that a
// client sent.
func (e *NeededError) Error() string {
	var parts []string
	for _, need := range e.Missing {
		parts = append(parts, need.String()+" is missing")
	}
	for _, need := range e.Expired {
		parts = append(parts, need.String()+" has expired")
	}
	if e.NoPasskey {
		parts = append(parts, "the user has no passkey")
	}
	text := "stepup: " + e.Purpose + " needs a verification"
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, "; ")
	}
	return text
}
