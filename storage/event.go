package storage

import (
	"context"
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

// MaxKeptEvents is how many events of a user are kept, the latest ones. A store may keep a few
// hundred more.
const MaxKeptEvents = 10_000

// Event is an entry in a user's security log. It holds no secret and nothing that a client
// typed.
type Event struct {
	ID        uuid.UUID
	Kind      EventKind
	At        time.Time
	UserID    uuid.UUID
	SessionID uuid.UUID // zero if no session is concerned
	PasskeyID uuid.UUID // zero if no passkey is concerned
	Reason    string    // a word of ours, such as "signature"
}

// EventPlace is a place in a user's security log: a time, and the id that orders events of the
// same time.
type EventPlace struct {
	At time.Time
	ID uuid.UUID
}

// EventStore is the part of a [Store] about events.
type EventStore interface {
	// Events returns at most limit of the user's events, the latest first, and of one time in
	// the order of their ids. With before, the list begins after that place, whether or not an
	// event is there.
	Events(ctx context.Context, userID uuid.UUID, before *EventPlace, limit int) ([]Event, error)
}

// EventTx is the part of a [Tx] about events.
type EventTx interface {
	// RecordEvent adds e.
	RecordEvent(ctx context.Context, e Event) error

	// RecordEvents adds all of events, in as few statements as possible.
	RecordEvents(ctx context.Context, events []Event) error
}
