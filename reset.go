package stepkey

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
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

// taskFindAccounts looks up whom a request for a new password means. Requests are stored
// under this name and in the form of resetTask, and an upgrade finds those of the version
// before: change neither.
const taskFindAccounts outbox.Task = "find_accounts"

// resetTask is a request for a new password, by one of Name, in canonical form, and
// Address, folded.
type resetTask struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`

	// Device and Network describe the client in the mail.
	Device  string `json:"device,omitempty"`
	Network string `json:"network,omitempty"`

	// AskedBy are the digests of the client's devices, by the ids of the users who signed
	// in there before.
	AskedBy map[string][]byte `json:"askedBy,omitempty"`
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
	asked, whose := resetTask{Device: r.Client.Device, Network: r.Client.Network, AskedBy: s.devices.Digests(r.Devices)}, ""
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
	if !s.outbox.SendsMail() {
		return ErrEmailOff
	}
	now := s.now()
	if err := s.throttle.ChargeReset(ctx, r.Client, whose, now); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		return s.outbox.QueueTask(ctx, tx, taskFindAccounts, asked, now, now.Add(LinkLifetime))
	})
}

// findAccounts is the second half of RequestPasswordReset: it sends a link to each account
// that was meant, if there is any.
func (s *Service) findAccounts(ctx context.Context, tx storage.Tx, content []byte) error {
	var asked resetTask
	if err := json.Unmarshal(content, &asked); err != nil {
		return fmt.Errorf("stepkey: read a task: %w", err)
	}
	now := s.now()
	addressees, err := tx.Addressees(ctx, storage.AddresseesOf{CanonicalName: asked.Name, Address: asked.Address})
	if err != nil {
		return err
	}
	for _, a := range addressees {
		if !a.Active {
			continue
		}
		err := s.outbox.SendLink(ctx, tx, outbox.LinkMail{
			Kind: mail.ResetPassword, Purpose: storage.LinkResetPassword, To: a,
			From: Client{Device: asked.Device, Network: asked.Network}, AskedBy: asked.AskedBy[a.UserID.String()], At: now,
		})
		if err != nil {
			return err
		}
		if err := s.record(ctx, tx, Event{Kind: storage.EventResetRequested, UserID: a.UserID}, now); err != nil {
			return err
		}
	}
	return nil
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
	if !s.outbox.SendsMail() {
		return ErrEmailOff
	}
	if len(newPassword) > password.MaxBytes {
		return ErrPasswordTooLong
	}
	digest := outbox.LinkDigest(linkToken)
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
		if err := tx.DropLinks(ctx, u.ID, storage.LinkVerifyEmail); err != nil {
			return nil, err
		}
		if err := tx.ForgetAttempts(ctx, s.throttle.AccountKey(u.CanonicalName), false); err != nil {
			return nil, err
		}
		if err := s.record(ctx, tx, Event{Kind: storage.EventPasswordReset, UserID: u.ID}, now); err != nil {
			return nil, err
		}
		return ended, s.outbox.Notify(ctx, tx, outbox.Notice{Kind: mail.PasswordReset, UserID: u.ID, At: now, Client: from})
	})
}
