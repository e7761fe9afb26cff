package stepkey

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// ChangeGroups adds a user to the groups in add and removes the user from those in remove, which
// is done last, and reports whether that changed anything. It returns ErrNotFound if there is no
// such user, and ErrInvalidRequest, with the rule, for groups outside the rules of
// [token.NewGroups].
//
// A change takes effect within seconds: tokens made before it are refused, at guards that follow
// the list of ended sessions too, and clients refresh them. A session without a refresh token
// signs in again.
func (a *Admin) ChangeGroups(ctx context.Context, userID uuid.UUID, add, remove []string) (bool, error) {
	return a.changeAttributes(ctx, userID, func(now *storage.Attributes) (err error) {
		// Rules hold for names to be removed as well, so that a misspelt one is not taken for done.
		if _, err = token.NewGroups(remove); err != nil {
			return err
		}
		kept := slices.DeleteFunc(append(now.Groups.Names(), add...), func(g string) bool { return slices.Contains(remove, g) })
		now.Groups, err = token.NewGroups(kept)
		return err
	})
}

// ChangeClaims sets own claims of a user; an empty value removes one. It reports whether that
// changed anything. The names must be in Config.OwnClaims, except those to remove. The errors,
// and when a change takes effect, are those of ChangeGroups; the rules are those of
// [token.NewOwnClaims].
func (a *Admin) ChangeClaims(ctx context.Context, userID uuid.UUID, claims map[string]string) (bool, error) {
	return a.changeAttributes(ctx, userID, func(now *storage.Attributes) (err error) {
		all := now.Claims.Map()
		if all == nil {
			all = make(map[string]string)
		}
		for name, value := range claims {
			if value != "" && !slices.Contains(a.service.ownClaims, name) {
				return fmt.Errorf("the claims that users can have are %q", a.service.ownClaims)
			}
			all[name] = value
		}
		maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
		now.Claims, err = token.NewOwnClaims(all)
		return err
	})
}

func (a *Admin) changeAttributes(ctx context.Context, userID uuid.UUID, change func(*storage.Attributes) error) (changed bool, err error) {
	s := a.service
	err = s.inTxEnding(ctx, func(tx storage.Tx) ([]uuid.UUID, error) {
		u, err := tx.LockUser(ctx, userID)
		if err != nil {
			return nil, err
		}
		if u.DeletedAt != nil || u.Realm != s.realm {
			return nil, ErrNotFound
		}
		before, now := u.Attributes, s.now()
		if err := change(&u.Attributes); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidRequest, err)
		}
		changed, err = tx.SetAttributes(ctx, userID, u.Attributes, now)
		if err != nil || !changed {
			return nil, err
		}
		// The lists of ended sessions carry the mark to every instance and guard.
		return []uuid.UUID{before.Mark(userID)}, s.record(ctx, tx, Event{Kind: storage.EventAttributesChanged, UserID: userID}, now)
	})
	return changed, err
}

// Assertion returns a signed statement that tells the application at origin that a request comes
// from u in session; both must have been read from the store within the last minute. It may be sent for
// [token.AssertionLifetime], but a new one is needed once the session or the groups change. It
// returns [token.ErrSymmetricKey] if the service signs with a shared secret.
func (s *Service) Assertion(u User, session Session, origin string) (string, error) {
	return s.mint.Assertion(u, session, origin, s.now())
}
