// Package importing adds users from another system to a store. It checks every record,
// leaves out invalid ones, and says why, with the problems of package storage.
package importing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// Config configures an Importer.
type Config struct {
	Store       storage.Store
	Random      io.Reader        // of ids and user handles
	Now         func() time.Time // to the microsecond, as stores keep times
	MaxPasskeys int              // how many a user may have
	OwnClaims   []string         // the names of claims that users may have
	DryRun      bool             // reports the same outcomes and changes nothing
}

// Importer adds users. Use one Importer per import, from one goroutine.
type Importer struct {
	Config

	// seen holds a digest of every value that must be unique in the whole import. The store
	// cannot check that: in a dry run, users of earlier batches are not in it.
	seen map[[16]byte]struct{}
}

// New begins an import.
func New(c Config) *Importer {
	return &Importer{Config: c, seen: make(map[[16]byte]struct{})}
}

// errDryRun undoes the transaction of a dry run.
var errDryRun = errors.New("importing: dry run")

// Import adds users in one transaction and returns the outcome of each, in the same order.
// batch has at most storage.MaxImportBatch users. After an error, of the store or the
// source of randomness, no user of batch was added, and the Importer cannot be used any
// more.
func (im *Importer) Import(ctx context.Context, batch []storage.PortableUser) ([]storage.ImportResult, error) {
	now := im.Now()
	results := make([]storage.ImportResult, len(batch))
	var pending []pendingUser
	for i, u := range batch {
		p, err := im.prepare(u, now)
		if err != nil {
			return nil, err
		}
		results[i] = p.result
		if p.result.Status != storage.ImportLeftOut {
			p.position = i
			pending = append(pending, p)
		}
	}
	outcomes, err := im.store(ctx, pending, now)
	if err != nil {
		return nil, err
	}
	for i, p := range pending {
		results[p.position] = p.resultOf(outcomes[i])
	}
	return results, nil
}

// pendingUser is a user who passed all checks except the store's.
type pendingUser struct {
	position int // in the batch
	record   storage.UserRecord
	indexes  []int // of record's passkeys among those of the user
	result   storage.ImportResult
}

// resultOf combines the outcome in the store with that of the earlier checks.
func (p pendingUser) resultOf(o storage.UserOutcome) storage.ImportResult {
	if o.Status != storage.ImportAdded {
		return storage.ImportResult{Status: o.Status, Problem: o.Problem}
	}
	r := p.result
	r.Status = storage.ImportAdded
	for _, i := range o.TakenPasskeys {
		leaveOut(&r, p.indexes[i], storage.ProblemCredentialIDTaken)
	}
	r.Passkeys = len(p.record.Passkeys) - len(o.TakenPasskeys)
	return r
}

func leaveOut(r *storage.ImportResult, passkey int, problem storage.ImportProblem) {
	if r.LeftOut == nil {
		r.LeftOut = make(map[int]storage.ImportProblem)
	}
	r.LeftOut[passkey] = problem
}

func (im *Importer) store(ctx context.Context, pending []pendingUser, now time.Time) ([]storage.UserOutcome, error) {
	records := make([]storage.UserRecord, len(pending))
	for i, p := range pending {
		records[i] = p.record
	}
	var outcomes []storage.UserOutcome
	err := im.Store.InTx(ctx, func(tx storage.Tx) (err error) {
		if outcomes, err = tx.ImportUsers(ctx, records); err != nil {
			return err
		}
		events, err := im.events(records, outcomes, now)
		if err != nil {
			return err
		}
		if err := tx.RecordEvents(ctx, events); err != nil {
			return err
		}
		if im.DryRun {
			return errDryRun
		}
		return nil
	})
	if im.DryRun && errors.Is(err, errDryRun) {
		return outcomes, nil
	}
	return outcomes, err
}

// events returns one event for each user who was added.
func (im *Importer) events(records []storage.UserRecord, outcomes []storage.UserOutcome, now time.Time) ([]storage.Event, error) {
	var events []storage.Event
	for i, o := range outcomes {
		if o.Status != storage.ImportAdded {
			continue
		}
		id, err := storage.NewEventID(im.Random, now)
		if err != nil {
			return nil, err
		}
		events = append(events, storage.Event{ID: id, Kind: storage.EventUserImported, At: now, UserID: records[i].User.ID})
	}
	return events, nil
}

func (im *Importer) newID() (uuid.UUID, error) {
	id, err := uuid.NewRandomFromReader(im.Random)
	if err != nil {
		return uuid.Nil, fmt.Errorf("stepkey: draw an id: %w", err)
	}
	return id, nil
}
