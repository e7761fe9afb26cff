package stepkey

import (
	"context"

	"github.com/stepkey/stepkey/token"
)

// MaxExportedEvents is how many events AccountData holds, the newest ones.
const MaxExportedEvents = MaxKeptEvents

// AccountData is what is known of a user, apart from secrets: the hash of the password,
// which is not there, and the public keys of passkeys, which say nothing to people.
type AccountData struct {
	User     User
	Email    EmailState // empty where no e-mail is sent
	Passkeys []Passkey
	Sessions []Session
	Events   []Event

	RefusedCeremonies []RefusedCeremony
}

// AccountData returns what is known of the caller (GDPR Article 15 and 20). On an account
// with a passkey that works it takes a passkey verification not older than FullWindow
// (StepUpRequiredError): one call copies everything.
func (s *Service) AccountData(ctx context.Context, c token.Claims) (AccountData, error) {
	now := s.now()
	a, err := s.owner(ctx, c)
	if err != nil {
		return AccountData{}, err
	}
	if err := s.limits.chargeExport(ctx, a.Session.ID, now); err != nil {
		return AccountData{}, err
	}
	sessions, err := s.store.Sessions(ctx, a.User.ID, now, now.Add(-SessionLifetime), nil, MaxListedSessions)
	if err != nil {
		return AccountData{}, err
	}
	events, err := s.store.Events(ctx, a.User.ID, nil, MaxExportedEvents)
	if err != nil {
		return AccountData{}, err
	}
	refused, err := s.store.RefusedCeremonies(ctx, a.User.ID)
	if err != nil {
		return AccountData{}, err
	}
	var email EmailState
	if s.mailer != nil {
		if email, err = s.store.Email(ctx, a.User.ID, now); err != nil {
			return AccountData{}, err
		}
	}
	a.User.PasswordHash = ""
	return AccountData{
		User: a.User, Email: email, Passkeys: a.Passkeys, Sessions: sessions, Events: events, RefusedCeremonies: refused,
	}, nil
}
