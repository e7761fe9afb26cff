package stepkey

import (
	"context"

	"github.com/stepkey/stepkey/token"
)

// MaxEvents is how many events Events returns at most.
const MaxEvents = 100

// Events returns what is recorded of who asks, the newest first, at most limit, which is 1
// to MaxEvents (ErrInvalidRequest). With before it begins behind that place. next is the
// place to go on from, or nil at the end; what is recorded meanwhile moves nothing behind it.
//
// Any session may read the newest ones, so that people without their passkey at hand see
// whether somebody else was there. To read on, page by page, is to export the whole
// history, and takes what AccountData takes (StepUpRequiredError).
func (s *Service) Events(
	ctx context.Context, c token.Claims, before *EventPlace, limit int,
) (events []Event, next *EventPlace, err error) {
	if limit < 1 || limit > MaxEvents {
		return nil, nil, ErrInvalidRequest
	}
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return nil, nil, err
	}
	if before != nil {
		if err := asOwner(a, c, now); err != nil {
			return nil, nil, err
		}
	}
	events, err = s.store.Events(ctx, a.User.ID, before, limit+1)
	if err != nil || len(events) <= limit {
		return events, nil, err
	}
	last := events[limit-1]
	return events[:limit], &EventPlace{At: last.At, ID: last.ID}, nil
}
