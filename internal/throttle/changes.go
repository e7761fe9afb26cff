package throttle

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/storage"
)

// Each change of an account is announced to its owner by mail, so each is limited: otherwise
// one account could fill the outbox for everybody. The limits are per user rather than per
// session, since anybody who can log in once can do so again.

// Change is a kind of change that has a limit of its own. With one limit for all kinds, a
// flood of one kind would keep the owner from another by which the owner defends the account.
type Change string

const (
	ChangePasskeys       Change = "passkeys" // added or removed
	ChangePassword       Change = "password"
	ChangeRecoveryCodes  Change = "recovery codes"
	ChangeAddressRequest Change = "address request"
	ChangeAddressRemoval Change = "address removal"
	ChangeRecoveryByMail Change = "recovery by mail"
	ChangeRecoveryCancel Change = "recovery cancellation"
)

// ChargeChange counts a change before it is made, or refuses it. Call it after the check that
// the session may make the change; otherwise a session that may not could use up the limit.
func (t *Throttle) ChargeChange(ctx context.Context, a storage.Account, change Change, now time.Time) error {
	return t.charge(ctx, now, t.changeCharge(a, change))
}

// changeCharge counts by level: somebody who has only the password must not be able to use up
// the changes that the owner makes with a passkey.
func (t *Throttle) changeCharge(a storage.Account, change Change) storage.Charge {
	rule := accountChange
	if change == ChangePasskeys {
		rule = passkeyChange
	}
	return t.one(rule, string(change)+" "+string(a.Session.Level())+" "+a.User.ID.String())
}

// ChargeReset counts an anonymous request for a new password, for a folded address or a name,
// or refuses it. No other mail shares its buckets, so a flood of requests stops nothing else.
func (t *Throttle) ChargeReset(ctx context.Context, c storage.Client, target string, now time.Time) error {
	return t.charge(ctx, now, t.one(resetTarget, target), t.one(resetClient, addressOf(c)))
}

// ChargeConfirmation counts a link that a user requests for an address, or refuses it.
func (t *Throttle) ChargeConfirmation(ctx context.Context, a storage.Account, c storage.Client, address string, now time.Time) error {
	address = storage.FoldAddress(address)
	return t.charge(ctx, now,
		t.changeCharge(a, ChangeAddressRequest),
		t.one(confirmAccount, a.User.ID.String()+" "+address),
		t.one(confirmAddress, address),
		t.one(confirmClient, addressOf(c)))
}

// ChargeRecoveryByMail counts a call that begins a recovery or requests its link, or refuses
// it. The tighter limit is also by the client's address: somebody elsewhere who knows the
// password must not easily keep the owner from recovering.
func (t *Throttle) ChargeRecoveryByMail(ctx context.Context, a storage.Account, c storage.Client, now time.Time) error {
	address := addressOf(c)
	return t.charge(ctx, now,
		t.changeCharge(a, ChangeRecoveryByMail),
		t.one(recoveryAccount, a.User.ID.String()+" "+address),
		t.one(recoveryClient, address))
}

// ChargeNotice counts a mail about an event that happens in any case, or refuses the mail.
func (t *Throttle) ChargeNotice(ctx context.Context, userID uuid.UUID, kind storage.MailKind, now time.Time) error {
	rule := notice
	if kind == mail.PasskeyFailed {
		rule = passkeyFailedNotice
	}
	return t.charge(ctx, now, t.one(rule, string(kind)+" "+userID.String()))
}
