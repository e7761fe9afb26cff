package stepup

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
)

// PasskeyInfo describes a passkey.
type PasskeyInfo struct {
	ID, Name, Provider    string    // Provider is empty if it is not known
	CreatedAt, LastUsedAt time.Time // LastUsedAt is zero before the first use
	UsableFrom            time.Time // zero unless the passkey has to wait, or had to
	Synced                bool      // whether its provider copies it to other devices
}

// Passkeys returns the passkeys of a user, the oldest first, none for an unknown user.
func (k *Kit) Passkeys(ctx context.Context, user string) ([]PasskeyInfo, error) {
	passkeys, err := k.realm.Passkeys(ctx, user)
	var list []PasskeyInfo
	for _, p := range passkeys {
		list = append(list, PasskeyInfo(rowOf(p)))
	}
	return list, err
}

func isSynced(p stepkey.Passkey) bool {
	_, backedUp, _ := p.Credential.Backup()
	return backedUp
}

// Event is something that happened to a user's passkeys.
type Event struct {
	ID      string // the same each time that Config.Notify is called for it
	Kind    string // as docs/maintenance.md lists them, such as "passkey.registered"
	User    string // the application's key
	Passkey string // its id, empty if the event is of none
	Purpose string // of a verification
	Reason  string // of a refusal or recovery
	At      time.Time
}

func eventOf(e stepkey.RealmEvent) Event {
	event := Event{ID: e.ID.String(), Kind: string(e.Kind), User: e.User, Reason: e.Reason, At: e.At}
	if e.Passkey != uuid.Nil {
		event.Passkey = e.Passkey.String()
	}
	if e.Kind == storage.EventSteppedUp || e.Kind == storage.EventActionConfirmed {
		event.Purpose, event.Reason = e.Reason, ""
	}
	return event
}
