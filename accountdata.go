package stepkey

import (
	"context"
	"iter"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/storage"
)

// MaxExportedEvents is how many events AccountData includes, the newest ones.
const MaxExportedEvents = storage.MaxKeptEvents

// AccountData is everything stored about a user, without the hash of the password, and
// without the public keys of passkeys, which mean nothing to people.
type AccountData struct {
	User     User
	Email    EmailState // empty without a Mailer
	Passkeys []Passkey
	Sessions []Session
	Events   []Event

	RefusedCeremonies []RefusedCeremony
}

// ExportAccount returns everything stored about the caller (GDPR Article 15 and 20). On an
// account with a working passkey it requires a passkey verification not older than
// FullWindow (StepUpRequiredError), because one call copies everything.
func (s *Service) ExportAccount(ctx context.Context, c Caller) (AccountData, error) {
	return s.accountData(ctx, c, func(userID uuid.UUID) ([]Event, error) {
		return s.store.Events(ctx, userID, nil, MaxExportedEvents)
	})
}

// accountData leaves the events out if eventsOf is nil.
func (s *Service) accountData(
	ctx context.Context, c Caller, eventsOf func(userID uuid.UUID) ([]Event, error),
) (AccountData, error) {
	now := s.now()
	a, err := s.owner(ctx, c)
	if err != nil {
		return AccountData{}, err
	}
	if err := s.throttle.Charge(ctx, throttle.Exports, a.Session.ID, now); err != nil {
		return AccountData{}, err
	}
	if err := s.tally.Flush(ctx, a.User.ID); err != nil {
		return AccountData{}, err
	}
	sessions, err := s.store.Sessions(ctx, a.User.ID, now, now.Add(-SessionLifetime), nil, MaxListedSessions)
	if err != nil {
		return AccountData{}, err
	}
	var events []Event
	if eventsOf != nil {
		if events, err = eventsOf(a.User.ID); err != nil {
			return AccountData{}, err
		}
	}
	refused, err := s.store.RefusedCeremonies(ctx, a.User.ID)
	if err != nil {
		return AccountData{}, err
	}
	var email EmailState
	if s.outbox.SendsMail() {
		if email, err = s.store.Email(ctx, a.User.ID, now); err != nil {
			return AccountData{}, err
		}
	}
	a.User.PasswordHash = ""
	return AccountData{
		User: a.User, Email: email, Passkeys: a.Passkeys, Sessions: sessions, Events: events, RefusedCeremonies: refused,
	}, nil
}

// exportPage is how many events EventPages holds in memory at once.
const exportPage = 200

// ExportAccountWithoutEvents is ExportAccount for callers that stream it: they get the events from
// EventPages.
func (s *Service) ExportAccountWithoutEvents(ctx context.Context, c Caller) (AccountData, error) {
	return s.accountData(ctx, c, nil)
}

// EventPages yields the events that AccountData includes, one page at a time, so that a slow
// reader of ten thousand events does not keep them all in memory. It ends with the first error.
func (s *Service) EventPages(ctx context.Context, userID uuid.UUID) iter.Seq2[[]Event, error] {
	return func(yield func([]Event, error) bool) {
		var before *EventPlace
		for left := MaxExportedEvents; left > 0; {
			page, err := s.store.Events(ctx, userID, before, min(exportPage, left))
			if !yield(page, err) || err != nil || len(page) < exportPage {
				return
			}
			last := page[len(page)-1]
			before, left = &EventPlace{At: last.At, ID: last.ID}, left-len(page)
		}
	}
}

// MaxEvents is the maximum number of events that Events returns.
const MaxEvents = 100

// Events returns the caller's security log, the latest event first, at most limit events,
// which is 1 to MaxEvents (ErrInvalidRequest). If before is not nil, it begins after that
// place. next is the place to continue from, or nil at the end; events recorded in the
// meantime do not shift later pages.
//
// Any session may read the newest ones, so that people without their passkey at hand see
// whether somebody else signed in. Reading further pages exports the whole history, and
// requires the same as ExportAccount (StepUpRequiredError).
func (s *Service) Events(
	ctx context.Context, c Caller, before *EventPlace, limit int,
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
	if err := s.tally.Flush(ctx, a.User.ID); err != nil {
		return nil, nil, err
	}
	events, err = s.store.Events(ctx, a.User.ID, before, limit+1)
	if err != nil || len(events) <= limit {
		return events, nil, err
	}
	last := events[limit-1]
	return events[:limit], &EventPlace{At: last.At, ID: last.ID}, nil
}
