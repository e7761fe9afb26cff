package stepkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// RealmConfig configures a [Realm]. Name, Store, Challenges, Limiter, Secret and Origins are
// required.
type RealmConfig struct {
	// Name is the application among those that share the store: 1 to 32 of a-z, 0-9, '-' and
	// '_'. Users are identified by it, so it must not change.
	Name string

	// The following are as in Config. A store belongs to one Secret and one RPID per realm.
	Store           Store
	Challenges      Challenges
	Limiter         Limiter
	Secret          string
	Origins         []string
	RPID, RPName    string
	DangerNoLimits  bool
	RecoveryCoolOff time.Duration
	Clock           func() time.Time
	Random          io.Reader
	Log             *slog.Logger

	// Notify, unless it is nil, is called at least once for each event of a user, after it
	// was committed, by any instance. While it returns an error it is called again, for up to
	// three days.
	Notify func(context.Context, RealmEvent) error
}

// RealmEvent is something that happened to a user of a [Realm].
type RealmEvent struct {
	ID      uuid.UUID // the same each time that Notify is called for it
	Kind    EventKind
	User    string // the application's key
	Passkey uuid.UUID
	Reason  string
	At      time.Time
}

// Realm holds the use-cases for users of an application that has a login of its own. The
// application authenticates its users and describes each request by a [Visit]; the Realm keeps
// and verifies their passkeys. It issues no tokens and stores no passwords. The rules are those of
// [Service]. A Realm is safe for concurrent use, and several, in one process or many, can share a
// store.
type Realm struct {
	service *Service
	name    string
	key     []byte // of the ids of sessions
}

// realmEventLifetime is how long Notify is tried.
const realmEventLifetime = 72 * time.Hour

var realmName = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// NewRealm makes a Realm. It returns an error for an unsafe config, which names the field and says
// what to do, and ErrOtherSecret or ErrOtherRPID if the realm was first used with another secret
// or RPID: its passkeys and sessions would be lost.
func NewRealm(ctx context.Context, config RealmConfig) (*Realm, error) {
	if !realmName.MatchString(config.Name) {
		return nil, errors.New("stepkey: RealmConfig.Name has to be 1 to 32 of a-z, 0-9, '-' and '_'")
	}
	c, err := Config{
		Store: config.Store, Challenges: config.Challenges, Limiter: config.Limiter, Secret: config.Secret,
		Origins: config.Origins, RPID: config.RPID, RPName: config.RPName, RecoveryCoolOff: config.RecoveryCoolOff,
		DangerNoLimits: config.DangerNoLimits,
		Clock:          config.Clock, Random: config.Random, Log: config.Log,
	}.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := assembleCore(c)
	if err != nil {
		return nil, err
	}
	s.realm = config.Name
	s.limitBy(c, nil)
	r := &Realm{service: s, name: config.Name, key: s.root.Derive("session of an application")}
	if err := r.tellApplication(c, config.Notify); err != nil {
		return nil, err
	}
	return r, r.pin(ctx, c.RPID)
}

// tellApplication makes the outbox, which holds the events for notify until it took them.
func (r *Realm) tellApplication(c Config, notify func(context.Context, RealmEvent) error) (err error) {
	s, task := r.service, outbox.Task("event of "+r.name)
	queue := outbox.Config{
		Store: s.store, Root: s.root, PublicURL: c.PublicURL, ServiceName: c.RPName, Random: c.Random, Now: s.now, Log: c.Log,
	}
	if notify != nil {
		queue.Calls = map[outbox.Task]outbox.Call{task: deliverTo(notify)}
		s.tell = func(ctx context.Context, tx storage.Tx, e Event) error { return r.queue(ctx, tx, task, e) }
	}
	s.outbox, err = outbox.New(queue)
	return err
}

// pin records the secret and the domain of the realm in the store, or refuses others.
func (r *Realm) pin(ctx context.Context, rpID string) error {
	s, suffix := r.service, " of realm "+r.name
	if err := pinSetting(ctx, s.store, settingFingerprint+suffix, s.root.Fingerprint(), ErrOtherSecret); err != nil {
		return err
	}
	return pinSetting(ctx, s.store, "rp_id"+suffix, rpID, ErrOtherRPID)
}

// ErrOtherRPID is returned by [NewRealm] for a realm that was set up with another RPID.
var ErrOtherRPID = errors.New("stepkey: the realm was set up with another RPID, and its passkeys work for no other: " +
	"set RPID to the domain that it was first used with, or choose another realm")

// Run calls Notify and deletes expired rows in the background until ctx ends.
func (r *Realm) Run(ctx context.Context) {
	s := r.service
	var wg sync.WaitGroup
	wg.Go(func() { s.outbox.Run(ctx, warnNowAndThen(s.log, "events not delivered; trying again")) })
	wg.Go(func() { s.tally.Run(ctx, warnNowAndThen(s.log, "failed attempts not counted; trying again")) })
	wg.Go(func() { s.sweep(ctx, warnNowAndThen(s.log, "expired rows not deleted; trying again")) })
	wg.Wait()
}

// Now is the time by which the realm decides.
func (r *Realm) Now() time.Time { return r.service.Now() }

// queue queues an event for the application in the transaction that records it.
func (r *Realm) queue(ctx context.Context, tx storage.Tx, task outbox.Task, e Event) error {
	u, err := tx.LockUser(ctx, e.UserID)
	if err != nil {
		return err
	}
	now := r.service.now()
	told := RealmEvent{Kind: e.Kind, User: u.ExternalKey, Passkey: e.PasskeyID, Reason: e.Reason, At: e.At}
	return r.service.outbox.QueueTask(ctx, tx, task, queuedEvent(told), now, now.Add(realmEventLifetime))
}

// queuedEventJSON is a RealmEvent as it is stored. User is in base64, since it may be any bytes.
type queuedEventJSON struct {
	Kind    EventKind `json:"kind"`
	User    []byte    `json:"user"`
	Passkey uuid.UUID `json:"passkey"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at"`
}

func queuedEvent(e RealmEvent) queuedEventJSON {
	return queuedEventJSON{Kind: e.Kind, User: []byte(e.User), Passkey: e.Passkey, Reason: e.Reason, At: e.At}
}

// deliverTo returns the task that passes a queued event to the application.
func deliverTo(notify func(context.Context, RealmEvent) error) outbox.Call {
	return func(ctx context.Context, id uuid.UUID, content []byte) error {
		e, err := readQueuedEvent(content)
		if err != nil {
			return err
		}
		e.ID = id
		return notify(ctx, e)
	}
}

func readQueuedEvent(content []byte) (RealmEvent, error) {
	var q queuedEventJSON
	if err := json.Unmarshal(content, &q); err != nil {
		return RealmEvent{}, fmt.Errorf("stepkey: queued event: %w", err)
	}
	return RealmEvent{Kind: q.Kind, User: string(q.User), Passkey: q.Passkey, Reason: q.Reason, At: q.At}, nil
}
