package throttle

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/storage"
)

// Attempt is one password to be checked. It holds a place at the hash gate until Leave. Once
// charged it counts as a failure, so that parallel guesses cannot pass together (OWASP ASVS
// 15.4.2). It is then told how it ended, with one of NotMade, Failed and Succeeded. It is for
// one goroutine.
type Attempt struct {
	throttle *Throttle
	place    *password.Place
	client   storage.Client

	name    string           // of the account
	failure []storage.Charge // per address and network; refunded if the password is right
	signIn  []storage.Charge // counted whether the password is right or wrong
	counted storage.Attempt
	known   bool // it was charged to a known device
	last    bool // the next one has to wait
}

// Device is a device on which somebody logged in before.
type Device struct {
	ID        string
	UserID    uuid.UUID
	ExpiresAt time.Time
}

// Account is what a lookup has found out about the account that a login is for.
type Account struct {
	Exists bool // there is such a user, not deleted

	// Name is the account's canonical name where EnterLogIn was told another one, such as an
	// address, and otherwise empty or the same.
	Name string

	// Device is a device on which this user logged in before with the current password, or
	// nil.
	Device *Device
}

// AdmitLogIn refuses a login that EnterLogIn would refuse whatever its name is, because there is no place left for
// a client with that device.
func (t *Throttle) AdmitLogIn(presented *Device) error { return t.gate.Admit(t.lane(presented)) }

// lane returns the lane in which a login begins.
func (t *Throttle) lane(presented *Device) password.Lane {
	if presented != nil && t.limiter != nil {
		return password.LaneReserved
	}
	return password.LaneOpen
}

// EnterLogIn begins a login, before its account is looked up. It takes a place at the hash
// gate, or refuses: a login that would not get a turn costs nothing more. name is the account's
// canonical name; one that nobody can have is counted as it was typed. presented is a device
// whose token the client sent, or nil; it gets into the lane reserved for known devices, and
// Charge checks whether it is one of this account.
func (t *Throttle) EnterLogIn(name string, presented *Device, c storage.Client) (*Attempt, error) {
	lane, shares := t.lane(presented), strangerShares(name, c)
	if lane == password.LaneReserved {
		shares = deviceShares(*presented, c)
	}
	place, err := t.enter(lane, shares...)
	if err != nil {
		return nil, err
	}
	return &Attempt{throttle: t, place: place, client: c, name: name}, nil
}

// Charge counts the login as failed, or refuses it, before anything is hashed.
//
// A known device has a count of its own, so guessing from elsewhere, at any rate, does not shut
// the owner out. A device that has used up its count is a stranger like all others and waits
// among them.
func (a *Attempt) Charge(ctx context.Context, account Account, now time.Time) error {
	a.name = cmp.Or(account.Name, a.name)
	a.counted = storage.Attempt{At: now, Known: account.Exists}
	if a.throttle.limiter == nil {
		return nil
	}
	if account.Device != nil {
		if err := a.chargeDevice(ctx, *account.Device); err != nil || a.known {
			return err
		}
	}
	if err := a.throttle.move(a.place, password.LaneOpen, strangerShares(a.name, a.client)...); err != nil {
		return err
	}
	return a.chargeStranger(ctx)
}

// chargeDevice sets a.known if the device may try.
func (a *Attempt) chargeDevice(ctx context.Context, d Device) error {
	t := a.throttle
	charges := []storage.Charge{t.one(signInDevice, d.ID), t.one(signInKnownAddress, addressOf(a.client))}
	if wait, err := t.take(ctx, a.counted.At, charges); err != nil || wait > 0 {
		return err
	}
	onDevice := a.counted
	onDevice.Key, onDevice.Until = t.deviceKey(d), d.ExpiresAt
	got, err := t.attempts.ChargeAttempt(ctx, onDevice)
	if err != nil {
		t.refund(ctx, charges)
		return err
	}
	if got.Charged {
		a.counted, a.signIn, a.known, a.last = onDevice, charges, true, got.Wait > 0
	}
	return nil
}

// chargeStranger asks the Limiter once, for failures and logins together.
func (a *Attempt) chargeStranger(ctx context.Context) error {
	t, address := a.throttle, addressOf(a.client)
	a.failure = []storage.Charge{t.one(logInAddress, address), t.one(logInNetwork, networkOf(a.client))}
	if t.underAttack(a.counted.At) {
		a.failure[0].Cost = attackDivisor
	}
	a.signIn = []storage.Charge{t.one(signInAccount, a.name), t.one(signInAddress, address)}
	charges := slices.Concat(a.failure, a.signIn)
	if err := t.charge(ctx, a.counted.At, charges...); err != nil {
		return err
	}
	a.counted.Key = t.AccountKey(a.name)
	got, err := t.attempts.ChargeAttempt(ctx, a.counted)
	if err != nil {
		t.refund(ctx, charges)
		return err
	}
	if !got.Charged {
		// Attempts that have to wait anyway do not use up the account's logins.
		t.refund(ctx, a.signIn)
		return t.refuse(got.Wait)
	}
	a.last = got.Wait > 0
	return nil
}

// BeginCurrentPassword takes a place for the current password of a signed-in user and counts
// it as a failed attempt, or refuses it. Attempts are counted by session, so that a stolen
// token does not allow guessing on and cannot use up the owner's logins. until is when the
// session is over at the latest.
func (t *Throttle) BeginCurrentPassword(ctx context.Context, s storage.Session, c storage.Client, now, until time.Time) (*Attempt, error) {
	place, err := t.EnterPasswordChange(s.UserID, c)
	if err != nil {
		return nil, err
	}
	a := &Attempt{throttle: t, place: place, client: c}
	a.counted = storage.Attempt{Key: t.SessionKey(s.ID), At: now, Known: true, Until: until}
	if t.limiter == nil {
		return a, nil
	}
	got, err := t.attempts.ChargeAttempt(ctx, a.counted)
	if err == nil && !got.Charged {
		err = t.refuse(got.Wait)
	}
	if err != nil {
		a.Leave()
		return nil, err
	}
	a.last = got.Wait > 0
	return a, nil
}

// Place is the attempt's place at the hash gate.
func (a *Attempt) Place() *password.Place { return a.place }

// Leave gives up the place.
func (a *Attempt) Leave() { a.place.Leave() }

// OnKnownDevice reports whether the attempt was charged to a known device.
func (a *Attempt) OnKnownDevice() bool { return a.known }

// LocksOut reports whether the attempt has to be followed by a wait if it fails.
func (a *Attempt) LocksOut() bool { return a.last }

// NotMade refunds an attempt whose password was never compared.
func (a *Attempt) NotMade(ctx context.Context) {
	t := a.throttle
	t.refund(ctx, slices.Concat(a.failure, a.signIn))
	if t.limiter == nil {
		return
	}
	if err := t.attempts.RefundAttempt(context.WithoutCancel(ctx), a.counted); err != nil {
		t.log.WarnContext(ctx, "attempt not refunded", "error", err)
	}
}

// Failed counts a failed login among those of all clients.
func (a *Attempt) Failed(ctx context.Context) { a.throttle.countFailure(ctx, a.counted.At) }

// Succeeded refunds the failure that was counted in advance, but not the login.
func (a *Attempt) Succeeded(ctx context.Context) { a.throttle.refund(ctx, a.failure) }

// Forget resets the counts of consecutive failures, in the transaction that starts the
// session. On a known device that also resets the account's 100-failure cap, but not its
// waits: somebody else may be guessing at that moment.
func (a *Attempt) Forget(ctx context.Context, tx storage.Tx) error {
	t := a.throttle
	if t.limiter == nil {
		return nil
	}
	if err := tx.ForgetAttempts(ctx, t.AccountKey(a.name), a.known); err != nil || !a.known {
		return err
	}
	return tx.ForgetAttempts(ctx, a.counted.Key, false)
}

// countFailure counts a failed login of any client. Above a rate it assumes an attack. An
// error while counting changes nothing for the client.
func (t *Throttle) countFailure(ctx context.Context, now time.Time) {
	if t.limiter == nil || t.underAttack(now) {
		return
	}
	wait, err := t.limiter.Charge(ctx, storage.Charge{Bucket: "login-all", Limit: t.failures, Cost: 1})
	if err != nil || wait == 0 {
		return
	}
	t.attack.Store(now.Add(attackLasts).UnixMicro())
	t.log.WarnContext(ctx, "login failure rate is high: per-address limits tightened for one minute")
}

func (t *Throttle) underAttack(now time.Time) bool { return now.UnixMicro() < t.attack.Load() }
