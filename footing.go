package stepkey

import (
	"time"

	"github.com/stepkey/stepkey/storage"
)

// A password that was set by a link in a mail proves the mailbox and nothing else. On an
// account without a passkey that works, it could go from there to level full at once, by way
// of a first passkey, and the mailbox alone would open what a passkey is meant to protect. So:
//
//   - a first passkey waits as one gained by recovery does (Config.RecoveryCoolOff), and the
//     owner is told with a link that takes it away again;
//   - for as long after the reset, the address stays as it is, so that the notices and that
//     link reach the owner, and the account is not deleted.
//
// Changing the password again ends neither: whoever set it knows it. Nor does a sign-in on a
// device from before the reset: the cookie may be on a shared computer, and a second reset
// would turn one from after the first into such a one. A verified passkey ends both. A new
// reset begins a new cool-off.

// restsOnMailbox reports whether the account stands on its mailbox alone, and until when.
func (s *Service) restsOnMailbox(a storage.Account, now time.Time) (until time.Time, rests bool) {
	if a.User.PasswordByMailAt == nil || len(usable(a.Passkeys, now)) > 0 {
		return time.Time{}, false
	}
	until = a.User.PasswordByMailAt.Add(s.coolOff)
	return until, now.Before(until)
}

// mayChangeAccount is mayChangePasskeys for changing or removing the address and for deleting
// the account, which an account that rests on its mailbox has to wait for.
func (s *Service) mayChangeAccount(a storage.Account, c Caller, now time.Time) error {
	if until, rests := s.restsOnMailbox(a, now); rests {
		return &ResetTooRecentError{Until: until}
	}
	return mayChangePasskeys(a, c, now)
}

// waitOf is from when a passkey works that is added now for that reason, or nil for at once.
func (s *Service) waitOf(a storage.Account, reason enrolment, now time.Time) *time.Time {
	firstByMail := a.User.PasswordByMail && len(usable(a.Passkeys, now)) == 0
	if !firstByMail && reason != byRecovery && reason != byAllowance {
		return nil
	}
	from := now.Add(s.coolOff)
	return &from
}
