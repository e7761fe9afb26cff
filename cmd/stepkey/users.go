package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
)

// shownEvents is how many events user show prints, the newest ones.
const shownEvents = 20

type userListCommand struct {
	settings
	JSON bool `name:"json" help:"Print a line of JSON for each user."`
}

// listedUser is a user as printed by user list. docs/operations.md describes the members.
type listedUser struct {
	ID           uuid.UUID  `json:"id"`
	Username     string     `json:"username"`
	State        string     `json:"state"`
	Passkeys     int        `json:"passkeys"`
	CreatedAt    time.Time  `json:"createdAt"`
	LastSignInAt *time.Time `json:"lastSignInAt,omitzero"`
}

// Run prints a line for each user who is not deleted, in the order of ids, batch by
// batch, because there may be many. The name comes last, so that the columns are
// aligned whatever its length.
func (c *userListCommand) Run(ctx context.Context, out output) error {
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		w := bufio.NewWriter(out.stdout)
		write := func(u listedUser) error { return u.writeText(w) }
		if c.JSON {
			write = func(u listedUser) error { return u.writeJSON(w) }
		} else {
			fmt.Fprintf(w, listFormat, "ID", "CREATED", "LAST SIGN-IN", "STATE", "PASSKEYS", "NAME")
		}
		for after := uuid.Nil; ; {
			if err := ctx.Err(); err != nil {
				return err
			}
			users, err := admin.Users(ctx, after, stepkey.MaxImportBatch)
			if err != nil {
				return err
			}
			for _, u := range users {
				if err := write(listed(u)); err != nil {
					return err
				}
				after = u.User.ID
			}
			if len(users) < stepkey.MaxImportBatch {
				return w.Flush()
			}
		}
	})
}

func listed(u stepkey.UserSummary) listedUser {
	return listedUser{
		ID: u.User.ID, Username: u.User.Username, State: state(u.User),
		Passkeys: u.Passkeys, CreatedAt: u.User.CreatedAt, LastSignInAt: u.LastSignInAt,
	}
}

const listFormat = "%-36v  %-20s  %-20s  %-8s  %-8v  %s\n"

func (u listedUser) writeText(w io.Writer) error {
	_, err := fmt.Fprintf(w, listFormat, u.ID, moment(&u.CreatedAt), moment(u.LastSignInAt), u.State, u.Passkeys, printable(u.Username))
	return err
}

func (u listedUser) writeJSON(w *bufio.Writer) error {
	if err := json.MarshalWrite(w, u); err != nil {
		return err
	}
	return w.WriteByte('\n')
}

func state(u stepkey.User) string {
	switch {
	case u.DeletedAt != nil:
		return "deleted"
	case u.DisabledAt != nil:
		return "disabled"
	default:
		return "active"
	}
}

// moment returns a time to the second, or a dash for nil.
func moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// printable returns text without characters that control a terminal. Input is checked
// when it is stored, but operators should not have to rely on that.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

type userShowCommand struct {
	settings
	Username string `arg:"" help:"The user's name."`
}

// Run prints everything stored about a user, without secrets. The address is printed in
// full: operators can read the database anyway, and need to reach the owner.
func (c *userShowCommand) Run(ctx context.Context, out output) error {
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		d, err := admin.InspectUser(ctx, c.Username, shownEvents)
		if err != nil {
			return userError(err)
		}
		if d.User.DeletedAt != nil {
			free := d.User.DeletedAt.Add(stepkey.NameQuarantine)
			_, err := fmt.Fprintf(out.stdout, "The user was deleted at %s. The name cannot be used before %s.\n",
				moment(d.User.DeletedAt), moment(&free))
			return err
		}
		table := tabwriter.NewWriter(out.stdout, 0, 0, 2, ' ', 0)
		showUser(table, d)
		showPasskeys(table, d.Passkeys)
		showSessions(table, d.Sessions)
		showRefused(table, d.RefusedCeremonies)
		showEvents(table, d.Events)
		return table.Flush()
	})
}

func showUser(w io.Writer, d stepkey.UserDetails) {
	fmt.Fprintf(w, "Name\t%s\nID\t%s\nState\t%s\n", printable(d.User.Username), d.User.ID, state(d.User))
	if d.User.DisabledAt != nil {
		fmt.Fprintf(w, "Disabled\t%s\n", moment(d.User.DisabledAt))
	}
	fmt.Fprintf(w, "Created\t%s\n", moment(&d.User.CreatedAt))
	if groups := d.User.Attributes.Groups; groups != "" {
		fmt.Fprintf(w, "Groups\t%s\n", groups)
	}
	for _, name := range slices.Sorted(maps.Keys(d.User.Attributes.Claims.Map())) {
		fmt.Fprintf(w, "Claim %s\t%s\n", name, printable(d.User.Attributes.Claims.Map()[name]))
	}
	if d.User.PasswordStopped {
		fmt.Fprintln(w, "Password\tstopped by \"This was not me\"; a reset sets another one")
	}
	if d.Email != nil {
		fmt.Fprintf(w, "E-mail\t%s, confirmed %s\n", printable(d.Email.Address), moment(&d.Email.ConfirmedAt))
	}
}

func showPasskeys(w io.Writer, passkeys []stepkey.Passkey) {
	fmt.Fprintf(w, "\nPasskeys: %d\n", len(passkeys))
	if len(passkeys) > 0 {
		fmt.Fprintln(w, "ID\tCREATED\tLAST USED\tSYNCED\tNAME")
	}
	for _, p := range passkeys {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.ID, moment(&p.CreatedAt), moment(p.LastUsedAt), synced(p), printable(p.Name))
	}
}

func synced(p stepkey.Passkey) string {
	switch _, backedUp, known := p.Credential.Backup(); {
	case !known:
		return "-"
	case backedUp:
		return "yes"
	default:
		return "no"
	}
}

func showSessions(w io.Writer, sessions []stepkey.Session) {
	fmt.Fprintf(w, "\nLive sessions: %d\n", len(sessions))
	if len(sessions) > 0 {
		fmt.Fprintln(w, "ID\tCREATED\tLAST SEEN\tLEVEL\tFROM")
	}
	for _, s := range sessions {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.ID, moment(&s.CreatedAt), moment(&s.LastSeenAt), s.Level(),
			printable(strings.TrimSpace(s.Client.Device+" "+s.Client.Network)))
	}
}

// showRefused prints refused ceremonies, each with the request id of the newest one,
// which identifies it in the log.
func showRefused(w io.Writer, refused []stepkey.RefusedCeremony) {
	fmt.Fprintf(w, "\nRefused ceremonies of the last %d days:\n", int(storage.KeepRefusedCeremonies.Hours()/24))
	if len(refused) > 0 {
		fmt.Fprintln(w, "LAST\tTIMES\tCEREMONY\tREASON\tREQUEST")
	}
	for _, r := range refused {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", moment(&r.LastAt), r.Times, r.Ceremony, printable(r.Reason), printable(r.RequestID))
	}
}

func showEvents(w io.Writer, events []stepkey.Event) {
	fmt.Fprintf(w, "\nThe newest events, at most %d:\n", shownEvents)
	for _, e := range events {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", moment(&e.At), kindOf(e), printable(e.Reason),
			printable(strings.TrimSpace(e.Device+" "+e.Network)), printable(e.PasskeyName))
	}
}

// kindOf returns the kind of an event, and how often it happened if the event counts.
func kindOf(e stepkey.Event) string {
	if e.Times == 0 {
		return string(e.Kind)
	}
	return fmt.Sprintf("%s (%d times)", e.Kind, e.Times)
}
