package importing

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/language"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/passkeyname"
	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/internal/username"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// prepare checks a user and fills in missing values. Problems with the user are in the result;
// the error is a failure of the source of randomness.
func (im *Importer) prepare(sent storage.PortableUser, now time.Time) (pendingUser, error) {
	canonical, problem := im.checkUser(sent)
	var attributes storage.Attributes
	if problem == "" {
		attributes, problem = im.checkAttributes(sent)
	}
	if problem != "" {
		return pendingUser{result: storage.ImportResult{Status: storage.ImportLeftOut, Problem: problem}}, nil
	}
	p := pendingUser{record: storage.UserRecord{User: storage.User{
		ID: sent.ID, Username: strings.TrimSpace(sent.Username), CanonicalName: canonical,
		PasswordHash: sent.PasswordHash, PasswordVersion: 1, PasswordByMail: sent.PasswordByMail,
		PasswordStopped: sent.PasswordStopped, Handle: sent.Handle, Attributes: attributes,
		CreatedAt: storedTime(sent.CreatedAt, now), DisabledAt: storedTimeOrNil(sent.DisabledAt),
		Language: storedLanguage(sent.Language),
	}}}
	if sent.PasswordByMail {
		// An export does not say when the password was set, so the cool-off starts
		// again here.
		p.record.User.PasswordByMailAt = &now
	}
	if len(sent.Handle) == 0 {
		// The maximum length, which WebAuthn Level 3 §14.6.1 recommends.
		p.record.User.Handle = make([]byte, ceremony.MaxUserHandle)
		if _, err := io.ReadFull(im.Random, p.record.User.Handle); err != nil {
			return pendingUser{}, fmt.Errorf("stepkey: draw a user handle: %w", err)
		}
	}
	p.record.Email, p.result.Email = checkEmail(sent.Email)
	for i, sent := range sent.Passkeys {
		passkey, problem := im.checkPasskey(sent, len(p.record.Passkeys))
		if problem != "" {
			leaveOut(&p.result, i, problem)
			continue
		}
		passkey.UserID, passkey.CreatedAt = p.record.User.ID, storedTime(sent.CreatedAt, now)
		if passkey.ID == uuid.Nil {
			id, err := im.newID()
			if err != nil {
				return pendingUser{}, err
			}
			passkey.ID = id
		}
		p.record.Passkeys = append(p.record.Passkeys, passkey)
		p.indexes = append(p.indexes, i)
	}
	return p, nil
}

// checkUser checks everything except the passkeys. It checks uniqueness last, so that a user
// who is left out for another reason does not take an id, name or handle from the users that
// follow.
func (im *Importer) checkUser(u storage.PortableUser) (canonical string, problem storage.ImportProblem) {
	if u.ID == uuid.Nil {
		return "", storage.ProblemID
	}
	canonical, ok := username.Canonical(u.Username)
	if !ok {
		return "", storage.ProblemUsername
	}
	if problem := hashProblem(u.PasswordHash); problem != "" {
		return "", problem
	}
	if len(u.Handle) > ceremony.MaxUserHandle {
		return "", storage.ProblemHandle
	}
	if len(u.Handle) == 0 && len(u.Passkeys) > 0 {
		return "", storage.ProblemHandleMissing
	}
	if !im.firstSeen("id", u.ID[:]) {
		return "", storage.ProblemIDTwice
	}
	if !im.firstSeen("name", []byte(canonical)) {
		return "", storage.ProblemUsernameTwice
	}
	if len(u.Handle) > 0 && !im.firstSeen("handle", u.Handle) {
		return "", storage.ProblemHandleTwice
	}
	return canonical, ""
}

// checkAttributes returns the groups and own claims in the form in which they are stored. A user
// with others is left out: added without them, the person would be locked out of what the groups
// open, or let in where a rule denies a group.
func (im *Importer) checkAttributes(u storage.PortableUser) (a storage.Attributes, problem storage.ImportProblem) {
	var err error
	if a.Groups, err = token.NewGroups(u.Groups); err != nil {
		return a, storage.ProblemGroups
	}
	if a.Claims, err = token.NewOwnClaims(u.Claims); err != nil || len(a.Claims.Only(im.OwnClaims)) != len(u.Claims) {
		return a, storage.ProblemClaims
	}
	return a, ""
}

func hashProblem(hash string) storage.ImportProblem {
	switch err := password.Check(hash); {
	case err == nil:
		return ""
	case errors.Is(err, password.ErrExcessive):
		return storage.ProblemHashExcessive
	case errors.Is(err, password.ErrUnsupported):
		return storage.ProblemHashUnsupported
	default:
		return storage.ProblemHashMalformed
	}
}

// checkEmail returns the address in the form in which it is stored. An address without the
// time of its confirmation may be somebody else's, who could then set a new password.
func checkEmail(sent *storage.ConfirmedEmail) (*storage.ConfirmedEmail, storage.ImportProblem) {
	if sent == nil {
		return nil, ""
	}
	if err := mail.CheckAddress(sent.Address); err != nil {
		return nil, storage.ProblemEmail
	}
	if sent.ConfirmedAt.IsZero() {
		return nil, storage.ProblemEmailUnconfirmed
	}
	return &storage.ConfirmedEmail{Address: sent.Address, ConfirmedAt: storedTime(sent.ConfirmedAt, sent.ConfirmedAt)}, ""
}

// checkPasskey checks a passkey of a user; before is how many passkeys the user has
// already.
func (im *Importer) checkPasskey(sent storage.PortablePasskey, before int) (storage.Passkey, storage.ImportProblem) {
	if before == im.MaxPasskeys {
		return storage.Passkey{}, storage.ProblemTooManyPasskeys
	}
	if sent.SignCount < 0 || sent.SignCount > math.MaxUint32 {
		return storage.Passkey{}, storage.ProblemSignCount
	}
	credential, err := ceremony.Adopt(storage.Credential{
		ID: sent.CredentialID, PublicKey: sent.PublicKey, SignCount: uint32(sent.SignCount), Flags: sent.Flags,
		Transports: sent.Transports, AAGUID: sent.AAGUID, Attested: sent.Attested,
	})
	if err != nil {
		return storage.Passkey{}, credentialProblem(err)
	}
	if !im.firstSeen("credential id", credential.ID) || sent.ID != uuid.Nil && !im.firstSeen("passkey", sent.ID[:]) {
		return storage.Passkey{}, storage.ProblemCredentialIDTwice
	}
	return storage.Passkey{
		ID: sent.ID, Credential: credential, Name: passkeyname.Imported(sent.Name), LastUsedAt: storedTimeOrNil(sent.LastUsedAt),
		UsableFrom: storedTimeOrNil(sent.UsableFrom),
	}, ""
}

func credentialProblem(err error) storage.ImportProblem {
	var refusal *ceremony.Error
	if !errors.As(err, &refusal) {
		return storage.ProblemPublicKey
	}
	switch refusal.Reason {
	case ceremony.ReasonCredentialID:
		return storage.ProblemCredentialID
	case ceremony.ReasonBackupFlags, ceremony.ReasonAttestation:
		return storage.ProblemFlags
	default:
		return storage.ProblemPublicKey
	}
}

// firstSeen reports whether value did not occur before in this import as a value of that kind.
func (im *Importer) firstSeen(kind string, value []byte) bool {
	sum := sha256.Sum256(append([]byte(kind+"\x00"), value...))
	digest := [16]byte(sum[:])
	if _, seen := im.seen[digest]; seen {
		return false
	}
	im.seen[digest] = struct{}{}
	return true
}

// storedLanguage returns a language as stores keep it, or nothing for one that is not well-formed or too long. It need
// not be one of the service's, which may come later.
func storedLanguage(tag string) string {
	if len(tag) > storage.MaxLanguage {
		return ""
	}
	parsed, err := language.Parse(tag)
	if err != nil || tag == "" || len(parsed.String()) > storage.MaxLanguage {
		return ""
	}
	return parsed.String()
}

// storedTime returns t as stores keep times, or now if t is zero.
func storedTime(t, now time.Time) time.Time {
	if t.IsZero() {
		return now
	}
	return t.UTC().Truncate(time.Microsecond)
}

func storedTimeOrNil(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := storedTime(*t, *t)
	return &u
}
