package stepkey

import (
	"context"

	"github.com/stepkey/stepkey/token"
)

// LookForEnded has s look once for sessions that others ended, as Run does twice a second.
func LookForEnded(ctx context.Context, s *Service) error { return s.ended.look(ctx) }

// EndedCommit is how long a transaction that ends sessions may take.
const EndedCommit = endedCommit

// EndedSettle is how far back a look reads again.
const EndedSettle = endedSettle

// EndedNumbers are the numbers of the list of ended sessions, as docs/limits.md calls them.
var EndedNumbers = map[string]int{
	"ends of one user in one minute that become one entry":    collapseFrom,
	"open sessions that such an entry names at most":          maxExceptions,
	"bytes up to which one list has everything":               endedWholeBytes,
	"ids that the Go follower holds at most":                  token.MaxEndedIDs,
	"seconds that a transaction which ends sessions may take": int(endedCommit.Seconds()),
}
