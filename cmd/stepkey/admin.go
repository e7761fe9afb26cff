package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/stepkey/stepkey"
)

// The commands here work on the configured database, while instances are
// serving it. They need the same settings as those instances.

type keyCommands struct {
	List   keyListCommand   `cmd:"" help:"List the signing keys and their states: next, current, previous, retired or revoked."`
	Rotate keyRotateCommand `cmd:"" help:"Publish a new key. It starts to sign fifteen minutes later; nobody is signed out."`
	Revoke keyRevokeCommand `cmd:"" help:"Revoke a key permanently. Tokens that it signed are refused."`
}

type userCommands struct {
	List        userListCommand        `cmd:"" help:"List all users, one per line."`
	Show        userShowCommand        `cmd:"" help:"Show one user, with passkeys, live sessions and latest events."`
	Disable     userDisableCommand     `cmd:"" help:"Keep a user from signing in and end all of the user's sessions."`
	Enable      userEnableCommand      `cmd:"" help:"Let a disabled user sign in again."`
	Delete      userDeleteCommand      `cmd:"" help:"Delete a user permanently. The name cannot be used again for 30 days."`
	Groups      userGroupsCommand      `cmd:"" help:"Add a user to groups and remove the user from others: user groups mira +ops -dev. Without any, list them."`
	Claims      userClaimsCommand      `cmd:"" help:"Set claims of a user, by names listed in STEPKEY_CLAIMS: user claims mira department=Sales locale=. Without any, list them."`
	Unlock      userUnlockCommand      `cmd:"" help:"Reset the count of failed logins at an account; with --allow-password, let a password sign in again that the owner stopped."`
	Recover     userRecoverCommand     `cmd:"" help:"Make a link with which a user who has lost everything can add a passkey. You never see a password."`
	RemoveEmail userRemoveEmailCommand `cmd:"" help:"Remove a user's e-mail address and invalidate every link that was sent to it."`
	Export      userExportCommand      `cmd:"" help:"Write all users to standard output as JSON lines, with password hashes, addresses and passkeys."`
	Import      userImportCommand      `cmd:"" help:"Import users from JSON lines, with hashes of argon2id, bcrypt, scrypt or PBKDF2. Without --yes it only reports."`
}

// commandTimeout is the least time that a command allows one database operation. No
// client is waiting for a command, and a batch of an import takes longer than
// anything that serve does.
const commandTimeout = time.Minute

// withAdmin opens the configured service for the duration of one command.
func (s *settings) withAdmin(ctx context.Context, work func(*stepkey.Admin) error) error {
	s.DBTimeout = max(s.DBTimeout, commandTimeout)
	store, config, err := s.open(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer store.Close()
	service, err := stepkey.New(ctx, config)
	if err != nil {
		return err
	}
	return work(service.Admin())
}

type keyListCommand struct{ settings }

// Run prints a table.
func (c *keyListCommand) Run(ctx context.Context, out output) error {
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		keys, err := admin.Keys(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(out.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "KEY\tALGORITHM\tSTATE\tSIGNS FROM")
		for _, k := range keys {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", k.ID, k.Algorithm, k.State, k.ActivatesAt.Format(time.RFC3339))
		}
		return table.Flush()
	})
}

type keyRotateCommand struct{ settings }

// Run publishes a key, unless one is already published that does not sign yet.
func (c *keyRotateCommand) Run(ctx context.Context, out output) error {
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		if err := admin.RotateKey(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintf(out.stdout, "The next key is published and signs within %s.\n", stepkey.KeyLead)
		return err
	})
}

type keyRevokeCommand struct {
	settings
	ID string `arg:"" help:"The key's id, as shown by key list."`
}

// keyID matches a key's id (RFC 7638, in base64url) that begins like a flag, as one in 64 does.
var keyID = regexp.MustCompile(`^-[A-Za-z0-9_-]{42}$`)

// keyIDLast returns the arguments of key revoke with such an id after "--", so that it is
// not parsed as a flag, and all other arguments unchanged.
func keyIDLast(args []string) []string {
	if len(args) < 3 || args[0] != "key" || args[1] != "revoke" || slices.Contains(args, "--") {
		return args
	}
	i := slices.IndexFunc(args, keyID.MatchString)
	if i < 0 {
		return args
	}
	return append(slices.Delete(slices.Clone(args), i, i+1), "--", args[i])
}

// Run revokes a key.
func (c *keyRevokeCommand) Run(ctx context.Context, out output) error {
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		err := admin.RevokeKey(ctx, c.ID)
		if errors.Is(err, stepkey.ErrNotFound) {
			return errors.New("there is no such key: stepkey key list shows all keys")
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out.stdout, "The key is revoked. Running instances follow within seconds.")
		return err
	})
}

type userDisableCommand struct {
	settings
	Username string `arg:"" help:"The user's name."`
}

// Run disables a user.
func (c *userDisableCommand) Run(ctx context.Context, out output) error {
	return c.withUser(ctx, out, c.Username, "The user is disabled, and every session has ended.",
		func(admin *stepkey.Admin, u stepkey.User) error { return admin.DisableUser(ctx, u.ID) })
}

type userEnableCommand struct {
	settings
	Username string `arg:"" help:"The user's name."`
}

// Run enables a user.
func (c *userEnableCommand) Run(ctx context.Context, out output) error {
	return c.withUser(ctx, out, c.Username, "The user can sign in again.",
		func(admin *stepkey.Admin, u stepkey.User) error { return admin.EnableUser(ctx, u.ID) })
}

type userUnlockCommand struct {
	settings
	Username      string `arg:"" help:"The user's name."`
	AllowPassword bool   `help:"Re-enable a password that was stopped with the link \"This was not me\". Anyone else who knows it can sign in too."`
}

// Run resets the count of failed logins at a user's account. A stopped password is only
// reported, unless --allow-password is set: the owner may have had a reason.
func (c *userUnlockCommand) Run(ctx context.Context, out output) error {
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		u, err := findUser(ctx, admin, c.Username)
		if err != nil {
			return err
		}
		if err := admin.UnlockUser(ctx, u); err != nil {
			return err
		}
		fmt.Fprintln(out.stdout, "The account's failed-login count is reset.")
		if !u.PasswordStopped {
			return nil
		}
		if !c.AllowPassword {
			_, err := fmt.Fprintln(out.stdout, "The password is stopped: somebody followed the link \"This was not me\" in a mail. A reset sets another one;"+
				" --allow-password re-enables the current password.")
			return err
		}
		if _, err := admin.AllowPassword(ctx, u.ID); err != nil {
			return err
		}
		_, err = fmt.Fprintln(out.stdout, "The password works again.")
		return err
	})
}

type userRemoveEmailCommand struct {
	settings
	Username string `arg:"" help:"The user's name."`
}

// Run removes a user's address.
func (c *userRemoveEmailCommand) Run(ctx context.Context, out output) error {
	return c.withUser(ctx, out, c.Username, "The account has no e-mail address, and links that were sent to one are invalid.",
		func(admin *stepkey.Admin, u stepkey.User) error { return admin.RemoveUserEmail(ctx, u.ID) })
}

type userRecoverCommand struct {
	settings
	Username string        `arg:"" help:"The user's name."`
	Valid    time.Duration `default:"1h" help:"How long the link works, at most 24h."`
}

// Run prints the link, which is not stored anywhere.
func (c *userRecoverCommand) Run(ctx context.Context, out output) error {
	if c.Valid <= 0 || c.Valid > stepkey.MaxRecoveryLinkLifetime {
		return fmt.Errorf("--valid is %s: a link works for at most %s", c.Valid, stepkey.MaxRecoveryLinkLifetime)
	}
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		u, err := findUser(ctx, admin, c.Username)
		if err != nil {
			return err
		}
		link, err := admin.MakeRecoveryLink(ctx, u.ID, c.Valid)
		if errors.Is(err, stepkey.ErrNotFound) {
			return errors.New("the user is disabled: run stepkey user enable first")
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out.stdout, "%s\n\nVerify the person's identity by other means, and give this link only to them. It works once, for %s.\n"+
			"It adds a new passkey, which works %s later. The owner is notified by e-mail if there is an address.\n",
			link, c.Valid, c.RecoveryCoolOff)
		return err
	})
}

type userDeleteCommand struct {
	settings
	Username string `arg:"" help:"The user's name."`
	Yes      bool   `help:"Really do it. Without this flag, nothing happens."`
}

// Run deletes a user.
func (c *userDeleteCommand) Run(ctx context.Context, out output) error {
	return c.withUser(ctx, out, c.Username, "The user is deleted, and every session has ended.",
		func(admin *stepkey.Admin, u stepkey.User) error {
			if !c.Yes {
				return errors.New("this deletes the account and its passkeys permanently: add --yes if that is what you want")
			}
			return admin.DeleteUser(ctx, u.ID)
		})
}

// withUser calls act with the user of that name, and then prints done.
func (c *settings) withUser(
	ctx context.Context, out output, username, done string, do func(*stepkey.Admin, stepkey.User) error,
) error {
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		u, err := findUser(ctx, admin, username)
		if err != nil {
			return err
		}
		if err := do(admin, u); err != nil {
			return err
		}
		_, err = fmt.Fprintln(out.stdout, done)
		return err
	})
}

func findUser(ctx context.Context, admin *stepkey.Admin, username string) (stepkey.User, error) {
	u, err := admin.FindUser(ctx, username)
	return u, userError(err)
}

// userError returns the message of a command for a user who was not found.
func userError(err error) error {
	switch {
	case errors.Is(err, stepkey.ErrUsernameInvalid):
		return errors.New("that is not a valid user name")
	case errors.Is(err, stepkey.ErrNotFound):
		return errors.New("there is no such user")
	default:
		return err
	}
}
