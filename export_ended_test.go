package stepkey

import "context"

// LookForEnded has s look once for sessions that others ended, as Run does twice a second.
func LookForEnded(ctx context.Context, s *Service) error { return s.ended.look(ctx) }

// EndedCommit is how long a transaction that ends sessions may take.
const EndedCommit = endedCommit

// EndedSettle is how far back a look reads again.
const EndedSettle = endedSettle
