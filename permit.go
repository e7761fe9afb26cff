package stepkey

import (
	"context"
	"errors"
	"slices"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/storage"
)

// permit is leave to try one password. The failure that it counts is given back if the
// password is right, and all that it took if the password was never looked at.
type permit struct {
	failure []storage.Charge // of the address and its neighbourhood
	signIn  []storage.Charge // counted whether the password is right or wrong
	attempt storage.Attempt
	known   bool    // it is for somebody whom we know
	device  *device // on which the user signed in before, or nil
}

// permitLogIn decides whether a password may be tried, before anything is hashed, and
// counts it as failed already: parallel guesses cannot pass together (OWASP ASVS
// 15.4.2).
//
// A device on which the user signed in before has a count of its own. So whoever
// guesses from elsewhere, at whatever rate, does not shut the owner out; and once a
// device has used up its count it is a stranger like all others, and waits for its turn
// among them.
func (s *Service) permitLogIn(ctx context.Context, place *password.Place, u User, known bool, try LogIn) (permit, error) {
	p := permit{attempt: storage.Attempt{At: s.now(), Known: known && u.DeletedAt == nil}}
	if s.limits.limiter == nil {
		return p, nil
	}
	if known {
		err := s.permitDevice(ctx, u, try, &p)
		if err != nil || p.known {
			return p, err
		}
	}
	name := accountName(u, try)
	if err := s.enterOpenLane(place, strangerShares(try, name)...); err != nil {
		return p, err
	}
	return p, s.permitStranger(ctx, name, try, &p)
}

// permitDevice sets p.known if one of the devices may try.
func (s *Service) permitDevice(ctx context.Context, u User, try LogIn, p *permit) error {
	d, ok := s.knownDevice(try.Devices, u, p.attempt.At)
	if !ok {
		return nil
	}
	charges := s.limits.knownDeviceCharges(d, try.Client)
	limited := new(RateLimitedError)
	if err := s.limits.charge(ctx, p.attempt.At, charges...); errors.As(err, &limited) {
		return nil
	} else if err != nil {
		return err
	}
	a := p.attempt
	a.Key, a.Until = s.limits.deviceKey(d), d.expiresAt
	got, err := s.store.ChargeAttempt(ctx, a)
	if err != nil {
		s.limits.refund(ctx, charges)
		return err
	}
	if got.Charged {
		p.attempt, p.signIn, p.known, p.device = a, charges, true, &d
	}
	return nil
}

// permitStranger asks the Limiter once, for failures and sign-ins together.
func (s *Service) permitStranger(ctx context.Context, name string, try LogIn, p *permit) error {
	p.failure = s.limits.logInCharges(try.Client, p.attempt.At)
	p.signIn = s.limits.signInCharges(name, try.Client)
	charges := slices.Concat(p.failure, p.signIn)
	if err := s.limits.charge(ctx, p.attempt.At, charges...); err != nil {
		return err
	}
	p.attempt.Key = s.limits.accountKey(name)
	got, err := s.store.ChargeAttempt(ctx, p.attempt)
	if err != nil {
		s.limits.refund(ctx, charges)
		return err
	}
	if !got.Charged {
		// Attempts that have to wait anyway do not use up what the account may sign in.
		s.limits.refund(ctx, p.signIn)
		return &RateLimitedError{RetryAfter: got.Wait}
	}
	return nil
}

// accountName is by what attempts at an account are counted. A name that nobody can
// have is counted as it was typed.
func accountName(u User, try LogIn) string {
	if u.CanonicalName != "" {
		return u.CanonicalName
	}
	return try.Username
}

// canonicalName is accountName before the user is looked up.
func (try LogIn) canonicalName() string {
	canonical, err := CanonicalUsername(try.Username)
	if err != nil {
		return try.Username
	}
	return canonical
}

// takeBack undoes the counting of an attempt that was not made.
func (s *Service) takeBack(ctx context.Context, p permit) {
	s.limits.refund(ctx, slices.Concat(p.failure, p.signIn))
	if s.limits.limiter == nil {
		return
	}
	if err := s.store.RefundAttempt(context.WithoutCancel(ctx), p.attempt); err != nil {
		s.log.WarnContext(ctx, "attempt not given back", "error", err)
	}
}

// forgive sets back the counts of who has just proved the password. On a known device
// that ends the hundred of the account as well, but not its waits: somebody else may
// be guessing at it at this moment.
func (s *Service) forgive(ctx context.Context, tx storage.Tx, u User, p permit) error {
	if s.limits.limiter == nil {
		return nil
	}
	account := tx.ForgetAttempts(ctx, s.limits.accountKey(u.CanonicalName), p.known)
	if !p.known {
		return account
	}
	return errors.Join(account, tx.ForgetAttempts(ctx, p.attempt.Key, false))
}
