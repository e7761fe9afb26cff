package stepkey

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/storage"
)

// maxUserHandle is the limit of WebAuthn L3 §5.4.3 in bytes.
const maxUserHandle = 64

// ImportResult says what became of one user.
type ImportResult struct {
	Status   ImportStatus
	Problem  ImportProblem         // why the user is left out
	Passkeys int                   // how many came with a user who was added
	LeftOut  map[int]ImportProblem // passkeys of a user who was added that did not, by index
	Email    ImportProblem         // why the address of a user who was added is left out
}

// Importer adds users that come from elsewhere. It is for one import, and for one
// goroutine.
//
// Of users whose names are the same in canonical form the first one is taken, and
// never is one given the password or passkeys of another. Bring them by age: who had
// the name first keeps it, so that nobody keeps others out by having signed up under
// another spelling of their names.
//
// Users who are there already stay as they are: an import that was interrupted can be
// run again, and neither undoes a change of password nor brings back a removed passkey or
// address.
type Importer struct {
	service *Service
	dryRun  bool

	// seen has a digest of everything that has to be unique over the whole import.
	// Looking into the store would not do: in a dry run nothing is there.
	seen map[[16]byte]struct{}
}

// NewImporter begins an import. A dry run has the same outcomes and changes nothing.
func (a *Admin) NewImporter(dryRun bool) *Importer {
	return &Importer{service: a.service, dryRun: dryRun, seen: make(map[[16]byte]struct{})}
}

// errDryRun undoes the transaction of a dry run.
var errDryRun = errors.New("stepkey: dry run")

// Import adds users in one transaction and says what became of each, in the same
// order. The error is ErrInvalidRequest for more than MaxImportBatch, and otherwise
// the store's: then nobody of batch was added, and the Importer is of no more use.
func (im *Importer) Import(ctx context.Context, batch []PortableUser) ([]ImportResult, error) {
	if len(batch) > MaxImportBatch {
		return nil, ErrInvalidRequest
	}
	results := make([]ImportResult, len(batch))
	var pending []pendingUser
	for i, u := range batch {
		p, err := im.prepare(u)
		if err != nil {
			return nil, err
		}
		results[i] = p.result
		if p.result.Status != ImportLeftOut {
			p.position = i
			pending = append(pending, p)
		}
	}
	outcomes, err := im.store(ctx, pending)
	if err != nil {
		return nil, err
	}
	for i, p := range pending {
		results[p.position] = p.settle(outcomes[i])
	}
	return results, nil
}

// pendingUser is a user whom nothing but what is in the store can keep out.
type pendingUser struct {
	position int // in the batch
	record   storage.UserRecord
	indexes  []int // of the passkeys of record among those of the user
	result   ImportResult
}

// settle brings together what the store and what the checks before it say.
func (p pendingUser) settle(o storage.UserOutcome) ImportResult {
	if o.Status != ImportAdded {
		return ImportResult{Status: o.Status, Problem: o.Problem}
	}
	r := p.result
	r.Status = ImportAdded
	for _, i := range o.TakenPasskeys {
		r.leaveOut(p.indexes[i], storage.ProblemCredentialIDTaken)
	}
	r.Passkeys = len(p.record.Passkeys) - len(o.TakenPasskeys)
	return r
}

func (r *ImportResult) leaveOut(passkey int, problem ImportProblem) {
	if r.LeftOut == nil {
		r.LeftOut = make(map[int]ImportProblem)
	}
	r.LeftOut[passkey] = problem
}

func (im *Importer) store(ctx context.Context, pending []pendingUser) ([]storage.UserOutcome, error) {
	s, now := im.service, im.service.now()
	records := make([]storage.UserRecord, len(pending))
	for i, p := range pending {
		records[i] = p.record
	}
	var outcomes []storage.UserOutcome
	err := s.store.InTx(ctx, func(tx storage.Tx) (err error) {
		if outcomes, err = tx.ImportUsers(ctx, records); err != nil {
			return err
		}
		events, err := s.importEvents(records, outcomes, now)
		if err != nil {
			return err
		}
		if err := tx.RecordEvents(ctx, events); err != nil {
			return err
		}
		if im.dryRun {
			return errDryRun
		}
		return nil
	})
	if im.dryRun && errors.Is(err, errDryRun) {
		return outcomes, nil
	}
	for i, o := range outcomes {
		if err == nil && o.Status == ImportAdded {
			s.passwords.Imported(records[i].User.PasswordHash)
		}
	}
	return outcomes, err
}

func (s *Service) importEvents(records []storage.UserRecord, outcomes []storage.UserOutcome, now time.Time) ([]Event, error) {
	var events []Event
	for i, o := range outcomes {
		if o.Status != ImportAdded {
			continue
		}
		id, err := s.newID()
		if err != nil {
			return nil, err
		}
		events = append(events, Event{ID: id, Kind: storage.EventUserImported, At: now, UserID: records[i].User.ID})
	}
	return events, nil
}

// prepare checks a user. The error is of randomness that fails; what is wrong with
// the user is in the result.
func (im *Importer) prepare(u PortableUser) (pendingUser, error) {
	canonical, problem := im.checkUser(u)
	if problem != "" {
		return pendingUser{result: ImportResult{Status: ImportLeftOut, Problem: problem}}, nil
	}
	now := im.service.now()
	p := pendingUser{record: storage.UserRecord{User: User{
		ID: u.ID, Username: strings.TrimSpace(u.Username), CanonicalName: canonical,
		PasswordHash: u.PasswordHash, PasswordVersion: 1, PasswordByMail: u.PasswordByMail,
		PasswordStopped: u.PasswordStopped, Handle: u.Handle,
		CreatedAt: stored(u.CreatedAt, now), DisabledAt: storedOrNil(u.DisabledAt),
	}}}
	if u.PasswordByMail {
		// When it was is not in an export, so the cool-off begins here anew.
		p.record.User.PasswordByMailAt = &now
	}
	if len(u.Handle) == 0 {
		p.record.User.Handle = make([]byte, userHandleBytes)
		if _, err := io.ReadFull(im.service.random, p.record.User.Handle); err != nil {
			return pendingUser{}, fmt.Errorf("stepkey: draw a user handle: %w", err)
		}
	}
	p.record.Email, p.result.Email = checkEmail(u.Email)
	for i, sent := range u.Passkeys {
		passkey, problem := im.checkPasskey(sent, len(p.record.Passkeys))
		if problem != "" {
			p.result.leaveOut(i, problem)
			continue
		}
		passkey.UserID, passkey.CreatedAt = u.ID, stored(sent.CreatedAt, now)
		if passkey.ID == uuid.Nil {
			id, err := im.service.newID()
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

// checkUser looks at everything but the passkeys. What has to be unique is looked at
// last: who is left out for something else takes nothing from anybody.
func (im *Importer) checkUser(u PortableUser) (canonical string, problem ImportProblem) {
	if u.ID == uuid.Nil {
		return "", storage.ProblemID
	}
	canonical, err := CanonicalUsername(u.Username)
	if err != nil {
		return "", storage.ProblemUsername
	}
	if problem := hashProblem(u.PasswordHash); problem != "" {
		return "", problem
	}
	if len(u.Handle) > maxUserHandle {
		return "", storage.ProblemHandle
	}
	if len(u.Handle) == 0 && len(u.Passkeys) > 0 {
		return "", storage.ProblemHandleMissing
	}
	if !im.first("id", u.ID[:]) {
		return "", storage.ProblemIDTwice
	}
	if !im.first("name", []byte(canonical)) {
		return "", storage.ProblemUsernameTwice
	}
	if len(u.Handle) > 0 && !im.first("handle", u.Handle) {
		return "", storage.ProblemHandleTwice
	}
	return canonical, ""
}

func hashProblem(hash string) ImportProblem {
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

// checkEmail returns the address as it is stored. Without the time it may be one that
// somebody only typed, and whoever reads its mail could set a new password.
func checkEmail(sent *ConfirmedEmail) (*ConfirmedEmail, ImportProblem) {
	if sent == nil {
		return nil, ""
	}
	if err := mail.CheckAddress(sent.Address); err != nil {
		return nil, storage.ProblemEmail
	}
	if sent.ConfirmedAt.IsZero() {
		return nil, storage.ProblemEmailUnconfirmed
	}
	return &ConfirmedEmail{Address: sent.Address, ConfirmedAt: stored(sent.ConfirmedAt, sent.ConfirmedAt)}, ""
}

// checkPasskey looks at a passkey of a user who has that many good ones before it.
func (im *Importer) checkPasskey(sent PortablePasskey, before int) (Passkey, ImportProblem) {
	if before == MaxPasskeys {
		return Passkey{}, storage.ProblemTooManyPasskeys
	}
	if sent.SignCount < 0 || sent.SignCount > math.MaxUint32 {
		return Passkey{}, storage.ProblemSignCount
	}
	credential, err := ceremony.Adopt(sent.credential())
	if err != nil {
		return Passkey{}, credentialProblem(err)
	}
	if !im.first("credential id", credential.ID) || sent.ID != uuid.Nil && !im.first("passkey", sent.ID[:]) {
		return Passkey{}, storage.ProblemCredentialIDTwice
	}
	return Passkey{
		ID: sent.ID, Credential: credential, Name: importedName(sent.Name), LastUsedAt: storedOrNil(sent.LastUsedAt),
		UsableFrom: storedOrNil(sent.UsableFrom),
	}, ""
}

func credentialProblem(err error) ImportProblem {
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

// first reports whether value has not come before as something of that kind.
func (im *Importer) first(kind string, value []byte) bool {
	sum := sha256.Sum256(append([]byte(kind+"\x00"), value...))
	digest := [16]byte(sum[:])
	if _, seen := im.seen[digest]; seen {
		return false
	}
	im.seen[digest] = struct{}{}
	return true
}

// importedName makes a name of whatever stands there. A name is no reason to leave a
// passkey out: a long one is cut.
func importedName(sent string) string {
	shown := []rune(visible(strings.ToValidUTF8(sent, "")))
	name, err := passkeyName(string(shown[:min(len(shown), MaxPasskeyName)]))
	if err != nil || name == "" {
		return unnamed
	}
	return name
}

// stored is a time as stores keep it, or now where there is none.
func stored(t, now time.Time) time.Time {
	if t.IsZero() {
		return now
	}
	return t.UTC().Truncate(time.Microsecond)
}

func storedOrNil(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := stored(*t, *t)
	return &u
}
