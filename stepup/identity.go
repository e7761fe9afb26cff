package stepup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stepkey/stepkey/internal/purposes"
)

// Bounds of an Identity, in bytes.
const (
	maxUserKey = 255
	maxSession = 1024
)

// maxAhead is how far ahead of our clock a time may be. The clocks of two servers
// differ by less. A later time is ignored: it would stay fresh for too long, and it
// means that a clock was set back or that the application keeps something else there.
const maxAhead = 5 * time.Second

// Identity is what the application's session says about a request. In the zero
// value, and in any without a User, nobody is signed in.
type Identity struct {
	// User is the application's key of the user: 1 to 255 bytes, compared as bytes.
	// A key is never given to another person.
	User string

	// Name and DisplayName are shown and name the account on the device. Both may
	// change.
	Name, DisplayName string

	// Session is constant for one sign-in and never used for another: up to 1 KiB,
	// of which only a hash is kept. Without it no passkey can be verified, as for an
	// API token.
	Session string

	// SignedInAt is when a password, or something better, began this session. It is
	// zero if the session was remembered. More than 5 s ahead of the clock it is
	// ignored.
	SignedInAt time.Time

	// Proofs are what the application has checked in this session since. They are
	// not stored. Passkey is no factor of the application's.
	Proofs []Proof
}

// Proof says that a factor was verified, and when. A time more than 5 s ahead of the
// clock is ignored, and so is the zero time.
type Proof struct {
	Factor  Factor
	At      time.Time
	Passkey string // the passkey's id; empty for other factors
}

type identityKey struct{}

// WithIdentity returns a context in which id made the request, for applications
// whose sessions cannot be found from a request alone.
func WithIdentity(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// identityFrom returns the Identity that WithIdentity put into ctx. Without one the
// application is wired wrongly, which is not the same as nobody being signed in.
func identityFrom(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}

// nobody reports that nobody is signed in. The other fields do not matter then: many
// applications give visitors a session as well.
func (id Identity) nobody() bool { return id.User == "" }

// check returns an error for an Identity that the application must not have made. The
// error names the field and repeats no value: keys and sessions do not belong in a log.
func (id Identity) check() error {
	if id.nobody() {
		return nil
	}
	if len(id.User) > maxUserKey {
		return fmt.Errorf("stepup: Identity.User has %d bytes, at most %d are allowed", len(id.User), maxUserKey)
	}
	if len(id.Session) > maxSession {
		return fmt.Errorf("stepup: Identity.Session has %d bytes, at most %d are allowed", len(id.Session), maxSession)
	}
	for i, proof := range id.Proofs {
		if proof.Factor == Passkey {
			// Only an assertion verified here proves a passkey.
			return fmt.Errorf("stepup: Identity.Proofs[%d] is of a passkey: the application verifies none", i)
		}
		if err := purposes.CheckFactor(string(proof.Factor)); err != nil {
			return fmt.Errorf("stepup: Identity.Proofs[%d].Factor: %w", i, err)
		}
	}
	return nil
}

// proofs returns all proofs of the session: the application's, the sign-in as one of
// a password, and the passkey's, which is the zero Proof if there is none.
func (id Identity) proofs(passkey Proof) []Proof {
	all := slices.DeleteFunc(slices.Clone(id.Proofs), func(p Proof) bool { return p.Factor == Passkey })
	return append(all, Proof{Factor: Password, At: id.SignedInAt}, passkey)
}

// countsAt reports whether a proof made at this time counts now, whatever its age.
func countsAt(at, now time.Time) bool { return !at.IsZero() && !at.After(now.Add(maxAhead)) }
