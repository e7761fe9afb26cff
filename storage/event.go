package storage

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
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
	EventAttributesChanged     EventKind = "user.attributes_changed"
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

	// The kinds that count attempts; see EventStore.CountAttempts.
	EventPasswordRefused     EventKind = "password.refused"
	EventRecoveryCodeRefused EventKind = "recovery.code_refused"
)

// MaxKeptEvents is how many events of a user are kept, the latest ones. A store may keep a few
// hundred more.
const MaxKeptEvents = 10_000

// MaxCountedNetworks is how many entries of one kind count a user's attempts of one day, each those
// from one network. Attempts from further networks are counted in one more entry, without a network,
// so that somebody with many addresses cannot fill the log.
const MaxCountedNetworks = 10

// Event is an entry in a user's security log. It holds no secret and nothing that a client typed but
// the name of a passkey.
type Event struct {
	ID        uuid.UUID
	Kind      EventKind
	At        time.Time
	UserID    uuid.UUID
	SessionID uuid.UUID // zero if no session is concerned
	PasskeyID uuid.UUID // zero if no passkey is concerned
	Reason    string    // a word of ours, such as "signature"

	// Device and Network are those of the request, as in a Client. They are empty if there was no
	// request, as for what an operator did, and in entries that older versions made.
	Device, Network string

	// PasskeyName is the name of the passkey at that time. It stays after the passkey is renamed or
	// deleted.
	PasskeyName string

	// Times is how many attempts the entry counts, since the one at Since; At is the latest one.
	// Both are zero in an entry that stands for itself.
	Times int64
	Since time.Time
}

// NewEventID returns an id for an event at a time. It begins with that time in milliseconds, and the rest is
// random (RFC 9562 version 7), so that new ids are neighbours in the index (decision 22). The time tells
// nothing, since it is beside the id in every event.
func NewEventID(random io.Reader, at time.Time) (uuid.UUID, error) {
	id, err := uuid.NewRandomFromReader(random)
	if err != nil {
		return uuid.Nil, fmt.Errorf("storage: draw the id of an event: %w", err)
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	return id, nil
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

	// EventByID returns an event of the user's, or ErrNotFound.
	EventByID(ctx context.Context, userID, id uuid.UUID) (Event, error)

	// CountAttempts adds e.Times to the entry that counts the user's attempts of that kind, session,
	// network and day in UTC, and makes it if there is none. The entry moves on to e.At and takes
	// e.Device; a Reason that it has is kept where e has none. ID and Since of e are ignored.
	// MaxCountedNetworks bounds the entries. It does nothing for a user who does not exist or is
	// deleted.
	CountAttempts(ctx context.Context, e Event) error
}

// EventTx is the part of a [Tx] about events.
type EventTx interface {
	// RecordEvent adds e.
	RecordEvent(ctx context.Context, e Event) error

	// RecordEvents adds all of events, in as few statements as possible.
	RecordEvents(ctx context.Context, events []Event) error
}
