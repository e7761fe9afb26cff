package stepkey

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/storage"
)

// A recovery code is 120 random bits, written as 24 characters in groups of four. With
// more than 112 bits nobody can try them through, so a keyed hash is enough to keep them
// by (OWASP ASVS 6.5.2, NIST SP 800-63B-4 §4.2.1.1); a password hash for each would make
// ten times the work for everybody who sends nonsense.
const (
	// RecoveryCodes is how many codes a user gets at once.
	RecoveryCodes = 10

	recoveryCodeBytes = 15
	recoveryCodeGroup = 4
)

// codeEncoding is Douglas Crockford's base 32: no letter of it can be read as another
// sign of it.
var codeEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// readCode undoes what people do to a code when they write it down.
var readCode = strings.NewReplacer("-", "", " ", "", "o", "0", "i", "1", "l", "1")

// ReplaceRecoveryCodes makes RecoveryCodes new codes, in the place of those from before.
// They are returned this once and kept nowhere. It takes a passkey verification not older
// than FullWindow (StepUpRequiredError): codes replace the passkey, so
// nobody without it may make them. After ten sets in an hour there is a RateLimitedError.
func (s *Service) ReplaceRecoveryCodes(ctx context.Context, c Caller) ([]string, error) {
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return nil, err
	}
	if err := freshlyFull(a, c, now); err != nil {
		return nil, err
	}
	if err := s.throttle.ChargeChange(ctx, a, throttle.ChangeRecoveryCodes, now); err != nil {
		return nil, err
	}
	codes, digests, err := s.drawCodes(a.User.ID)
	if err != nil {
		return nil, err
	}
	err = s.store.InTx(ctx, func(tx storage.Tx) error {
		locked, err := tx.LockAccount(ctx, a.User.ID, a.Session.ID, now)
		if err != nil {
			return unauthorizedIfMissing(err)
		}
		if err := freshlyFull(locked, c, now); err != nil {
			return err
		}
		if err := tx.ReplaceRecoveryCodes(ctx, a.User.ID, digests, now); err != nil {
			return err
		}
		e := Event{Kind: storage.EventRecoveryCodesReplaced, UserID: a.User.ID, SessionID: a.Session.ID}
		if err := s.record(ctx, tx, e, now); err != nil {
			return err
		}
		return s.outbox.Notify(ctx, tx, outbox.NoticeOf(mail.RecoveryCodesReplaced, a.Session, now))
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

func (s *Service) drawCodes(userID uuid.UUID) (codes []string, digests []storage.RecoveryCodeDigest, err error) {
	for range RecoveryCodes {
		raw := make([]byte, recoveryCodeBytes)
		if _, err := io.ReadFull(s.random, raw); err != nil {
			return nil, nil, fmt.Errorf("stepkey: draw a recovery code: %w", err)
		}
		codes, digests = append(codes, writtenCode(raw)), append(digests, s.codeDigest(userID, raw))
	}
	return codes, digests, nil
}

func writtenCode(raw []byte) string {
	text := codeEncoding.EncodeToString(raw)
	var groups []string
	for i := 0; i < len(text); i += recoveryCodeGroup {
		groups = append(groups, text[i:i+recoveryCodeGroup])
	}
	return strings.Join(groups, "-")
}

func parseCode(typed string) (raw []byte, ok bool) {
	text := readCode.Replace(strings.ToLower(typed))
	if len(text) != codeEncoding.EncodedLen(recoveryCodeBytes) {
		return nil, false
	}
	raw, err := codeEncoding.DecodeString(text)
	return raw, err == nil
}

// codeDigest ties a code to its user: a copied row is worth nothing in another account.
func (s *Service) codeDigest(userID uuid.UUID, raw []byte) storage.RecoveryCodeDigest {
	mac := hmac.New(sha256.New, s.codeKey)
	mac.Write(userID[:])
	mac.Write(raw)
	return storage.RecoveryCodeDigest(mac.Sum(nil))
}

// UseRecoveryCode takes a code of somebody who has given the password, in this session,
// not longer than FirstPasskeyWindow ago (ErrReauthenticationRequired), and returns
// tokens of a session at level recovery. The code is one factor and the password the
// other (NIST SP 800-63B-4 §4.2.2.2). All sessions from before end. The code is used up, and
// the others stay: somebody who has just lost a device must not lose the other ways back too. They
// open no more than this one did, a passkey that waits, and [Service.Freeze] takes them away with it.
//
// Where the password was set by a link to the user's mailbox, it and the code prove no
// more than mailbox and code. Then a recovery begins to wait instead, and that is what
// is returned: there is no Grant. The code is used up as well.
//
// A code that the user does not have is ErrWrongRecoveryCode; after ten in a quarter of
// an hour there is a RateLimitedError.
func (s *Service) UseRecoveryCode(
	ctx context.Context, c Caller, code string, from Client,
) (Grant, *PendingRecovery, error) {
	now := s.now()
	var a storage.Account
	var session Session
	var pending *PendingRecovery
	err := s.spendCode(ctx, c, code, now, func(tx storage.Tx, locked storage.Account) (ended []uuid.UUID, err error) {
		a = locked
		if locked.User.PasswordByMail {
			pending, err = s.beginRecovery(ctx, tx, locked, from, now)
			return nil, err
		}
		session, ended, err = s.startRecovered(ctx, tx, locked.User, storage.RecoveredByCode, from, now)
		return ended, err
	})
	if err != nil || pending != nil {
		return Grant{}, pending, err
	}
	g, err := s.grant(a.User, session, len(a.Passkeys) > 0, now)
	return g, nil, err
}

// spendCode spends a code of the caller and, in the same transaction, runs then with the account
// under its lock. then returns the sessions that it ended.
func (s *Service) spendCode(
	ctx context.Context, c Caller, code string, now time.Time,
	then func(tx storage.Tx, a storage.Account) (ended []uuid.UUID, err error),
) error {
	a, err := s.account(ctx, c, now)
	if err != nil {
		return err
	}
	if err := s.throttle.Charge(ctx, throttle.RecoveryCodes, a.Session.ID, now); err != nil {
		return err
	}
	raw, ok := parseCode(code)
	if !ok {
		s.countRefused(ctx, Event{Kind: storage.EventRecoveryCodeRefused, UserID: a.User.ID, SessionID: a.Session.ID}, false, now)
		return ErrWrongRecoveryCode
	}
	err = s.inTxEnding(ctx, func(tx storage.Tx) ([]uuid.UUID, error) {
		locked, err := tx.LockAccount(ctx, a.User.ID, a.Session.ID, now)
		if err != nil {
			return nil, unauthorizedIfMissing(err)
		}
		if err := mayRecover(locked, now); err != nil {
			return nil, err
		}
		spent, err := tx.SpendRecoveryCode(ctx, a.User.ID, s.codeDigest(a.User.ID, raw))
		if err != nil {
			return nil, err
		}
		if !spent {
			return nil, ErrWrongRecoveryCode
		}
		return then(tx, locked)
	})
	if errors.Is(err, ErrWrongRecoveryCode) {
		s.countRefused(ctx, Event{Kind: storage.EventRecoveryCodeRefused, UserID: a.User.ID, SessionID: a.Session.ID}, false, now)
	}
	return err
}
