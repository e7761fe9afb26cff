package stepkey

import (
	"context"

	"github.com/stepkey/stepkey/internal/tokens"
	"github.com/stepkey/stepkey/token"
)

// LookForEnded has s read once which sessions others ended, as Run does twice a second.
func LookForEnded(ctx context.Context, s *Service) error { return s.ended.Read(ctx) }

// EndedCommit is how long a transaction that ends sessions may take.
const EndedCommit = tokens.EndedCommit

// EndedSettle is how far before its last read an instance reads again.
const EndedSettle = tokens.EndedSettle

// EndedNumbers are the numbers of the list of ended sessions, as docs/limits.md calls them.
var EndedNumbers = map[string]int{
	"ends of one user in one minute that become one entry":    tokens.CollapseFrom,
	"open sessions that such an entry names at most":          tokens.MaxExceptions,
	"bytes up to which one list has everything":               tokens.EndedWholeBytes,
	"ids that the Go follower holds at most":                  token.MaxEndedIDs,
	"seconds that a transaction which ends sessions may take": int(tokens.EndedCommit.Seconds()),
}
