package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
)

type inviteCommands struct {
	Make   inviteMakeCommand   `cmd:"" default:"withargs" help:"Make an invitation and print its link; with --email, mail it as well."`
	List   inviteListCommand   `cmd:"" help:"List the invitations that are still good."`
	Revoke inviteRevokeCommand `cmd:"" help:"Void an invitation."`
}

type inviteMakeCommand struct {
	settings
	Email   string        `help:"Address that the link is mailed to. It belongs to the new account, confirmed. Default: none, and the account has no address."`
	Expires time.Duration `default:"72h" help:"How long the link works, at most 720h."`
}

// Run prints the link, which is kept nowhere.
func (c *inviteMakeCommand) Run(ctx context.Context, out output) error {
	if c.Expires <= 0 || c.Expires > stepkey.MaxInvitationLifetime {
		return fmt.Errorf("--expires is %s: an invitation works for at most %s", c.Expires, stepkey.MaxInvitationLifetime)
	}
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		i, link, err := admin.Invite(ctx, stepkey.InviteRequest{Address: c.Email, Language: c.onlyLanguage(), Lifetime: c.Expires})
		switch {
		case errors.Is(err, stepkey.ErrSignUpClosed):
			return errors.New("STEPKEY_SIGNUP is closed, and an invitation would lead nowhere: set it to invite")
		case errors.Is(err, stepkey.ErrEmailInvalid):
			return errors.New("--email is not an address that mail can be sent to")
		case err != nil:
			return err
		}
		_, err = fmt.Fprintf(out.stdout, "%s\n\nIt works once, until %s, for one new account.%s\nTo void it: stepkey invite revoke %s\n",
			link, moment(&i.ExpiresAt), c.sent(), i.ID)
		return err
	})
}

// sent says what happens with the address.
func (c *inviteMakeCommand) sent() string {
	switch {
	case c.Email == "":
		return ""
	case c.SMTPURL == "":
		return " Nothing is mailed, because SMTP_URL is not set:\nhand it to the owner of the address alone, which counts as confirmed then."
	default:
		return " It is on its way to the address as well."
	}
}

// listedInvitations is how many invitations are read at a time.
const listedInvitations = 500

type inviteListCommand struct{ settings }

// Run prints a line for each invitation, by id.
func (c *inviteListCommand) Run(ctx context.Context, out output) error {
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		table := tabwriter.NewWriter(out.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tCREATED\tEXPIRES\tADDRESS")
		for after := uuid.Nil; ; {
			list, err := admin.Invitations(ctx, after, listedInvitations)
			if err != nil {
				return err
			}
			for _, i := range list {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", i.ID, moment(&i.CreatedAt), moment(&i.ExpiresAt), printable(i.Address))
				after = i.ID
			}
			if len(list) < listedInvitations {
				return table.Flush()
			}
		}
	})
}

type inviteRevokeCommand struct {
	settings
	ID uuid.UUID `arg:"" help:"The invitation, as invite list names it."`
}

// Run voids an invitation.
func (c *inviteRevokeCommand) Run(ctx context.Context, out output) error {
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		err := admin.RevokeInvitation(ctx, c.ID)
		if errors.Is(err, stepkey.ErrNotFound) {
			return errors.New("there is no such invitation, or it was used or has expired: stepkey invite list names those that are good")
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out.stdout, "The invitation is void.")
		return err
	})
}
