package mail

import "github.com/stepkey/stepkey/storage"

// Kind is the subject matter of a mail.
type Kind = storage.MailKind

// The mails with a link that changes something.
const (
	ConfirmEmail   Kind = "confirm_email"
	ResetPassword  Kind = "reset_password"
	FinishRecovery Kind = "finish_recovery"
	Invitation     Kind = "invitation"
)

// The notices of events in an account.
const (
	PasskeyAdded          Kind = "passkey_added"
	PasskeyRemoved        Kind = "passkey_removed"
	PasskeyFailed         Kind = "passkey_failed"
	PasswordChanged       Kind = "password_changed"
	PasswordReset         Kind = "password_reset"
	EmailChanged          Kind = "email_changed"
	EmailRemoved          Kind = "email_removed"
	EmailRemovedByAdmin   Kind = "email_removed_by_admin"
	SessionReused         Kind = "session_reused"
	RecoveryStarted       Kind = "recovery_started"
	RecoveryReady         Kind = "recovery_ready"
	RecoveryByAdmin       Kind = "recovery_by_admin"
	RecoveryUsed          Kind = "recovery_used"
	RecoveryCancelled     Kind = "recovery_cancelled"
	RecoveryCodesReplaced Kind = "recovery_codes_replaced"
	AccountFrozen         Kind = "account_frozen"
	AccountDeleted        Kind = "account_deleted"
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{
		ConfirmEmail, ResetPassword, FinishRecovery, Invitation,
		PasskeyAdded, PasskeyRemoved, PasskeyFailed, PasswordChanged, PasswordReset, EmailChanged, EmailRemoved, EmailRemovedByAdmin,
		SessionReused, RecoveryStarted, RecoveryReady, RecoveryByAdmin, RecoveryUsed, RecoveryCancelled, RecoveryCodesReplaced, AccountFrozen, AccountDeleted,
	}
}
