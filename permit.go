package stepkey

import (
	"context"
	"errors"

	"github.com/stepkey/stepkey/internal/password"
)

// permit is leave to try one password. What it took is given back if the password is
// right, or was never looked at.
type permit struct {
	charges []Charge // of the address and its neighbourhood
	attempt Attempt
	known   bool // it is for a device that we know
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
	p := permit{attempt: Attempt{At: s.now(), Known: known && u.DeletedAt == nil}}
	if s.limits.limiter == nil {
		return p, nil
	}
	if known {
		err := s.permitDevice(ctx, u, try, &p)
		if err != nil || p.known {
			return p, err
		}
	}
	if err := place.Move(password.LaneOpen); err != nil {
		return p, err
	}
	return p, s.permitStranger(ctx, u, try, &p)
}

// permitDevice sets p.known if one of the devices may try.
func (s *Service) permitDevice(ctx context.Context, u User, try LogIn, p *permit) error {
	d, ok := s.knownDevice(try.Devices, u, p.attempt.At)
	if !ok {
		return nil
	}
	a := p.attempt
	a.Key, a.Until = s.limits.deviceKey(d), d.expiresAt
	got, err := s.store.ChargeAttempt(ctx, a)
	if err != nil || !got.Charged {
		return err
	}
	p.attempt, p.known = a, true
	return nil
}

func (s *Service) permitStranger(ctx context.Context, u User, try LogIn, p *permit) error {
	p.charges = s.limits.logInCharges(try.Client, p.attempt.At)
	if err := s.limits.charge(ctx, p.attempt.At, p.charges...); err != nil {
		return err
	}
	p.attempt.Key = s.limits.accountKey(accountName(u, try))
	got, err := s.store.ChargeAttempt(ctx, p.attempt)
	if err != nil {
		s.limits.refund(ctx, p.charges)
		return err
	}
	if !got.Charged {
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

// takeBack undoes the counting of an attempt that was not made.
func (s *Service) takeBack(ctx context.Context, p permit) {
	s.limits.refund(ctx, p.charges)
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
func (s *Service) forgive(ctx context.Context, tx Tx, u User, p permit) error {
	if s.limits.limiter == nil {
		return nil
	}
	account := tx.ForgetAttempts(ctx, s.limits.accountKey(u.CanonicalName), p.known)
	if !p.known {
		return account
	}
	return errors.Join(account, tx.ForgetAttempts(ctx, p.attempt.Key, false))
}
