package token

// Level says how strongly a token's holder was authenticated.
//
// LevelPassword is below LevelFull. LevelRecovery is not comparable with
// either: it only allows enrolling a new passkey. Any other string is not a
// level.
type Level string

// The levels, as written in the claims authLevel and acr.
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

// Satisfies reports whether level l suffices where min is required. An unknown
// level satisfies nothing and is satisfied by nothing, so that a misspelt level
// fails closed. LevelRecovery satisfies only LevelRecovery.
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
