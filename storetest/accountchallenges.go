package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// AccountStore keeps accounts and challenges.
type AccountStore interface {
	storage.Store
	storage.AccountChallenges
}

// TestAccountChallenges checks a store that is a storage.AccountChallenges, in addition to
// TestStore and TestChallenges. open returns an empty one and the time by which it decides about
// challenges.
func TestAccountChallenges(t *testing.T, open func(t *testing.T) (AccountStore, Time)) {
	TestChallenges(t, func(t *testing.T) (storage.Challenges, Time) {
		s, clock := open(t)
		return signedInByPut{s, &sync.Mutex{}}, clock
	})
	t.Run("returns the account", func(t *testing.T) {
		s, _ := open(t)
		takenWithAccount(t, s)
	})
	t.Run("leaves the challenge of a session that is not live", func(t *testing.T) {
		s, _ := open(t)
		notTakenWithoutAccount(t, s)
	})
}

// signedInByPut adds the user and the session of each challenge that it keeps, and takes it by
// TakeWithAccount.
type signedInByPut struct {
	AccountStore
	signIn *sync.Mutex
}

func (c signedInByPut) Put(ctx context.Context, key storage.ChallengeKey, state []byte, ttl time.Duration) error {
	if err := c.addAccount(ctx, key); err != nil {
		return err
	}
	return c.AccountStore.Put(ctx, key, state, ttl)
}

func (c signedInByPut) addAccount(ctx context.Context, key storage.ChallengeKey) error {
	c.signIn.Lock()
	defer c.signIn.Unlock()
	if _, err := c.Account(ctx, key.UserID, key.SessionID, epoch); !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	return c.InTx(ctx, func(tx storage.Tx) error {
		u, err := tx.LockUser(ctx, key.UserID)
		if errors.Is(err, storage.ErrNotFound) {
			u = newUser(key.UserID.String())
			u.ID = key.UserID
			err = tx.CreateUser(ctx, u)
		}
		if err != nil {
			return err
		}
		session := newSession(u)
		session.ID = key.SessionID
		return tx.CreateSession(ctx, session)
	})
}

func (c signedInByPut) Take(ctx context.Context, key storage.ChallengeKey) ([]byte, error) {
	a, state, err := c.TakeWithAccount(ctx, key, epoch)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, storage.ErrChallengeExpired
	}
	if a.Session.ID != key.SessionID {
		return nil, errors.New("TakeWithAccount returned no account")
	}
	return state, err
}

func takenWithAccount(t *testing.T, s AccountStore) {
	a := signedIn(t, s, "mira", 2)
	key := newKey()
	key.UserID, key.SessionID = a.User.ID, a.Session.ID
	put(t, s, key, "state")
	for _, want := range []error{nil, storage.ErrChallengeExpired} {
		got, state, err := s.TakeWithAccount(t.Context(), key, epoch)
		if !errors.Is(err, want) || (want == nil) != (string(state) == "state") {
			t.Errorf("TakeWithAccount = %q, %v; want %v", state, err, want)
		}
		if diff := cmp.Diff(a, got, sameAddr()); diff != "" {
			t.Errorf("TakeWithAccount with error %v (-want +got):\n%s", want, diff)
		}
	}
}

func notTakenWithoutAccount(t *testing.T, s AccountStore) {
	a := signedIn(t, s, "mira", 1)
	key := newKey()
	key.UserID, key.SessionID = a.User.ID, a.Session.ID
	nobodys := newKey()
	nobodys.SessionID = a.Session.ID
	put(t, s, key, "state")
	put(t, s, nobodys, "state")
	for _, test := range []struct {
		what string
		key  storage.ChallengeKey
		now  time.Time
	}{
		{"expired session", key, a.Session.ExpiresAt},
		{"somebody else's session", nobodys, epoch},
	} {
		got, _, err := s.TakeWithAccount(t.Context(), test.key, test.now)
		if !errors.Is(err, storage.ErrNotFound) || got.User.ID != uuid.Nil {
			t.Errorf("%s: user %s, %v; want ErrNotFound", test.what, got.User.ID, err)
		}
		wantTaken(t, s, test.key, "state")
	}
}
