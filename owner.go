package stepkey

import (
	"time"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// asOwner is the rule for calls that can harm or expose the owner of an account and change
// nothing about how to get in: ending other sessions, exporting personal data, cancelling a
// recovery. On an account with a passkey, somebody who has only found out the password must
// not be able to do them, so they take a passkey verification not older than FullWindow
// (StepUpRequiredError). Without a passkey that works, the password is all the account has,
// and a session is enough. docs/passkeys.md lists the rule of every route.
func asOwner(a storage.Account, c token.Claims, now time.Time) error {
	if len(usable(a.Passkeys, now)) == 0 {
		return nil
	}
	return freshlyFull(a, c, now)
}
