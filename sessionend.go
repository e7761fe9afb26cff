package stepkey

import (
	"context"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/tokens"
	"github.com/stepkey/stepkey/storage"
)

// end ends sessions in a transaction of its own, records each end, and returns how many ended.
func (s *Service) end(ctx context.Context, which storage.EndSessions) (n int, err error) {
	which.At = s.now()
	err = s.inTxEnding(WithAccount(ctx, which.UserID), func(tx storage.Tx) ([]uuid.UUID, error) {
		ended, err := s.endIn(ctx, tx, which)
		n = len(ended)
		return ended, err
	})
	return n, err
}

// inTxEnding runs fn in a transaction. Once it is committed, this instance refuses the sessions
// that fn ended; other instances learn of them within a second.
//
// Each time they poll, they read the ends of the last tokens.EndedSettle again. They would never
// find an end that is committed later than that after its time, so a transaction that takes too
// long is rolled back.
func (s *Service) inTxEnding(ctx context.Context, fn func(storage.Tx) ([]uuid.UUID, error)) error {
	var ended []uuid.UUID
	err := s.store.InTx(ctx, func(tx storage.Tx) (err error) {
		began := s.now()
		if ended, err = fn(tx); err != nil || len(ended) == 0 {
			return err
		}
		if s.now().Sub(began) > tokens.EndedCommit {
			return ErrUnavailable
		}
		return nil
	})
	if err == nil && s.ended != nil {
		s.ended.Add(ended, s.now())
	}
	return err
}

// endIn ends sessions and records each end. tx must come from inTxEnding. The use-case may have
// waited since which.At, to hash a password or for another transaction, so the time is read
// again: other instances find ends by it.
func (s *Service) endIn(ctx context.Context, tx storage.Tx, which storage.EndSessions) ([]uuid.UUID, error) {
	if now := s.now(); now.After(which.At) {
		which.At = now
	}
	ended, err := tx.EndSessions(ctx, which)
	if err != nil {
		return nil, err
	}
	for _, id := range ended {
		e := Event{Kind: storage.EventSessionEnded, UserID: which.UserID, SessionID: id, Reason: string(which.Reason)}
		if err := s.record(ctx, tx, e, which.At); err != nil {
			return nil, err
		}
	}
	return ended, nil
}
