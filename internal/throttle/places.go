package throttle

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/storage"
)

// placeRetry is when a client that holds too many places may come back. Its hashes have ended
// by then.
const placeRetry = time.Second

// EnterSignUp takes a place at the hash gate for a sign-up, or refuses. The caller leaves it.
func (t *Throttle) EnterSignUp(c storage.Client) (*password.Place, error) {
	return t.enter(password.LaneOpen, addressShare(c))
}

// EnterPasswordChange takes a place for a signed-in user's password change, or refuses. Logins
// hold no share of the user's changes.
func (t *Throttle) EnterPasswordChange(userID uuid.UUID, c storage.Client) (*password.Place, error) {
	return t.enter(password.LaneReserved, password.Share{Key: "change " + userID.String(), Places: MaxAccountPlaces}, addressShare(c))
}

// EnterReset takes a place for a new password by mailed link, or refuses.
func (t *Throttle) EnterReset(userID uuid.UUID, c storage.Client) (*password.Place, error) {
	return t.enter(password.LaneOpen, password.Share{Key: "reset " + userID.String(), Places: MaxAccountPlaces}, addressShare(c))
}

// addressShare is half a lane for one address: an attacker may own many accounts and know
// their devices. An office behind one address fits into the half.
func addressShare(c storage.Client) password.Share {
	return password.Share{Key: "address " + addressOf(c), Places: password.HalfLane}
}

// strangerShares are the shares of a login from an unknown device.
func strangerShares(name string, c storage.Client) []password.Share {
	return []password.Share{{Key: "account " + name, Places: MaxAccountPlaces}, addressShare(c)}
}

// deviceShares are the shares of a login with a device token. Strangers hold none of them, so
// they cannot use up the places of the account's own devices.
func deviceShares(d Device, c storage.Client) []password.Share {
	address := addressShare(c)
	return []password.Share{
		{Key: "device " + d.ID, Places: MaxAccountPlaces},
		{Key: "devices " + d.UserID.String() + " at " + address.Key, Places: MaxAccountPlaces},
		{Key: "devices " + d.UserID.String(), Places: MaxDevicesPlaces},
		address,
	}
}

func (t *Throttle) enter(lane password.Lane, shares ...password.Share) (*password.Place, error) {
	place, err := t.gate.Enter(lane, t.bounding(shares)...)
	return place, t.refusedShare(err)
}

// move moves a place to another lane.
func (t *Throttle) move(place *password.Place, lane password.Lane, shares ...password.Share) error {
	return t.refusedShare(place.Move(lane, t.bounding(shares)...))
}

// bounding returns no shares where limits are off.
func (t *Throttle) bounding(shares []password.Share) []password.Share {
	if t.limiter == nil {
		return nil
	}
	return shares
}

func (t *Throttle) refusedShare(err error) error {
	if errors.Is(err, password.ErrShareTaken) {
		return t.refuse(placeRetry)
	}
	return err
}
