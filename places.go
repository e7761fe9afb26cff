package stepkey

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/clientip"
	"github.com/stepkey/stepkey/internal/password"
)

// How many places at the hash gate one client holds at once, on this instance. Without
// these bounds a client that knows one password, which is refunded again and again, fills
// the gate and keeps everybody else from signing in. Which key has how many is the same
// for names that nobody has, so that a refusal does not tell which names exist.
const (
	// maxAccountPlaces is for one account from unknown devices, for one known device, for
	// the known devices of one account at one address, and for what a signed-in user asks
	// for. A person needs one; the second is for a double click and for two at once in
	// one home.
	maxAccountPlaces = 2

	// maxDevicesPlaces is for all known devices of one account together. It exceeds
	// maxAccountPlaces so that somebody else's known device at another address does not
	// shut the owner's out.
	maxDevicesPlaces = 6
)

// placeRetry is when a client that holds too many places may come back. Its hashes have
// ended by then.
const placeRetry = time.Second

// addressShare is half a lane for one address: an attacker may own many accounts and know
// their devices. An office behind one address fits into the half.
func addressShare(c Client) password.Share {
	return password.Share{Key: "address " + clientip.Address(c.IP).String(), Places: password.HalfLane}
}

// strangerShares are those of a login from an unknown device.
func strangerShares(try LogIn, name string) []password.Share {
	return []password.Share{{Key: "account " + name, Places: maxAccountPlaces}, addressShare(try.Client)}
}

// deviceShares are those of a login with a device token. Strangers hold none of them, so
// they cannot use up what the account's own devices have.
func deviceShares(try LogIn, d device) []password.Share {
	address := addressShare(try.Client)
	return []password.Share{
		{Key: "device " + string(d.nonce[:]), Places: maxAccountPlaces},
		{Key: "devices " + d.userID.String() + " at " + address.Key, Places: maxAccountPlaces},
		{Key: "devices " + d.userID.String(), Places: maxDevicesPlaces},
		address,
	}
}

// changeShares are those of a signed-in user who changes the password. Sign-ins hold none
// of the first.
func changeShares(userID uuid.UUID, c Client) []password.Share {
	return []password.Share{{Key: "change " + userID.String(), Places: maxAccountPlaces}, addressShare(c)}
}

// resetShares are those of a link for a new password.
func resetShares(userID uuid.UUID, c Client) []password.Share {
	return []password.Share{{Key: "reset " + userID.String(), Places: maxAccountPlaces}, addressShare(c)}
}

// enter takes a place at the hash gate, or returns a RateLimitedError where one of shares
// is used up. Limits that are off bound no shares.
func (s *Service) enter(lane password.Lane, shares ...password.Share) (*password.Place, error) {
	place, err := s.gate.Enter(lane, s.bounding(shares)...)
	return place, limitedIfTaken(err)
}

// enterOpenLane moves a login to the lane of strangers.
func (s *Service) enterOpenLane(place *password.Place, shares ...password.Share) error {
	return limitedIfTaken(place.Move(password.LaneOpen, s.bounding(shares)...))
}

func (s *Service) bounding(shares []password.Share) []password.Share {
	if s.limits.limiter == nil {
		return nil
	}
	return shares
}

func limitedIfTaken(err error) error {
	if errors.Is(err, password.ErrShareTaken) {
		return &RateLimitedError{RetryAfter: placeRetry}
	}
	return err
}
