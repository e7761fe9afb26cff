package stepkey

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/storage"
)

// ResetRequest says whose password is forgotten: by address or by name, one of the two.
type ResetRequest struct {
	Email, Username string
	Client          Client

	// Devices are the device tokens that the client has, of whichever users, as in LogInRequest.
	Devices []string
}

// RequestPasswordReset has a link for a new password sent to the address that was
// confirmed in the account; where several accounts have the address, one for each.
//
// What it does is the same whoever is meant, known or not: it counts the try, and writes
// down what was typed. Who that is is found out later, by whoever sends the mails. So
// neither answer nor time tells who has an account (OWASP ASVS 6.3.8). The errors are of
// the shape alone (ErrEmailInvalid, ErrUsernameInvalid, ErrInvalidRequest), or say that
// too many were asked for (RateLimitedError).
func (s *Service) RequestPasswordReset(ctx context.Context, r ResetRequest) error {
	asked, whose := letter{Device: r.Client.Device, Network: r.Client.Network, AskedBy: s.devices.Digests(r.Devices)}, ""
	switch {
	case (r.Email == "") == (r.Username == ""):
		return ErrInvalidRequest
	case r.Email != "":
		if err := mail.CheckAddress(r.Email); err != nil {
			return ErrEmailInvalid
		}
		asked.Address = storage.FoldAddress(r.Email)
		whose = asked.Address
	default:
		canonical, err := CanonicalUsername(r.Username)
		if err != nil {
			return err
		}
		asked.Name, whose = canonical, "name "+canonical
	}
	if s.mailer == nil {
		return ErrEmailOff
	}
	now := s.now()
	if err := s.throttle.ChargeReset(ctx, r.Client, whose, now); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		return s.queue(ctx, tx, storage.QueuedMail{
			Kind: mail.FindAccounts, CreatedAt: now, ExpiresAt: now.Add(LinkLifetime), Urgent: true,
		}, asked)
	})
}

// findAccounts is the other half of RequestPasswordReset: it sends links to those who
// are meant, if there is anybody.
func (s *Service) findAccounts(ctx context.Context, m storage.QueuedMail, l letter) error {
	now := s.now()
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		// Whoever was slower than the lease finds it done.
		if deleted, err := tx.DeleteMail(ctx, m.ID); err != nil || !deleted {
			return err
		}
		addressees, err := tx.Addressees(ctx, storage.AddresseesOf{CanonicalName: l.Name, Address: l.Address})
		if err != nil {
			return err
		}
		for _, a := range addressees {
			if !a.Active {
				continue
			}
			from := Client{Device: l.Device, Network: l.Network}
			err := s.sendLink(ctx, tx, mail.ResetPassword, storage.Link{Purpose: storage.LinkResetPassword, AskedBy: l.AskedBy[a.UserID.String()]}, a, from, now)
			if err != nil {
				return err
			}
			if err := s.record(ctx, tx, Event{Kind: storage.EventResetRequested, UserID: a.UserID}, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// ResetPassword sets the password of whom the link was sent to, and ends all sessions.
// It signs nobody in and leaves passkeys as they are: a mailbox is worth a password and
// no more (OWASP ASVS 6.4.3). Wrong passwords count from zero again, and devices that
// were known are strangers.
//
// A password that the policy refuses does not use the link up. A link that is unknown,
// used, replaced, too old, for something else, from before the password or the address
// changed, or from before the device that asked for it signed in, is ErrLinkExpired, and
// nothing is hashed for it.
func (s *Service) ResetPassword(ctx context.Context, linkToken, newPassword string, from Client) error {
	if s.mailer == nil {
		return ErrEmailOff
	}
	if len(newPassword) > password.MaxBytes {
		return ErrPasswordTooLong
	}
	digest := linkDigest(linkToken)
	u, err := s.store.LinkOwner(ctx, digest, storage.LinkResetPassword, s.now())
	if err != nil {
		return expiredIfMissing(err)
	}
	if err := s.passwords.CheckNew(newPassword, u.CanonicalName); err != nil {
		return err
	}
	place, err := s.throttle.EnterReset(u.ID, from)
	if err != nil {
		return err
	}
	defer place.Leave()
	hash, err := s.passwords.HashNew(ctx, place, newPassword)
	if err != nil {
		return err
	}
	now := s.now()
	return s.inTxEnding(WithAccount(ctx, u.ID), func(tx storage.Tx) ([]uuid.UUID, error) {
		// As whoever changes the password signed in: the lock first, so that no login
		// slips in between.
		if _, err := tx.LockUser(ctx, u.ID); err != nil {
			return nil, expiredIfMissing(err)
		}
		if _, err := tx.TakeLink(ctx, digest, storage.LinkResetPassword, now); err != nil {
			return nil, expiredIfMissing(err)
		}
		// Sessions first: those of an older password are not live.
		ended, err := s.endIn(ctx, tx, storage.EndSessions{UserID: u.ID, At: now, Reason: storage.EndedByReset})
		if err != nil {
			return nil, err
		}
		set, err := tx.SetPassword(ctx, u.ID, u.PasswordVersion, hash, &now)
		if err != nil {
			return nil, err
		}
		if !set {
			return nil, ErrLinkExpired // the password changed while we hashed
		}
		if _, err := s.stopRecovery(ctx, tx, u.ID, now); err != nil {
			return nil, err
		}
		return ended, errors.Join(
			tx.DropLinks(ctx, u.ID, storage.LinkVerifyEmail),
			tx.ForgetAttempts(ctx, s.throttle.AccountKey(u.CanonicalName), false),
			s.record(ctx, tx, Event{Kind: storage.EventPasswordReset, UserID: u.ID}, now),
			s.notify(ctx, tx, notice{Kind: mail.PasswordReset, UserID: u.ID, At: now, Client: from}),
		)
	})
}
