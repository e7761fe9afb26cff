package stepkey

import (
	"time"

	"github.com/stepkey/stepkey/storage"
)

// A password that was set through a link in a mail proves access to the mailbox and nothing else.
// On an account without a usable passkey, the next step could be a first passkey and with it level
// full, so access to the mailbox alone would defeat the passkey. Therefore:
//
//   - a first passkey waits like one added through recovery (Config.RecoveryCoolOff), and the
//     owner is notified with a link that removes it;
//   - during the same time after the reset, the address cannot be changed, so that the notices
//     reach the owner, and the account cannot be deleted.
//
// Another password change ends neither, because the person who set the password knows it. A
// sign-in on a device known from before the reset does not either: its cookie may be on a shared
// computer, and after a second reset a device from after the first one would count as known. A
// verified passkey ends both. A new reset starts a new cool-off.

// restsOnMailbox reports whether the account is protected by its mailbox alone, and until when
// the restrictions apply.
func (s *Service) restsOnMailbox(a storage.Account, now time.Time) (until time.Time, rests bool) {
	if a.User.PasswordByMailAt == nil || len(usable(a.Passkeys, now)) > 0 {
		return time.Time{}, false
	}
	until = a.User.PasswordByMailAt.Add(s.coolOff)
	return until, now.Before(until)
}

// mayChangeAccount decides whether a session may change or remove the address or delete the
// account: by the rule of mayChangePasskeys, and not while the account rests on its mailbox.
func (s *Service) mayChangeAccount(a storage.Account, c Caller, now time.Time) error {
	if until, rests := s.restsOnMailbox(a, now); rests {
		return &ResetTooRecentError{Until: until}
	}
	return mayChangePasskeys(a, c, now)
}

// waitOf returns from when a passkey works that is added now for a reason, or nil if at once.
func (s *Service) waitOf(a storage.Account, reason enrolment, now time.Time) *time.Time {
	firstByMail := a.User.PasswordByMail && len(usable(a.Passkeys, now)) == 0
	if !firstByMail && reason != byRecovery && reason != byAllowance {
		return nil
	}
	from := now.Add(s.coolOff)
	return &from
}
