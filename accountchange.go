package stepkey

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/clientip"
	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/storage"
)

// Each change of an account is told to its owner, so each is limited: otherwise one
// account could fill the outbox for everybody. The budgets are those of the user and not
// of a session, since anybody who can sign in once can do so again.

// accountChange is a kind of change that has a budget of its own. With one budget for
// all, a flood of one kind would keep the owner from another by which the owner defends
// the account.
type accountChange string

const (
	changePasskeys       accountChange = "passkeys" // added or removed
	changePassword       accountChange = "password"
	changeRecoveryCodes  accountChange = "recovery codes"
	changeAddressRequest accountChange = "address request"
	changeAddressRemoval accountChange = "address removal"
	changeRecoveryByMail accountChange = "recovery by mail"
	changeRecoveryCancel accountChange = "recovery cancellation"
)

// passkeyChangeLimit is 60 in any hour. At once it is enough to add all the passkeys
// that an account may have and to remove them again.
func passkeyChangeLimit() storage.Limit { return storage.Limit{Burst: 45, Every: 4 * time.Minute} }

// accountChangeLimit is 10 in any hour.
func accountChangeLimit() storage.Limit { return storage.Limit{Burst: 7, Every: 16 * time.Minute} }

// noticeLimit is 10 in any hour, for what happens whether or not there is a mail about
// it, such as the end of a session whose refresh token was copied.
func noticeLimit() storage.Limit { return storage.Limit{Burst: 7, Every: 16 * time.Minute} }

// A mailbox is sent up to 3 links for one account in any hour, and up to 30 for all.
// The second number bounds what many accounts can do to the mailbox of a stranger. It is
// not smaller because they could use it up before the owner confirms the address.
func confirmationLimit() storage.Limit       { return storage.Limit{Burst: 3, Every: 61 * time.Minute} }
func confirmationsToAllLimit() storage.Limit { return storage.Limit{Burst: 20, Every: 6 * time.Minute} }

// changeCharge counts by level: somebody who has only the password must not be able to
// use up what the owner does with a passkey.
func (l *limits) changeCharge(a storage.Account, change accountChange) storage.Charge {
	limit := accountChangeLimit()
	if change == changePasskeys {
		limit = passkeyChangeLimit()
	}
	whose := string(change) + " " + string(a.Session.Level()) + " " + a.User.ID.String()
	return l.one("change", whose, limit)
}

// chargeChange counts a change before it is made. Call it after the check that the
// session may make the change, or a session that may not could use up the budget.
func (l *limits) chargeChange(ctx context.Context, a storage.Account, change accountChange, now time.Time) error {
	return l.charge(ctx, now, l.changeCharge(a, change))
}

// chargeReset counts an anonymous request for a new password, for a folded address or a
// name. No other mail shares its buckets, so that a flood of them stops nothing else.
func (l *limits) chargeReset(ctx context.Context, c Client, whose string, now time.Time) error {
	return l.charge(ctx, now,
		l.one("mail-to", whose, mailAddressLimit()),
		l.one("mail-client", clientip.Address(c.IP).String(), mailClientLimit()))
}

// chargeConfirmation counts a link to an address that a user asks for.
func (l *limits) chargeConfirmation(ctx context.Context, a storage.Account, c Client, address string, now time.Time) error {
	address = storage.FoldAddress(address)
	return l.charge(ctx, now,
		l.changeCharge(a, changeAddressRequest),
		l.one("confirm-account", a.User.ID.String()+" "+address, confirmationLimit()),
		l.one("confirm-address", address, confirmationsToAllLimit()),
		l.one("confirm-client", clientip.Address(c.IP).String(), mailClientLimit()))
}

// chargeRecoveryByMail counts a call that begins a recovery or asks for its link. The
// tighter budget is also by the client's address: somebody elsewhere who knows the
// password must not easily keep the owner from it.
func (l *limits) chargeRecoveryByMail(ctx context.Context, a storage.Account, c Client, now time.Time) error {
	client := clientip.Address(c.IP).String()
	return l.charge(ctx, now,
		l.changeCharge(a, changeRecoveryByMail),
		l.one("recovery-account", a.User.ID.String()+" "+client, mailAddressLimit()),
		l.one("recovery-client", client, mailClientLimit()))
}

// mayNotify reports whether a user is told of an event that happens in any case. When it
// does not, nothing but the mail is missing: the event is recorded. An unknown count is
// no reason to keep something from the owner.
func (s *Service) mayNotify(ctx context.Context, userID uuid.UUID, kind mail.Kind, now time.Time) bool {
	if s.mailer == nil {
		return false
	}
	err := s.limits.chargeNotice(ctx, userID, kind, now)
	var limited *RateLimitedError
	return !errors.As(err, &limited)
}

func (l *limits) chargeNotice(ctx context.Context, userID uuid.UUID, kind mail.Kind, now time.Time) error {
	limit := noticeLimit()
	if kind == mail.PasskeyFailed {
		limit = passkeyFailedNoticeLimit()
	}
	return l.charge(ctx, now, l.one("notice", string(kind)+" "+userID.String(), limit))
}
