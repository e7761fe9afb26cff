package stepkey

import (
	"errors"
	"fmt"
	"time"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/internal/tokens"
	"github.com/stepkey/stepkey/storage"
)

// The kinds of refusals. A refused call changes nothing unless the comment says
// otherwise.
var (
	// ErrInvalidRequest is for input of the wrong shape.
	ErrInvalidRequest = errors.New("stepkey: invalid request")

	// ErrUnauthorized is for a session that is not valid: ended, expired, its user
	// disabled, or the password changed since.
	ErrUnauthorized = errors.New("stepkey: unauthorized")

	// ErrInvalidCredentials is for an unknown user, a wrong password or a disabled
	// user, without saying which.
	ErrInvalidCredentials = errors.New("stepkey: invalid credentials")

	// ErrWrongPassword is for a wrong current password of a signed-in user.
	ErrWrongPassword = errors.New("stepkey: wrong password")

	// ErrVerificationFailed is for every passkey response that fails verification:
	// bad signature, unknown passkey, another user's passkey. The challenge is
	// used up. The reason is recorded as an event.
	ErrVerificationFailed = errors.New("stepkey: passkey verification failed")

	// ErrPasskeyUnknown wraps ErrVerificationFailed. It is for a sign-in with a passkey
	// alone whose passkey no user has (any more).
	ErrPasskeyUnknown = fmt.Errorf("%w: nobody has it", ErrVerificationFailed)

	// ErrReauthenticationRequired is for a call that needs a fresh proof when the
	// user has no passkeys and verified the password too long ago. The user has to
	// sign in again.
	ErrReauthenticationRequired = errors.New("stepkey: the password proof is too old")

	// ErrNoPasskeys is for a step-up by a user who has no passkey.
	ErrNoPasskeys = errors.New("stepkey: no passkeys registered")

	// ErrTooManyPasskeys is for a user who has MaxPasskeys already.
	ErrTooManyPasskeys = errors.New("stepkey: too many passkeys")

	// ErrLastPasskey is for deleting a user's last passkey without explicit
	// confirmation.
	ErrLastPasskey = errors.New("stepkey: it is the last passkey")

	// ErrPasskeyLogInOff is returned if Config.NoPasskeyLogIn is set.
	ErrPasskeyLogInOff = errors.New("stepkey: signing in with a passkey alone is off")

	// ErrLanguageUnknown is returned for an invitation in a language that the service does not have.
	ErrLanguageUnknown = errors.New("stepkey: there are no messages in that language")

	// ErrSignUpClosed is returned for a sign-up, and for an invitation, if Config.SignUp is
	// SignUpClosed.
	ErrSignUpClosed = errors.New("stepkey: sign-up is closed")

	// ErrInvitationRequired is for a sign-up without an invitation where Config.SignUp is
	// SignUpInvite.
	ErrInvitationRequired = errors.New("stepkey: an invitation is required")

	// ErrInvitationInvalid is for an invitation that is unknown, used, revoked or too old.
	ErrInvitationInvalid = errors.New("stepkey: invalid invitation")

	// ErrAddressUnconfirmed is for a sign-in with the right password, or a valid passkey, by a user who
	// has not confirmed the address given at sign-up. See Config.RequireConfirmedAddress.
	ErrAddressUnconfirmed = errors.New("stepkey: the e-mail address is not confirmed yet")

	// ErrConfirmationOff is returned by ResendConfirmation unless Config.RequireConfirmedAddress is set.
	ErrConfirmationOff = errors.New("stepkey: signing in requires no confirmed address")

	// ErrUsernameInvalid is for a name that CanonicalUsername rejects.
	ErrUsernameInvalid = errors.New("stepkey: invalid username")

	// ErrEmailInvalid is for an address that is not one of the plain form
	// local@domain in ASCII; see Mail.To.
	ErrEmailInvalid = errors.New("stepkey: invalid e-mail address")

	// ErrLinkExpired is for a link from a mail that is unknown, used, replaced by a newer
	// one, too old, or for another purpose.
	ErrLinkExpired = errors.New("stepkey: link expired")

	// ErrWrongRecoveryCode is for a recovery code that the user does not have (any
	// more).
	ErrWrongRecoveryCode = errors.New("stepkey: wrong recovery code")

	// ErrPasswordByMail is for a recovery by mailbox and password if the password was
	// itself set by a link to the mailbox.
	ErrPasswordByMail = errors.New("stepkey: the password was set by mail")

	// ErrNoAddress is for a user without a confirmed e-mail address.
	ErrNoAddress = errors.New("stepkey: no confirmed e-mail address")

	// ErrEmailOff is returned by calls that need a Mailer if there is none.
	ErrEmailOff = errors.New("stepkey: no e-mail is sent")
)

// The errors that come from the store.
var (
	// ErrNotFound is returned for something that does not exist or belongs to
	// another user.
	ErrNotFound = storage.ErrNotFound

	// ErrUnavailable is returned when the store, the challenges or the limiter cannot be
	// reached or do not answer in time. Nothing may be concluded from it: fail closed.
	ErrUnavailable = storage.ErrUnavailable

	// ErrUsernameTaken is returned for a name that another user has.
	ErrUsernameTaken = storage.ErrUsernameTaken

	// ErrPasskeyExists is returned for a passkey that is registered already, to this user or
	// another one.
	ErrPasskeyExists = storage.ErrPasskeyExists

	// ErrChallengeExpired is returned for a challenge that is unknown, used, expired, or made
	// for another user, session or ceremony.
	ErrChallengeExpired = storage.ErrChallengeExpired
)

// ErrEndedUnknown is returned if the store has not been read recently enough to say
// which sessions have ended. A guard then answers 503.
var ErrEndedUnknown = tokens.ErrEndedUnknown

// ErrNoKeys is returned by [Admin.Keys], [Admin.RotateKey] and [Admin.RevokeKey]
// if tokens are signed with a shared secret.
var ErrNoKeys = errors.New("stepkey: tokens are signed with Config.SharedSecret; there are no keys to manage")

// The refusals of a new password.
var (
	ErrPasswordTooShort         = password.ErrTooShort
	ErrPasswordTooLong          = password.ErrTooLong
	ErrPasswordCommon           = password.ErrCommon
	ErrPasswordContainsUsername = password.ErrContainsUsername

	// ErrPasswordBreached is for one that Config.Breaches knows.
	ErrPasswordBreached = password.ErrBreached
)

// StepUpRequiredError asks for a passkey verification in this session.
type StepUpRequiredError struct {
	// MaxAge is how long ago it may have been; zero if any age would do.
	MaxAge time.Duration
}

// Error implements error.
func (e *StepUpRequiredError) Error() string {
	return fmt.Sprintf("stepkey: passkey verification required, at most %s ago", e.MaxAge)
}

// PasskeyWaitsError is for a user whose passkeys were all added through recovery and do
// not work yet. Until is when the first of them works.
type PasskeyWaitsError struct{ Until time.Time }

// Error implements error.
func (e *PasskeyWaitsError) Error() string {
	return fmt.Sprintf("stepkey: the passkey works from %s", e.Until.Format(time.RFC3339))
}

// ResetTooRecentError says that the password was reset by mail too recently, and when
// the call becomes possible.
type ResetTooRecentError struct{ Until time.Time }

// Error implements error.
func (e *ResetTooRecentError) Error() string {
	return fmt.Sprintf("stepkey: the password was reset by mail; possible from %s", e.Until.Format(time.RFC3339))
}

// RateLimitedError is for a client that has made too many attempts.
type RateLimitedError struct {
	RetryAfter time.Duration // how long the client has to wait
}

// Error implements error.
func (e *RateLimitedError) Error() string {
	return fmt.Sprintf("stepkey: too many attempts, wait %s", e.RetryAfter)
}

// OverloadedError says that the service has more password hashes to compute than it can in
// good time. Its one field, RetryAfter, is when to come back: a whole number of seconds, 1 to 5,
// so that a burst does not come back as a burst.
type OverloadedError = password.OverloadedError

// unauthorizedIfMissing turns ErrNotFound into ErrUnauthorized, for a session that is no longer
// live.
func unauthorizedIfMissing(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrUnauthorized
	}
	return err
}

// expiredIfMissing turns ErrNotFound into ErrLinkExpired, for a missing link.
func expiredIfMissing(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrLinkExpired
	}
	return err
}
