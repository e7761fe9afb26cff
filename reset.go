package stepkey

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/storage"
)

// ResetRequest names the account whose password was forgotten, by either address or
// name.
type ResetRequest struct {
	Email, Username string
	Client          Client

	// Devices are the client's device tokens, of any users, as in LogInRequest.
	Devices []string
}

// taskFindAccounts looks up the accounts that a request for a new password is for.
// Requests are stored under this name and in the form of resetTask, and an upgrade finds
// those of the previous version: change neither.
const taskFindAccounts outbox.Task = "find_accounts"

// resetTask is a request for a new password, by Name, in canonical form, or by Address,
// folded. With both, Address counts if no user with that name has an address.
type resetTask struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`

	// Device and Network describe the client in the mail.
	Device  string `json:"device,omitempty"`
	Network string `json:"network,omitempty"`

	// Language is the client's. It applies to users who have none.
	Language string `json:"language,omitempty"`

	// AskedBy maps the ids of users who signed in on the client before to the digests of
	// their devices.
	AskedBy map[string][]byte `json:"askedBy,omitempty"`
}

// RequestPasswordReset has a link for a new password sent to the account's
// confirmed address. If several accounts have the address, there is one link for
// each.
//
// It does the same work whether or not the account exists: it counts the request and
// stores it. The account is looked up later, in the background, so neither the answer
// nor its timing reveals who has an account (OWASP ASVS 6.3.8). The errors depend only
// on the form of the input (ErrEmailInvalid, ErrUsernameInvalid, ErrInvalidRequest) and
// on the number of requests (RateLimitedError).
func (s *Service) RequestPasswordReset(ctx context.Context, r ResetRequest) error {
	asked, whose := resetTask{
		Device: r.Client.Device, Network: r.Client.Network, Language: s.Language(r.Client.Language), AskedBy: s.devices.Digests(r.Devices),
	}, ""
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
		typed := s.signInName(r.Username)
		if typed.canonical == "" && typed.address == "" {
			return ErrUsernameInvalid
		}
		asked.Name, asked.Address = typed.canonical, typed.address
		whose = cmp.Or(typed.address, "name "+typed.canonical)
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

// findAccounts is the second half of RequestPasswordReset: it sends a link to each
// matching account, if there are any.
func (s *Service) findAccounts(ctx context.Context, tx storage.Tx, content []byte) error {
	var asked resetTask
	if err := json.Unmarshal(content, &asked); err != nil {
		return fmt.Errorf("stepkey: read a task: %w", err)
	}
	now := s.now()
	addressees, err := tx.Addressees(ctx, storage.AddresseesOf{CanonicalName: asked.Name, Address: asked.Address})
	if err == nil && len(addressees) == 0 && asked.Name != "" && asked.Address != "" {
		addressees, err = tx.Addressees(ctx, storage.AddresseesOf{Address: asked.Address})
	}
	if err != nil {
		return err
	}
	for _, a := range addressees {
		if !a.Active {
			continue
		}
		err := s.outbox.SendLink(ctx, tx, outbox.LinkMail{
			Kind: mail.ResetPassword, Purpose: storage.LinkResetPassword, To: a,
			From: Client{Device: asked.Device, Network: asked.Network, Language: asked.Language}, AskedBy: asked.AskedBy[a.UserID.String()], At: now,
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

// ResetPassword sets the password of the user that the link was sent to, and ends all
// sessions. It does not sign in and does not change passkeys: a mailbox may replace a
// password and nothing more (OWASP ASVS 6.4.3). It resets the count of wrong passwords,
// and known devices become unknown.
//
// A password that the policy refuses does not use up the link. ResetPassword returns
// ErrLinkExpired, without hashing anything, for a link that is unknown, used, replaced,
// too old, for another purpose, from before the password or the address changed, or from
// before the device that requested it signed in.
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
		// As in ChangePassword, lock first, so that no login happens in between.
		if _, err := tx.LockUser(ctx, u.ID); err != nil {
			return nil, expiredIfMissing(err)
		}
		if _, err := tx.TakeLink(ctx, digest, storage.LinkResetPassword, now); err != nil {
			return nil, expiredIfMissing(err)
		}
		// End the sessions first: after the password is replaced, they no longer
		// count as live.
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
