package password

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// Hashes stores the users' hashes. A storage.Store implements it.
type Hashes interface {
	NextOldHash(ctx context.Context, from string) (string, error)
	ReplacePasswordHash(ctx context.Context, id uuid.UUID, old, replacement string) (bool, error)
}

// KeeperConfig holds the parts of a [Keeper]. Hashes, Random and Log are required.
type KeeperConfig struct {
	Hashes Hashes
	Random io.Reader // of salts; safe for concurrent use
	Log    *slog.Logger

	// Policy decides which new passwords are accepted.
	Policy Policy

	// Breaches checks every new password. Nil means no check.
	Breaches Breaches

	// Slots and MaxWait are those of the [Gate]. Zero means DefaultSlots and
	// DefaultMaxWait.
	Slots   int
	MaxWait time.Duration

	// Params is the cost of a new hash. Zero means DefaultParams.
	Params Params

	// LookEvery is how often [Keeper.FollowOldHashes] polls. Zero means 15 seconds.
	LookEvery time.Duration
}

// Keeper sets and compares the passwords of users. It owns the [Gate] for all hashing, and
// keeps the timing of failed logins from revealing which names exist. It is safe for concurrent
// use, apart from LookForOldHashes and FollowOldHashes.
type Keeper struct {
	hasher   *Hasher
	gate     *Gate
	policy   Policy
	breaches Breaches // nil for none
	hashes   Hashes
	log      *slog.Logger

	floor atomic.Int64 // minimum duration of a failed login, in nanoseconds
	look  look
}

// NewKeeper makes a Keeper. It fails if Params are unusable or Random does.
func NewKeeper(c KeeperConfig) (*Keeper, error) {
	if c.Params == (Params{}) {
		c.Params = DefaultParams()
	}
	if c.Slots <= 0 {
		c.Slots = DefaultSlots()
	}
	hasher, err := New(c.Params, c.Random)
	if err != nil {
		return nil, err
	}
	return &Keeper{
		hasher: hasher, gate: NewGate(c.Slots, cmp.Or(c.MaxWait, DefaultMaxWait)), policy: c.Policy,
		breaches: c.Breaches, hashes: c.Hashes, log: c.Log,
		look: look{every: cmp.Or(c.LookEvery, lookEvery)},
	}, nil
}

// Gate returns the gate for the places that HashNew and Compare use.
func (k *Keeper) Gate() *Gate { return k.gate }

// MinLength returns the minimum length of a new password, in characters.
func (k *Keeper) MinLength() int { return k.policy.minLength() }

// Decoy is [Hasher.Decoy].
func (k *Keeper) Decoy() string { return k.hasher.Decoy() }

// CheckNew refuses a new password of the user named username, with an error of [Policy.Check].
// It costs no hash and no lookup.
func (k *Keeper) CheckNew(newPassword, username string) error {
	return k.policy.Check(newPassword, username)
}

// HashNew hashes a new password, or returns [ErrBreached]. Call the free checks first. It gives
// up the place in the lane while it waits for the breach lookup, so that no login waits for it.
func (k *Keeper) HashNew(ctx context.Context, place *Place, newPassword string) (hash string, err error) {
	if k.breaches != nil {
		place.StepAside()
		if err := k.refuseBreached(ctx, newPassword); err != nil {
			return "", err
		}
		if err := place.Return(); err != nil {
			return "", err
		}
	}
	queued := place.Do(ctx, func() { hash, err = k.hasher.Hash(newPassword) })
	if queued != nil {
		return "", queued
	}
	return hash, err
}

// Comparison is the outcome of comparing a password with a hash.
type Comparison struct {
	Matches bool

	// Replacement is a new hash of the same password, for [Keeper.Replace]. It is empty unless
	// the password matches a hash that should be replaced.
	Replacement string
}

// Compare waits for a slot of the gate and compares typed with the user's password. If the hash
// is of an old kind and the password is right, it makes a new hash in the same turn. Expensive
// hashes run one at a time.
//
// A hash that Verify refuses, such as one that an earlier version with higher ceilings
// accepted, is answered like a wrong password and takes as long. Its user has to set a new
// password by e-mail, sign in with a passkey, or ask the operator.
func (k *Keeper) Compare(ctx context.Context, place *Place, u storage.User, typed string) (Comparison, error) {
	hash := k.comparable(ctx, u)
	do := place.Do
	if RunsAlone(hash) {
		do = place.DoAlone
	}
	var result Comparison
	var fault error
	queued := do(ctx, func() {
		matches, rehash, err := k.hasher.Verify(hash, typed)
		result.Matches, fault = matches, err
		if err == nil && matches && rehash {
			result.Replacement, fault = k.hasher.Hash(typed)
		}
	})
	if queued != nil {
		return Comparison{}, queued
	}
	return result, fault
}

// comparable returns the user's hash, or the decoy if Verify would refuse it.
func (k *Keeper) comparable(ctx context.Context, u storage.User) string {
	err := Check(u.PasswordHash)
	if err == nil {
		return u.PasswordHash
	}
	k.log.WarnContext(ctx, "cannot compare a password hash; the user needs a new password", "user", u.ID, "reason", err)
	return k.hasher.Decoy()
}

// Replace swaps the hash that was compared for its replacement, if there is one. If the password
// was changed in the meantime, nothing happens. A failure is only logged: the password was
// right.
func (k *Keeper) Replace(ctx context.Context, u storage.User, result Comparison) {
	if result.Replacement == "" {
		return
	}
	replaced, err := k.hashes.ReplacePasswordHash(ctx, u.ID, u.PasswordHash, result.Replacement)
	if err != nil {
		k.log.WarnContext(ctx, "cannot replace an old password hash", "user", u.ID, "error", err)
		return
	}
	if replaced {
		k.log.InfoContext(ctx, "replaced an old password hash", "user", u.ID)
	}
}
