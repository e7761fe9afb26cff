package token

// Level says how surely a token's holder is known.
//
// Password lies below Full. Recovery stands beside both: it opens enrolment of
// a new passkey and nothing else. Any other text is no level at all.
type Level string

// The levels, as they travel in the claims authLevel and acr.
const (
	LevelNone     Level = ""
	LevelPassword Level = "password"
	LevelFull     Level = "full"
	LevelRecovery Level = "recovery"
)

// Known reports whether l is one of the levels a token may carry.
func (l Level) Known() bool {
	return l == LevelPassword || l == LevelFull || l == LevelRecovery
}

// Satisfies reports whether a holder at level l may do what needs level min.
// An unknown level satisfies nothing and is satisfied by nothing, so that a
// misspelt level fails closed. Recovery satisfies only Recovery.
func (l Level) Satisfies(min Level) bool {
	switch min {
	case LevelPassword:
		return l == LevelPassword || l == LevelFull
	case LevelFull:
		return l == LevelFull
	case LevelRecovery:
		return l == LevelRecovery
	default:
		return false
	}
}
