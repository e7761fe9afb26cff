package stepkey

import (
	"context"

	"github.com/stepkey/stepkey/internal/importing"
)

// Importer adds users from another system. Use one Importer per import, from one
// goroutine.
//
// Of users with the same canonical name, only the first is added, and no user ever gets the
// password or passkeys of another. Import the oldest users first: the first owner then keeps
// the name, and nobody can displace another user by having signed up under another spelling of
// that user's name.
//
// Existing users are not changed. So an interrupted import can be run again, and it neither
// undoes a password change nor brings back a removed passkey or address.
type Importer struct {
	service  *Service
	importer *importing.Importer
	dryRun   bool
}

// NewImporter begins an import. A dry run has the same outcomes and changes nothing.
func (a *Admin) NewImporter(dryRun bool) *Importer {
	s := a.service
	return &Importer{service: s, dryRun: dryRun, importer: importing.New(importing.Config{
		Store: s.store, Random: s.random, Now: s.now, MaxPasskeys: MaxPasskeys, OwnClaims: s.ownClaims, DryRun: dryRun,
	})}
}

// Import adds users in one transaction and returns the outcome of each, in the same order. It
// returns ErrInvalidRequest for more than MaxImportBatch users. After any other error, no user
// of batch was added, and the Importer cannot be used any more.
func (im *Importer) Import(ctx context.Context, batch []PortableUser) ([]ImportResult, error) {
	if len(batch) > MaxImportBatch {
		return nil, ErrInvalidRequest
	}
	results, err := im.importer.Import(ctx, batch)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		if r.Status == ImportAdded && !im.dryRun {
			im.service.passwords.Imported(batch[i].PasswordHash)
		}
	}
	return results, nil
}
