package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/stepkey/stepkey"
)

type userGroupsCommand struct {
	settings
	Username string   `arg:"" help:"The user's name."`
	Changes  []string `arg:"" optional:"" help:"+GROUP to add the user to a group, -GROUP to remove the user from it."`
}

// leaving matches a group that a user is removed from, which the parser would take for flags.
// The one short flag, -h, has one letter.
var leaving = regexp.MustCompile(`^-[a-z0-9][a-z0-9._-]+$`)

// groupsLast returns the arguments of user groups, of which some are such groups, with all changes
// after "--", and all other arguments unchanged.
func groupsLast(args []string) []string {
	if len(args) < 4 || args[0] != "user" || args[1] != "groups" || slices.Contains(args, "--") {
		return args
	}
	var first, last []string
	for _, arg := range args {
		if strings.HasPrefix(arg, "+") || leaving.MatchString(arg) {
			last = append(last, arg)
			continue
		}
		first = append(first, arg)
	}
	if !slices.ContainsFunc(last, leaving.MatchString) {
		return args
	}
	return slices.Concat(first, []string{"--"}, last)
}

// Run changes the groups of a user, or lists them.
func (c *userGroupsCommand) Run(ctx context.Context, out output) error {
	var add, remove []string
	for _, change := range c.Changes {
		switch {
		case strings.HasPrefix(change, "+"):
			add = append(add, change[1:])
		case strings.HasPrefix(change, "-"):
			remove = append(remove, change[1:])
		default:
			return errors.New("each change is +GROUP or -GROUP, as in: stepkey user groups mira +ops -dev")
		}
	}
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		u, err := findUser(ctx, admin, c.Username)
		if err != nil {
			return err
		}
		if len(c.Changes) == 0 {
			for _, group := range u.Attributes.Groups.Names() {
				fmt.Fprintln(out.stdout, group)
			}
			return nil
		}
		changed, err := admin.ChangeGroups(ctx, u.ID, add, remove)
		return out.attributesChanged(changed, err)
	})
}

type userClaimsCommand struct {
	settings
	Username string   `arg:"" help:"The user's name."`
	Changes  []string `arg:"" optional:"" help:"NAME=VALUE to set a claim, NAME= to remove it."`
}

// Run changes the own claims of a user, or lists them.
func (c *userClaimsCommand) Run(ctx context.Context, out output) error {
	changes := map[string]string{}
	for _, change := range c.Changes {
		name, value, ok := strings.Cut(change, "=")
		if _, twice := changes[name]; !ok || twice {
			return errors.New("each change is NAME=VALUE or NAME=, once for a name, as in: stepkey user claims mira department=Sales")
		}
		changes[name] = value
	}
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		u, err := findUser(ctx, admin, c.Username)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			claims := u.Attributes.Claims.Map()
			for _, name := range slices.Sorted(maps.Keys(claims)) {
				fmt.Fprintf(out.stdout, "%s=%s\n", name, printable(claims[name]))
			}
			return nil
		}
		changed, err := admin.ChangeClaims(ctx, u.ID, changes)
		return out.attributesChanged(changed, err)
	})
}

func (o output) attributesChanged(changed bool, err error) error {
	if err != nil {
		return err
	}
	if !changed {
		_, err := fmt.Fprintln(o.stdout, "That changes nothing.")
		return err
	}
	_, err = fmt.Fprintln(o.stdout, "Changed. Tokens from before are refused within seconds, and clients refresh them.")
	return err
}
