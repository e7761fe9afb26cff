package storage

import (
	"time"

	"github.com/google/uuid"
)

// EventKind names what happened.
type EventKind string

// The kinds of events.
const (
	EventSignedUp              EventKind = "user.signed_up"
	EventSignedIn              EventKind = "session.started"
	EventPasskeyAdded          EventKind = "passkey.registered"
	EventPasskeyRenamed        EventKind = "passkey.renamed"
	EventPasskeyRemoved        EventKind = "passkey.removed"
	EventPasskeyRefused        EventKind = "passkey.refused"
	EventCounterRegression     EventKind = "passkey.counter_regression"
	EventBackupChanged         EventKind = "passkey.backup_changed"
	EventSteppedUp             EventKind = "session.stepped_up"
	EventActionConfirmed       EventKind = "action.confirmed"
	EventSessionEnded          EventKind = "session.ended"
	EventRefreshReused         EventKind = "session.refresh_reused"
	EventPasswordChanged       EventKind = "user.password_changed"
	EventUserDeleted           EventKind = "user.deleted"
	EventUserDisabled          EventKind = "user.disabled"
	EventUserEnabled           EventKind = "user.enabled"
	EventUserUnlocked          EventKind = "user.unlocked"
	EventUserImported          EventKind = "user.imported"
	EventEmailConfirmed        EventKind = "email.confirmed"
	EventEmailRemoved          EventKind = "email.removed"
	EventResetRequested        EventKind = "password.reset_requested"
	EventPasswordReset         EventKind = "password.reset"
	EventAccountFrozen         EventKind = "account.frozen"
	EventRecoveryCodesReplaced EventKind = "recovery.codes_replaced"
	EventRecoveryStarted       EventKind = "recovery.started"
	EventRecoveryUsed          EventKind = "recovery.used"
	EventRecoveryCancelled     EventKind = "recovery.cancelled"
	EventMailUndelivered       EventKind = "mail.undelivered"
)

// Event is an entry in the record of what concerns somebody's security. It holds
// no secret and nothing that a client typed.
type Event struct {
	ID        uuid.UUID
	Kind      EventKind
	At        time.Time
	UserID    uuid.UUID
	SessionID uuid.UUID // zero where no session is concerned
	PasskeyID uuid.UUID // zero where no passkey is concerned
	Reason    string    // one of the project's own words, such as "signature"
}

// EventPlace is the place of an event in the record of a user: the id decides between
// those of one time.
type EventPlace struct {
	At time.Time
	ID uuid.UUID
}

// MaxKeptEvents is how many events of a user are kept, the newest ones. A store may keep a
// few hundred more.
const MaxKeptEvents = 10_000
