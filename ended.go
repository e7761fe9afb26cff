package stepkey

import "github.com/stepkey/stepkey/token"

// Ended reports whether the session of a token has ended before the token expires. This
// instance may be up to half a second behind the others. It returns ErrEndedUnknown if
// it has not been able to read the store for 30 seconds.
func (s *Service) Ended(c token.Claims) (bool, error) { return s.ended.Ended(c) }

// Lowered reports whether the passkey that was verified in a session at that time, in
// seconds since the epoch, has been deleted since. This instance may be up to half a
// second behind the others. It returns ErrEndedUnknown if it has not been able to read
// the store for 30 seconds. It implements guard.LoweredSessions.
func (s *Service) Lowered(sessionID string, verifiedAt int64) (bool, error) {
	return s.lowered.Lowered(sessionID, verifiedAt)
}

// EndedSessions returns the newest signed list of ended sessions, for services that verify
// tokens offline, and a version that changes with it. The list is a signed
// [token.EndedSessions], a line break, and the [token.EndedContent] whose digest it
// contains. It goes back as far as tokens live, or less if many sessions have ended; its
// From says how far. EndedSessionsOf returns earlier minutes.
//
// The list's time is when the store was last read. EndedSessions returns
// ErrEndedUnknown when Ended would.
func (s *Service) EndedSessions() (list []byte, version string, err error) {
	return s.endedLists.Newest()
}

// EndedSessionsOf returns the signed list of the sessions that ended in one minute, counted
// from the epoch, and a version, as EndedSessions does. It returns ErrNotFound for a minute
// that no verifier needs any more or that has not begun.
func (s *Service) EndedSessionsOf(minute int64) (list []byte, version string, err error) {
	return s.endedLists.Minute(minute)
}
