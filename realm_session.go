package stepkey

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/passkeyname"
	"github.com/stepkey/stepkey/storage"
)

const (
	// realmSessionLifetime is how long a session of an application is known after it was
	// entered. It is there for ceremonies, which take minutes.
	realmSessionLifetime = time.Hour

	// realmProofLifetime is how long a verified passkey is known.
	realmProofLifetime = 12 * time.Hour
)

// Visit is what an application says of a request: who is signed in, in which session, and since
// when. The application alone vouches for it; nothing in it may come from the client unchecked.
type Visit struct {
	// User is the application's key of the user, 1 to 255 bytes, compared byte by byte.
	User string

	// Name and DisplayName are shown by devices. They may change. Characters that cannot be
	// shown are left out, and more than 254 characters are cut.
	Name, DisplayName string

	// Session is the same value for all requests of one sign-in, and never used for another.
	// It is kept as a keyed hash only.
	Session string

	// SignedInAt is when the sign-in began, to the second. It tells sign-ins apart whose
	// Session is the same by mistake.
	SignedInAt time.Time

	// PasswordAt is when a password, or something better, was last verified in the session,
	// zero if it was not.
	PasswordAt time.Time

	// Client describes the device for lists and events.
	Client Client
}

// maxVisitName is how long an e-mail address can be, which many applications show as the name.
const maxVisitName = 254

// Standing holds which passkeys a user of a realm has, and the proof in one session. The zero
// Standing belongs to a user whom the realm does not know.
type Standing = storage.Standing

// ErrSessionOver is returned for a session of an application that has ended here: it signed out,
// or it was used for too many failed verifications. A new sign-in is needed.
var ErrSessionOver = errors.New("stepkey: the session is over")

func (r *Realm) userOf(key string) storage.ExternalUser {
	return storage.ExternalUser{Realm: r.name, Key: key}
}

// sessionID is the id of the row of a session: a keyed hash, so that a leaked store contains no
// session value that an application would accept. The realm and the user are part of it, so that
// a value that is shared by mistake carries no proof to somebody else.
func (r *Realm) sessionID(v Visit) uuid.UUID {
	mac := hmac.New(sha256.New, r.key)
	for _, part := range []string{r.name, v.User, v.Session} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(v.SignedInAt.Unix()))
	mac.Write(at[:])
	return uuid.UUID(mac.Sum(nil)[:16])
}

// Standing returns the user's standing in the session of v, in one query. Nothing is stored.
func (r *Realm) Standing(ctx context.Context, v Visit) (Standing, error) {
	s := r.service
	standing, err := s.store.Standing(ctx, r.userOf(v.User), r.sessionID(v), s.now())
	if errors.Is(err, ErrNotFound) {
		return Standing{}, nil
	}
	return standing, err
}

// Enter stores the user and the session of v, unless they are there, and returns the caller for
// the first half of a ceremony. A session that has ended here is ErrSessionOver.
func (r *Realm) Enter(ctx context.Context, v Visit) (Caller, error) {
	s, id := r.service, r.sessionID(v)
	u, session, err := r.entry(v)
	if err != nil {
		return Caller{}, err
	}
	var userID uuid.UUID
	err = s.store.InTx(ctx, func(tx storage.Tx) (err error) {
		userID, err = tx.EnterExternal(ctx, u, session)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return Caller{}, ErrSessionOver
	}
	return Caller{userID: userID, sessionID: id, realm: r.name}, err
}

// entry is the user and the session of v as they are stored the first time.
func (r *Realm) entry(v Visit) (User, Session, error) {
	s := r.service
	now := s.now()
	u, err := s.newUser(now)
	if err != nil {
		return User{}, Session{}, err
	}
	// User names hold no colon, so this name is nobody's.
	u.CanonicalName = ":" + u.ID.String()
	u.Realm, u.ExternalKey = r.name, v.User
	u.Username, u.DisplayName = passkeyname.Shown(v.Name, maxVisitName), passkeyname.Shown(v.DisplayName, maxVisitName)
	passwordAt := storedNow(func() time.Time { return v.PasswordAt })
	if v.PasswordAt.IsZero() {
		// The zero time stands for a sign-in with a passkey alone.
		passwordAt = time.Time{}.Add(time.Microsecond)
	}
	return u, Session{
		ID: r.sessionID(v), PasswordAt: passwordAt, LastSeenAt: now, ExpiresAt: now.Add(realmSessionLifetime),
		Client: Client{Device: v.Client.Device, Network: v.Client.Network},
	}, nil
}

// Caller returns the caller for a visit whose session was entered before. Otherwise it returns
// ErrUnauthorized.
func (r *Realm) Caller(ctx context.Context, v Visit) (Caller, error) {
	standing, err := r.Standing(ctx, v)
	if err != nil {
		return Caller{}, err
	}
	if standing.UserID == uuid.Nil {
		return Caller{}, ErrUnauthorized
	}
	return Caller{userID: standing.UserID, sessionID: r.sessionID(v), realm: r.name}, nil
}

// SignOut ends the session of v here, with its proof, for ever. An application whose sessions are
// cookies without a row of their own calls it when somebody signs out: the cookie still names the
// session.
func (r *Realm) SignOut(ctx context.Context, v Visit) error {
	c, err := r.Enter(ctx, v)
	if errors.Is(err, ErrSessionOver) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = r.service.end(ctx, storage.EndSessions{UserID: c.userID, Only: c.sessionID, Reason: storage.EndedByLogout})
	return err
}

// EndProofs ends all proofs of a user, and verifications under way. It runs in tx, or in a
// transaction of its own if tx is nil. An unknown user is no error.
func (r *Realm) EndProofs(ctx context.Context, tx storage.Tx, user string) error {
	return r.in(ctx, tx, func(tx storage.Tx) error { return tx.EndExternalProofs(ctx, r.userOf(user)) })
}

// Forget deletes everything about a user, in tx or in a transaction of its own. The same key is
// then a new user, for whom the passkeys of the old one do not work. An unknown user is no error.
func (r *Realm) Forget(ctx context.Context, tx storage.Tx, user string) error {
	return r.in(ctx, tx, func(tx storage.Tx) error { return tx.ForgetExternal(ctx, r.userOf(user)) })
}

func (r *Realm) in(ctx context.Context, tx storage.Tx, fn func(storage.Tx) error) error {
	if tx != nil {
		return fn(tx)
	}
	return r.service.store.InTx(ctx, fn)
}

// MaxAllowance is how long an allowance may last.
const MaxAllowance = 7 * 24 * time.Hour

// Allow lets a user who has lost all passkeys, and whom the application's support has recognised,
// add one passkey until then with a password that is at most FirstPasskeyWindow old. That passkey
// works after the recovery cool-off. The zero time takes an allowance back. An unknown user is
// ErrNotFound; a time that is over, or more than MaxAllowance ahead, is ErrInvalidRequest.
func (r *Realm) Allow(ctx context.Context, user string, until time.Time) error {
	now := r.service.now()
	var at *time.Time
	if !until.IsZero() {
		if !until.After(now) || until.After(now.Add(MaxAllowance)) {
			return ErrInvalidRequest
		}
		rounded := until.UTC().Truncate(time.Microsecond)
		at = &rounded
	}
	return r.service.store.InTx(ctx, func(tx storage.Tx) error {
		known, err := tx.AllowExternal(ctx, r.userOf(user), at)
		if err == nil && !known {
			return ErrNotFound
		}
		return err
	})
}

// DeclineOffer stores that the caller declined to add a first passkey.
func (r *Realm) DeclineOffer(ctx context.Context, c Caller) error {
	now := r.service.now()
	if err := r.service.check(c, now); err != nil {
		return err
	}
	return r.service.store.InTx(ctx, func(tx storage.Tx) error { return tx.DeclineExternalOffer(ctx, c.userID, now) })
}
